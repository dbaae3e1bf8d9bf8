//! What a backtest says, and what it refuses.

use std::fs;

use crate::run::Home;

#[test]
fn the_answer_counts_every_candle_and_names_the_file() {
    let home = Home::with_candles();
    let done = home.run(["backtest", "rsi", "macd", "--symbols", "BTCUSDT"]).succeeded();
    for word in ["rsi", "macd", "STRATEGY", "signals.csv", "2 series"] {
        assert!(done.stdout.contains(word), "{done:?}");
    }
    let answer = home.json(&["backtest", "rsi", "--timeframes", "5m"]);
    let tally = &answer["strategies"][0];
    let counted: u64 = ["signals", "dropped", "gaps"]
        .iter()
        .flat_map(|kind| tally[kind].as_object().unwrap().values())
        .map(|count| count.as_u64().unwrap())
        .sum();
    let failed: u64 =
        tally["failures"].as_object().unwrap().values().map(|failure| failure["count"].as_u64().unwrap()).sum();
    assert_eq!(counted + failed + tally["none"].as_u64().unwrap(), answer["candles"].as_u64().unwrap(), "{answer}");
    let table = fs::read_to_string(answer["file"].as_str().unwrap()).unwrap();
    assert_eq!(table.lines().count() as u64, 1 + answer["signals"].as_u64().unwrap());
}

#[test]
fn parquet_holds_the_same_signals() {
    let home = Home::with_candles();
    let lines = home.json(&["backtest", "rsi", "--format", "jsonl", "--output", "run"]);
    let sheet = home.json(&["backtest", "rsi", "--format", "parquet", "--output", "run"]);
    assert_eq!(lines["signals"], sheet["signals"]);
    let bytes = fs::read(home.path().join("run/signals.parquet")).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn a_parameter_of_the_command_line_counts_and_one_that_does_not_fit_is_refused() {
    let home = Home::with_candles();
    let configured = home.json(&["backtest", "rsi", "--symbols", "BTCUSDT"]);
    let other = home.json(&["backtest", "rsi", "--symbols", "BTCUSDT", "--set", "period=5"]);
    assert_ne!(configured["signals"], other["signals"]);
    assert_ne!(configured["folder"], other["folder"], "another run has another folder");
    home.run(["backtest", "rsi", "--set", "period=1000000"]).failed(2, &["period", "1000000", "allowed"]);
    home.run(["backtest", "rsi", "--set", "perod=5"]).failed(2, &["perod"]);
    let done = home.run(["backtest", "rsi", "--set", "period"]);
    assert!(done.code == Some(2) && done.stderr.contains("NAME=VALUE"), "{done:?}");
}

#[test]
fn what_is_not_there_is_named() {
    let home = Home::new();
    home.run(["backtest", "rsi"]).failed(1, &["there are no candles yet"]);
    let home = Home::with_candles();
    home.run(["backtest", "nothing"]).failed(1, &["there is no strategy nothing", "rsi"]);
    home.run(["backtest", "rsi", "rsi"]).failed(2, &["named before"]);
    home.run(["backtest", "rsi", "--symbols", "XRPUSDT"]).failed(1, &["XRPUSDT", "ADAUSDT 5m"]);
    home.run(["backtest", "rsi", "--symbols", "ADAUSDT", "--timeframes", "1h"]).failed(1, &["ADAUSDT 1h"]);
    home.run(["backtest", "rsi", "--from", "2090-01-01"]).failed(1, &["no candle closes after"]);
    home.run(["backtest", "missing.wasm"]).failed(1, &["missing.wasm"]);
}

#[test]
fn a_folder_with_another_run_is_left_alone() {
    let home = Home::with_candles();
    home.json(&["backtest", "rsi", "--output", "run"]);
    let before = fs::read(home.path().join("run/signals.csv")).unwrap();
    home.run(["backtest", "macd", "--output", "run"]).failed(1, &["another run", "modules"]);
    assert_eq!(fs::read(home.path().join("run/signals.csv")).unwrap(), before);
}

#[test]
fn what_the_signals_would_have_made_follows_from_stated_assumptions() {
    let home = Home::with_candles();
    let answer = home.json(&["backtest", "rsi", "macd", "--symbols", "BTCUSDT", "--output", "run"]);
    let money = &answer["money"];
    let equity = |money: &serde_json::Value| money["end_equity"].as_str().unwrap().parse::<f64>().unwrap();
    let trades = fs::read_to_string(home.path().join("run/trades.csv")).unwrap();
    assert_eq!(trades.lines().count() as u64, 1 + money["trades"].as_u64().unwrap());
    let header: Vec<&str> = trades.lines().next().unwrap().split(',').collect();
    let net = header.iter().position(|name| *name == "net").unwrap();
    let made: f64 = trades.lines().skip(1).map(|line| line.split(',').nth(net).unwrap().parse::<f64>().unwrap()).sum();
    assert!((10_000.0 + made - equity(money)).abs() < 0.01, "{made} {money}");
    assert!(money["assumptions"].as_array().unwrap().len() > 5, "{money}");
    assert_eq!(money["figures"].as_array().unwrap().len(), 12, "{money}");
    // Without costs the same trades bring more.
    let free =
        r#"{"assumptions": {"fees": {"maker": "0", "taker": "0"}, "slippage": {"fixed": "0"}, "funding": "none"}}"#;
    fs::write(home.path().join("free.json"), free).unwrap();
    let arguments =
        ["backtest", "rsi", "macd", "--symbols", "BTCUSDT", "--output", "run", "--assumptions", "free.json"];
    let without = home.json(&arguments);
    assert_eq!(without["signals"], answer["signals"]);
    assert!(equity(&without["money"]) > equity(money), "{without}");
    for (text, word) in [
        (r#"{"assumptions": {"fee": 1}}"#, "unknown field"),
        (r#"{"assumptions": {"fees": {"maker": "2", "taker": "0"}}}"#, "fees.maker"),
        ("{", "EOF"),
    ] {
        fs::write(home.path().join("wrong.json"), text).unwrap();
        home.run(["backtest", "rsi", "--symbols", "BTCUSDT", "--assumptions", "wrong.json"]).failed(1, &[word]);
    }
}
