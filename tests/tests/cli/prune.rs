//! `ta-bot prune`.

use ta_bot_core::Timestamp;
use ta_bot_drivers::sqlite::{Database, costs::SqliteCosts, outbox::SqliteOutbox};
use ta_bot_engine::{
    signals::outbox::{Outbox as _, contract::finished},
    supervision::costs::{CostStore as _, contract::entry},
};

use crate::run::Home;

const DAY_MS: i64 = 86_400_000;

/// A store with a signal of a year ago and two of today, their jobs, and costs of 2026-01-01.
async fn stored(home: &Home) -> Vec<String> {
    let database = Database::open(&home.data_dir()).await.unwrap();
    let outbox = SqliteOutbox::new(database.clone());
    let mut ids = Vec::new();
    for (index, days) in [(0, 366), (1, 0), (2, 0)] {
        let at = Timestamp::now().plus_millis(-days * DAY_MS);
        let new = outbox.commit(&[finished("BTCUSDT", index, &["rsi"])], at).await.unwrap().new;
        let new: Vec<String> = new.iter().map(ToString::to_string).collect();
        outbox.mark_published(&new, at).await.unwrap();
        ids.extend(new);
    }
    SqliteCosts::new(database.clone()).add(&[entry(0, "rsi", b"rsi", "BTCUSDT", 1)]).await.unwrap();
    database.close().await;
    ids
}

fn rows(report: &serde_json::Value, kind: &str) -> (u64, u64) {
    let found = report["kinds"].as_array().unwrap().iter().find(|one| one["kind"] == kind).unwrap();
    (found["rows"].as_u64().unwrap(), found["stored_rows"].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_too_old_is_told_and_then_removed() {
    let home = Home::new();
    let ids = stored(&home).await;
    let looked = home.json(&["prune", "--dry-run"]);
    assert_eq!(looked["dry_run"], true);
    let kinds: Vec<&str> =
        looked["kinds"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        [
            "signals",
            "finished_jobs",
            "dead_jobs",
            "costs",
            "failures",
            "shadows",
            "audits",
            "modules",
            "compiled",
            "backtests"
        ]
    );
    // The newest job of a timeframe stays, and is counted all the same.
    assert_eq!([rows(&looked, "signals"), rows(&looked, "finished_jobs")], [(1, 3), (3, 3)]);
    assert_eq!(looked["kinds"][0]["setting"], "RETENTION_SIGNALS_DAYS");
    assert_eq!(looked["kinds"][0]["days"], 365);
    assert_eq!(home.json(&["signals", "list"])["signals"].as_array().unwrap().len(), 3, "nothing was changed");

    let done = home.json(&["prune"]);
    assert_eq!([rows(&done, "signals"), rows(&done, "finished_jobs"), rows(&done, "costs")], [(1, 2), (2, 1), (1, 0)]);
    assert_eq!(home.json(&["signals", "list"])["signals"].as_array().unwrap().len(), 2);
    for unknown in [["replay", &ids[0]].as_slice(), &["signals", "show", &ids[0]], &["signals", "show", "1"]] {
        home.run(unknown).failed(1, &["no longer kept", "RETENTION_SIGNALS_DAYS"]);
    }
    home.run(["signals", "show", &ids[2]]).succeeded();

    let text = home.run(["prune"]).succeeded().stdout;
    let signals: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().take(6).collect();
    assert_eq!(signals, ["signals", "365", "days", "RETENTION_SIGNALS_DAYS", "0", "2"], "{text}");
}

#[tokio::test]
async fn zero_days_are_for_ever_and_nonsense_is_refused() {
    let home = Home::new();
    stored(&home).await;
    let run = |value: &str, arguments: &[&str]| {
        let mut command = home.command();
        command.env("RETENTION_SIGNALS_DAYS", value).args(arguments);
        crate::run::Done::of(&mut command)
    };
    let looked = run("0", &["prune", "--dry-run", "--json"]).json();
    assert_eq!((rows(&looked, "signals"), &looked["kinds"][0]["before"]), ((0, 3), &serde_json::Value::Null));
    assert!(run("0", &["prune", "--dry-run"]).succeeded().stdout.contains("for ever"));
    run("3", &["prune"]).failed(2, &["RETENTION_SIGNALS_DAYS", "3", "7"]);
    home.run(["prune", "everything"]).failed(2, &["everything"]);
}
