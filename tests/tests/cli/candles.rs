use std::fs;

use serde_json::json;
use ta_bot_core::Timeframe;
use ta_bot_drivers::sqlite::{Database, revisions::SqliteRevisions};
use ta_bot_engine::market::revision_store::{Revision, RevisionStore as _, contract::revision};

use crate::run::{Home, sample};

fn import<'a>(file: &'a str, timeframe: &'a str) -> [&'a str; 7] {
    ["candles", "import", file, "--symbol", "BTCUSDT", "--timeframe", timeframe]
}

#[test]
fn an_import_says_what_it_did_and_is_repeatable() {
    let home = Home::new();
    let file = sample("BTCUSDT", "15m");
    let file = file.to_str().unwrap();
    let first = home.run(import(file, "15m")).succeeded();
    assert!(first.stdout.starts_with("BTCUSDT 15m: 300 closed candles"), "{first:?}");
    assert!(first.stdout.contains("new         300"), "{first:?}");
    assert_eq!(first.stderr, "", "no progress bar without a terminal");
    let again = home.json(&import(file, "15m"));
    assert_eq!((&again["rows"], &again["new"], &again["same"]), (&300.into(), &0.into(), &300.into()));
    assert_eq!(again["last_open"], "2025-12-31T23:45:00+00:00");
    assert_eq!((&again["different"], &again["missing"], &again["still_open"]), (&0.into(), &0.into(), &().into()));
}

#[test]
fn other_numbers_and_gaps_are_counted() {
    let home = Home::new();
    let text = fs::read_to_string(sample("BTCUSDT", "1h")).unwrap();
    let whole = home.path().join("whole.csv");
    fs::write(&whole, &text).unwrap();
    home.run(import(whole.to_str().unwrap(), "1h")).succeeded();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.remove(5);
    let (rest, _) = lines[10].rsplit_once(',').unwrap();
    lines[10] = format!("{rest},987654.0");
    let changed = home.path().join("changed.csv");
    fs::write(&changed, lines.join("\n")).unwrap();
    let answer = home.json(&import(changed.to_str().unwrap(), "1h"));
    assert_eq!((&answer["different"], &answer["missing"]), (&1.into(), &1.into()), "{answer}");
}

#[test]
fn a_wrong_file_is_refused_by_line() {
    let home = Home::new();
    let file = home.path().join("wrong.csv");
    fs::write(&file, "open_time_ms,open,high,low,close,volume\n1767224700000,1,2,3,4,5\n").unwrap();
    home.run(import(file.to_str().unwrap(), "15m")).failed(1, &["line 2", "Nothing was imported"]);
    home.run(import("absent.csv", "15m")).failed(1, &["absent.csv", "no such file"]);
}

/// The test `revisions` has services notice some.
#[tokio::test]
async fn candles_that_changed_are_listed() {
    let home = Home::new();
    assert_eq!(home.json(&["candles", "revisions"]), json!({"revisions": []}));
    let none = home.run(["candles", "revisions", "--symbol", "BTCUSDT"]).succeeded().stdout;
    assert!(none.starts_with("No candle has changed"), "{none}");
    let hour = Revision { new: None, ..revision("ETHUSDT", Timeframe::H1, 1, (3.0, 4.0)) };
    let store = SqliteRevisions::new(Database::open(&home.data_dir()).await.unwrap());
    store.add(&[revision("BTCUSDT", Timeframe::M15, 1, (1.25, 2.5)), hour]).await.unwrap();
    let text = home.run(["candles", "revisions", "--timeframe", "15m"]).succeeded().stdout;
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[1][..3], ["BTCUSDT", "15m", "2026-01-01T00:15:00+00:00"]);
    assert_eq!((lines[1][4], lines[1][8], lines[2][0], lines[2][4]), ("old", "1.25", "new", "2.5"));
    let listed = home.json(&["candles", "revisions", "--limit", "1"]);
    let only = &listed["revisions"][0];
    assert_eq!((&only["symbol"], &only["old"]["close"], &only["new"]), (&"ETHUSDT".into(), &3.0.into(), &().into()));
    home.run(["candles", "revisions", "--timeframe", "16m"]).failed(2, &["16m"]);
}

#[test]
fn holes_between_files_are_counted() {
    let home = Home::new();
    let text = fs::read_to_string(sample("BTCUSDT", "15m")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (name, rows) in [("old.csv", 1..101), ("new.csv", 181..301)] {
        let file = home.path().join(name);
        fs::write(&file, [&lines[..1], &lines[rows]].concat().join("\n")).unwrap();
        assert_eq!(home.json(&import(file.to_str().unwrap(), "15m"))["missing"], 0);
    }
    let list = home.json(&["candles", "list"]);
    assert_eq!((&list["series"][0]["candles"], &list["series"][0]["missing"]), (&220.into(), &80.into()), "{list}");
}

#[test]
fn the_list_is_ordered() {
    let empty = Home::new();
    assert!(empty.run(["candles", "list"]).succeeded().stdout.contains("ta-bot candles import"));
    assert_eq!(empty.json(&["candles", "list"]), serde_json::json!({"series": []}));
    let home = Home::with_candles();
    let text = home.run(["candles", "list"]).succeeded().stdout;
    let starts: Vec<String> =
        text.lines().map(|line| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        starts,
        ["SYMBOL TIMEFRAME CANDLES MISSING", "ADAUSDT 5m 300 0", "BTCUSDT 15m 300 0", "BTCUSDT 1h 300 0"]
    );
    assert!(text.lines().all(|line| line.trim_end() == line), "{text:?}");
}
