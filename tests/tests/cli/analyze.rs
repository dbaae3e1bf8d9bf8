use std::fs;

use ta_bot_core::Timestamp;

use crate::run::{Done, Home, sample};

#[test]
fn the_newest_candle_is_looked_at_by_every_strategy() {
    let home = Home::with_candles();
    let text = home.run(["analyze", "btcusdt", "15m"]).succeeded().stdout;
    assert!(text.starts_with("BTCUSDT 15m, candle closed 2026-01-01T00:00:00+00:00"), "{text}");
    assert!(text.contains("\nrsi ") && text.contains("\nmacd "), "{text}");
    let answer = home.json(&["analyze", "BTCUSDT", "15m"]);
    assert_eq!(answer["problems"], serde_json::json!([]));
    let strategies = answer["strategies"].as_array().unwrap();
    assert_eq!(strategies.iter().filter(|row| row["outcome"] != "error").count(), strategies.len(), "{answer}");
    assert!(strategies.iter().all(|row| row["digest"].as_str().unwrap().len() == 64));
}

#[test]
fn an_earlier_candle_can_be_looked_at() {
    let home = Home::with_candles();
    for at in ["2025-12-31T12:10:00Z", "1767183000000"] {
        let answer = home.json(&["analyze", "BTCUSDT", "1h", "--at", at]);
        assert_eq!(answer["candle_close"], "2025-12-31T12:00:00+00:00", "{at}");
    }
    let early = home.run(["analyze", "BTCUSDT", "1h", "--at", "2020-01-01T00:00:00Z"]);
    early.failed(1, &["2020-01-01", "The oldest closed at 2025-12-19T13:00:00+00:00"]);
}

/// A moment is a date, or a number of milliseconds; a number in another unit is told in milliseconds.
#[test]
fn a_moment_is_checked() {
    let home = Home::with_candles();
    let analyze = |at: &str| home.run(["analyze", "BTCUSDT", "1h", "--at", at]);
    for (at, expected) in [
        ("1767183000", "1767183000 is in seconds since 1970: give milliseconds, 1767183000000"),
        ("1767183000000000", "is in microseconds since 1970: give milliseconds, 1767183000000"),
        ("1767183000000000000", "is in nanoseconds since 1970: give milliseconds, 1767183000000"),
        ("1900-01-01", "1900-01-01"),
        ("99999999999999999", "before 2100"),
        ("noon", "a date such as 2026-01-01"),
    ] {
        let refused = analyze(at);
        assert!(refused.code == Some(2) && refused.stderr.contains(expected), "{refused:?}");
    }
    analyze("2099-01-01").failed(1, &["2099-01-01", "lies in the future"]);
    let midnight = home.json(&["analyze", "BTCUSDT", "1h", "--at", "2025-12-31"]);
    assert_eq!(midnight["candle_close"], "2025-12-31T00:00:00+00:00");
    assert_eq!(midnight["asked"]["missing_close"], serde_json::Value::Null);
}

#[test]
fn a_moment_inside_a_hole_says_so() {
    let home = Home::with_candles();
    let delete = ["candles", "delete", "--symbol", "BTCUSDT", "--timeframe", "1h", "--since", "2025-12-31T05:00:00Z"];
    home.run(delete.into_iter().chain(["--until", "2025-12-31T10:00:00Z", "--yes"])).succeeded();
    let at = "2025-12-31T08:30:00Z";
    let answer = home.json(&["analyze", "BTCUSDT", "1h", "--at", at]);
    assert_eq!(answer["candle_close"], "2025-12-31T05:00:00+00:00", "the newest one before");
    assert_eq!(answer["asked"]["missing_close"], "2025-12-31T08:00:00+00:00");
    assert_eq!(answer["asked"]["hole_from"], "2025-12-31T05:00:00+00:00");
    assert_eq!(answer["asked"]["hole_until"], "2025-12-31T10:00:00+00:00");
    let text = home.run(["analyze", "BTCUSDT", "1h", "--at", at]).succeeded().stdout;
    assert!(text.contains("lies in a hole") && text.contains("2025-12-31T08:00:00+00:00 is missing"), "{text}");
    let later = home.run(["analyze", "BTCUSDT", "1h", "--at", "2026-01-03"]).succeeded().stdout;
    assert!(later.contains("lies after the newest candle") && later.contains("ends 2026-01-01T00:00:00"), "{later}");
}

