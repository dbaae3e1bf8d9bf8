//! The same run gives the same bytes, however it is run.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use ta_bot_core::Timeframe;
use ta_bot_engine::market::made_up::walk;
use ta_bot_tests::root;

use crate::run::{Done, Home};

/// Candles enough for several units.
const CANDLES: i64 = 14_000;

/// A file of made-up candles, which end well before now.
fn made_up(home: &Home) -> PathBuf {
    let symbol = "BTCUSDT".parse().unwrap();
    let first = 1_700_000_000_000 / Timeframe::M5.millis();
    let opens =
        (first..first + CANDLES).map(|index| ta_bot_core::Timestamp::from_millis(index * Timeframe::M5.millis()));
    let mut text = String::from("open_time_ms,open,high,low,close,volume\n");
    for candle in walk(&symbol, opens, 100.0) {
        let ta_bot_core::Candle { open_time, open, high, low, close, volume } = candle;
        writeln!(text, "{},{open},{high},{low},{close},{volume}", open_time.millis()).unwrap();
    }
    let path = home.path().join("BTCUSDT_5m.csv");
    fs::write(&path, text).unwrap();
    path
}

fn signals(folder: &Path) -> String {
    fs::read_to_string(folder.join("signals.jsonl")).unwrap()
}

/// A home whose store has these candles, and the file of them.
fn home() -> (Home, PathBuf) {
    let home = Home::new();
    let file = made_up(&home);
    home.json(&["candles", "import", file.to_str().unwrap(), "--symbol", "BTCUSDT", "--timeframe", "5m"]);
    (home, file)
}

fn run(home: &Home, folder: &str, more: &[&str]) -> (Json, String) {
    let mut command = home.command();
    command.args(["backtest", "rsi", "macd", "--json", "--format", "jsonl", "--output", folder]).args(more);
    let answer = Done::of(&mut command).succeeded().json();
    (answer, signals(&home.path().join(folder)))
}

#[test]
fn threads_files_and_fresh_instances_change_no_byte() {
    let (home, file) = home();
    let (answer, expected) = run(&home, "plain", &[]);
    assert_eq!(answer["candles"], CANDLES, "{answer}");
    assert!(expected.lines().count() > 50, "{answer}");
    assert!(answer["strategies"].as_array().unwrap().iter().all(|one| one["reused"] == true), "{answer}");
    let alone = {
        let mut command = home.command();
        command.env("RAYON_NUM_THREADS", "1");
        command.args(["backtest", "rsi", "macd", "--json", "--format", "jsonl", "--output", "alone", "--fresh"]);
        let answer = Done::of(&mut command).succeeded().json();
        assert!(answer["strategies"].as_array().unwrap().iter().all(|one| one["reused"] == false), "{answer}");
        signals(&home.path().join("alone"))
    };
    assert!(alone == expected, "one thread and fresh instances");
    let parquet = home.path().join("BTCUSDT_5m.parquet");
    let parquet = parquet.to_str().unwrap();
    home.json(&["candles", "export", "--symbol", "BTCUSDT", "--timeframe", "5m", "--output", parquet]);
    for file in [file.to_str().unwrap(), parquet] {
        let name = file.rsplit('.').next().unwrap();
        let (_, of_file) = run(&home, name, &["--candles", file]);
        assert!(of_file == expected, "{file}");
    }
    // The same run again evaluates nothing and says the same.
    let (again, same) = run(&home, "plain", &[]);
    assert_eq!((again, same), (answer, expected));
}

/// Waits until a unit is kept.
fn until_kept(child: &mut Child, folder: &Path) {
    let begun = Instant::now();
    while !folder.join("units/00000000.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_mins(1) && child.try_wait().unwrap().is_none(), "nothing is kept");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_run_that_is_stopped_or_killed_goes_on_where_it_was() {
    let (home, _) = home();
    let (_, expected) = run(&home, "plain", &[]);
    for signal in ["INT", "KILL"] {
        let folder = home.path().join(signal);
        let mut command = home.command();
        // One thread, so that most is still to be done.
        command.env("RAYON_NUM_THREADS", "1").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.args(["backtest", "rsi", "macd", "--fresh", "--format", "jsonl", "--output"]).arg(&folder);
        let mut child = command.spawn().unwrap();
        until_kept(&mut child, &folder);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success() && !folder.join("signals.jsonl").exists(), "{output:?}");
        if signal == "INT" {
            assert!(String::from_utf8_lossy(&output.stderr).contains("what is done is kept"), "{output:?}");
        }
        let (_, signals) = run(&home, signal, &["--fresh"]);
        assert!(signals == expected, "{signal}");
    }
}

/// A module that counts its calls answers otherwise in a used instance. That is noticed, and it is evaluated fresh.
#[test]
fn a_module_that_keeps_something_is_evaluated_fresh() {
    let (home, _) = home();
    let module = root().join("target/components/faulty_keeps_state.wasm");
    let run = |folder: &str, more: &[&str]| {
        let mut command = home.command();
        command.arg("backtest").arg(&module);
        command.args(["--json", "--format", "jsonl", "--output", folder]).args(more);
        (Done::of(&mut command).succeeded().json(), signals(&home.path().join(folder)))
    };
    let (answer, tried) = run("tried", &[]);
    let (_, fresh) = run("fresh", &["--fresh"]);
    assert!(tried == fresh);
    assert_eq!(answer["strategies"][0]["reused"], false, "{answer}");
    assert_eq!(answer["differences"].as_array().unwrap().len(), 1, "{answer}");
}
