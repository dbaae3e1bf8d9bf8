use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::sqlite::{Database, outbox::SqliteOutbox};
use ta_bot_engine::signals::outbox::{Outbox as _, contract::finished};

use crate::run::Home;

/// A store with signals, and their ids.
async fn stored(home: &Home, candles: std::ops::Range<i64>) -> Vec<String> {
    let outbox = SqliteOutbox::new(Database::open(&home.data_dir()).await.unwrap());
    let jobs: Vec<_> = candles.map(|index| finished("BTCUSDT", index, &["rsi"])).collect();
    outbox.commit(&jobs, Timestamp::now()).await.unwrap();
    jobs.iter().map(|done| done.signals[0].id.to_string()).collect()
}

#[tokio::test]
async fn signals_are_listed_and_shown() {
    let home = Home::new();
    assert!(home.run(["signals", "list"]).succeeded().stdout.contains("no such signal"));
    let ids = stored(&home, 0..3).await;
    let list = home.json(&["signals", "list", "--since", "2026-01-01T00:15:00Z", "--action", "buy"]);
    let listed: Vec<&Value> = list["signals"].as_array().unwrap().iter().map(|signal| &signal["signal_id"]).collect();
    assert_eq!(listed, [&json!(ids[2]), &json!(ids[1])]);
    let text = home.run(["signals", "list", "--limit", "1"]).succeeded().stdout;
    assert!(text.contains("NUMBER") && text.contains("BTCUSDT") && text.contains("waiting"), "{text}");
    let by_number = home.run(["signals", "show", "3"]).succeeded().stdout;
    assert_eq!(by_number, home.run(["signals", "show", &ids[2]]).succeeded().stdout);
    for words in [&ids[2], "rsi on BTCUSDT 15m", "buy, confidence 0.75", "ärger", "replay"] {
        assert!(by_number.contains(words), "{words}: {by_number}");
    }
    home.run(["signals", "show", "4"]).failed(1, &["number 4", "signals list"]);
    home.run(["signals", "show", &"ab".repeat(32)]).failed(1, &["abab"]);
    home.run(["signals", "show", "abc"]).failed(2, &["abc", "64 hex digits"]);
    home.run(["signals", "list", "--state", "sent"]).failed(2, &["sent", "waiting"]);
}

#[tokio::test]
async fn signals_are_exported_in_their_order() {
    let home = Home::new();
    let ids = stored(&home, 0..1200).await;
    let file = home.path().join("signals.csv").display().to_string();
    let done = home.json(&["signals", "export", "--output", &file]);
    assert_eq!(done, json!({"file": file, "signals": 1200}));
    let text = fs::read_to_string(&file).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let rows: Vec<_> = rows.collect();
    assert!(rows.iter().all(|row| row.len() == header.len()));
    assert_eq!(rows.iter().map(|row| row[column("signal_id")]).collect::<Vec<_>>(), ids);
    // The price as it is, to the last digit.
    assert_eq!(rows[0][column("price")].parse::<f64>().unwrap(), 100.1 + 0.2);
    assert_eq!((rows[0][column("action")], rows[0][column("published_at")]), ("buy", ""));
    home.run(["signals", "export", "--output", &file]).failed(1, &["signals.csv"]);
    let lines = home.run(["signals", "export", "--format", "jsonl", "--until", "2026-01-01T00:30:00Z"]).succeeded();
    let lines: Vec<Value> = lines.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|signal| &signal["signal_id"]).collect::<Vec<_>>(), [&json!(ids[0]), &json!(ids[1])]);
    assert_eq!(lines[0]["message"]["rationale"], "ärger \"quoted\" \\ 市場");
    let both = home.run(["signals", "export", "--json"]);
    assert_eq!((both.code, both.json()["error"]["code"].as_str()), (Some(2), Some("usage")), "{both:?}");
}

/// It prints what is stored while it runs, each signal on a line, and ends when it is told to.
#[tokio::test]
async fn signals_are_followed() {
    let home = Home::new();
    let ids = stored(&home, 0..2).await;
    let mut command = home.command();
    let mut tail = command.args(["signals", "tail", "--after", "0", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["signal_id"].clone();
    assert_eq!([next(), next()], [json!(ids[0]), json!(ids[1])]);
    let later = stored(&home, 2..3).await;
    assert_eq!(next(), json!(later[0]));
    let interrupted = std::process::Command::new("kill").args(["-INT", &tail.id().to_string()]).status().unwrap();
    assert!(interrupted.success() && tail.wait().unwrap().success());
}