#[test]
fn some_candle_gives_a_signal_with_its_levels() {
    let home = Home::with_candles();
    let close = 1_767_225_600_000_i64;
    let found = (0..60).find_map(|back| {
        let at = (close - back * 900_000).to_string();
        let answer = home.json(&["analyze", "BTCUSDT", "15m", "--at", &at]);
        let signals = answer["strategies"].as_array().unwrap().iter().find(|row| row["outcome"] == "signal").cloned();
        signals.map(|row| (at, row))
    });
    let (at, row) = found.expect("one of 60 candles gives a signal");
    assert!(row["signal"]["stop_loss"].as_f64().unwrap() > 0.0, "{row}");
    let text = home.run(["analyze", "BTCUSDT", "15m", "--at", &at]).succeeded().stdout;
    assert!(text.contains(" buy ") || text.contains(" sell "), "{text}");
}

#[test]
fn what_is_missing_is_said_with_what_to_do() {
    Home::new().run(["analyze", "BTCUSDT", "15m"]).failed(1, &["Import candles first", "ta-bot candles import FILE"]);
    let home = Home::with_candles();
    home.run(["analyze", "SOLUSDT", "15m"]).failed(1, &["SOLUSDT 15m", "ADAUSDT 5m; BTCUSDT 15m, 1h"]);
    let error = home.json(&["analyze", "SOLUSDT", "15m"]);
    assert_eq!(error["error"]["code"], "unknown_series");
    assert_eq!(error["error"]["details"][0]["symbol"], "ADAUSDT");
}

#[test]
fn a_hole_among_the_newest_candles_is_told_with_its_bounds() {
    let home = Home::new();
    let text = fs::read_to_string(sample("BTCUSDT", "15m")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let after = lines.len() - 10;
    let missing: Vec<i64> =
        lines.drain(after - 2..after).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    let [from, until] = [missing[0], missing[1] + 900_000].map(|at| Timestamp::from_millis(at).to_string());
    let file = home.path().join("holed.csv");
    fs::write(&file, lines.join("\n")).unwrap();
    let file = file.to_str().unwrap();
    home.run(["candles", "import", file, "--symbol", "BTCUSDT", "--timeframe", "15m"]).succeeded();
    let answer = home.json(&["analyze", "BTCUSDT", "15m"]);
    for row in answer["strategies"].as_array().unwrap() {
        assert_eq!(
            (&row["outcome"], &row["status"], &row["reason"]["code"]),
            (&"gap".into(), &"gap".into(), &"hole".into())
        );
        let hole = serde_json::json!({"from": from, "until": until, "missing": 2});
        assert_eq!(row["holes"][0]["newest"], serde_json::json!([hole]), "{row}");
    }
    let text = home.run(["analyze", "BTCUSDT", "15m"]).succeeded().stdout;
    let line = format!("BTCUSDT 15m: 2 candles are missing: 2 from {from} to {until}");
    assert!(text.contains(&line) && text.contains("accepted_holes"), "{text}");
    // An operator who does not want to know can say so.
    let done = Done::of(home.command().env("GAP_WINDOW", "0").args(["analyze", "BTCUSDT", "15m"])).succeeded();
    assert!(!done.stdout.contains("accepted_holes") && done.stdout.contains(&line), "{done:?}");
    let list = home.json(&["candles", "list"]);
    assert_eq!((&list["series"][0]["candles"], &list["series"][0]["missing"]), (&298.into(), &2.into()), "{list}");
}
