use crate::run::Home;

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
