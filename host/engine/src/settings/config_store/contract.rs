//! What every store of settings must do, whatever is behind it.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles: two replicas of the
//! service.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Map, Value as Json, json};
use ta_bot_core::Timestamp;

use super::{AuditEntry, Author, ChangeAction, ConfigKey, ConfigStore, StoredLevels};
use crate::support::store_error::WriteError;

mod settings;

pub use settings::{application_settings_are_versioned, one_of_two_writers_of_settings_wins};

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn ConfigStore>, Arc<dyn ConfigStore>);

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    every_change_is_told(fresh().await).await;
    versions_never_come_twice(fresh().await).await;
    a_condition_that_fails_changes_nothing(fresh().await).await;
    every_kind_of_value_comes_back(fresh().await).await;
    levels_do_not_mix(fresh().await).await;
    histories_are_newest_first(fresh().await).await;
    one_of_two_conditional_writers_wins(fresh().await).await;
    unconditional_writers_all_count(fresh().await).await;
    application_settings_are_versioned(fresh().await).await;
    one_of_two_writers_of_settings_wins(fresh().await).await;
}

/// The level of `strategy`, for one symbol, or for all symbols if `symbol` is empty.
fn key(strategy: &str, symbol: &str) -> ConfigKey {
    let symbol = if symbol.is_empty() { None } else { Some(symbol.parse().unwrap()) };
    ConfigKey { strategy: strategy.parse().unwrap(), symbol }
}

fn author(name: &str, at: i64) -> Author {
    Author {
        changed_by: name.to_owned(),
        claimed_by: Some(format!("{name} the younger")),
        reason: Some(format!("{name}'s reason")),
        at: Timestamp::from_millis(at),
    }
}

fn parameters(json: &Json) -> Map<String, Json> {
    json.as_object().unwrap().clone()
}

/// Writes a period, whatever is stored, and returns the entry.
async fn set(store: &dyn ConfigStore, key: &ConfigKey, period: i64, at: i64) -> AuditEntry {
    let parameters = parameters(&json!({"period": period}));
    store.write(key, Some(&parameters), None, &author("ann", at)).await.unwrap().unwrap()
}

async fn delete(store: &dyn ConfigStore, key: &ConfigKey, at: i64) -> Option<AuditEntry> {
    store.write(key, None, None, &author("ann", at)).await.unwrap()
}

/// The versions with which a conditional write was refused: the expected one and the stored one.
fn conflict<T: std::fmt::Debug>(result: Result<T, WriteError>) -> (i64, i64) {
    match result {
        Err(WriteError::Conflict { expected, current }) => (expected, current),
        other => panic!("no conflict: {other:?}"),
    }
}

/// An empty store answers and holds nothing, and deleting nothing changes nothing.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    store.ping().await.unwrap();
    other.ping().await.unwrap();
    assert!(!store.name().is_empty());
    let rsi = key("rsi", "");
    assert_eq!(store.all().await.unwrap(), StoredLevels::default());
    assert_eq!(store.get(&rsi).await.unwrap(), None);
    assert_eq!(store.audit(&rsi.strategy, None, 10).await.unwrap(), []);
    assert_eq!(store.at_version(&rsi, 1).await.unwrap(), None);
    assert_eq!(store.settings().await.unwrap(), None);
    assert_eq!(store.settings_audit(10).await.unwrap(), []);
    assert_eq!(delete(&*store, &rsi, 1).await, None);
    assert_eq!(store.write(&rsi, None, Some(0), &author("ann", 1)).await.unwrap(), None);
    assert_eq!(store.audit(&rsi.strategy, None, 10).await.unwrap(), []);
}

/// Creation, change and deletion, as stored and as history. The writer gets the same entry that the history holds.
pub async fn every_change_is_told((store, other): Replicas) {
    let rsi = key("rsi", "");
    let (old, new) = (json!({"period": 14}), json!({"period": 21, "oversold": 30.5}));
    let created = store.write(&rsi, Some(&parameters(&old)), None, &author("ann", 1000)).await.unwrap().unwrap();
    let unexplained = Author { claimed_by: None, reason: None, ..author("bob", 2000) };
    let updated = other.write(&rsi, Some(&parameters(&new)), None, &unexplained).await.unwrap().unwrap();
    let stored = store.get(&rsi).await.unwrap().unwrap();
    assert_eq!((stored.parameters, stored.version), (parameters(&new), updated.version));
    assert_eq!((stored.created_at.millis(), stored.updated_at.millis()), (1000, 2000));
    assert_eq!(stored.created_by, "ann");
    let deleted = store.write(&rsi, None, None, &author("cy", 3000)).await.unwrap().unwrap();
    assert_eq!(store.get(&rsi).await.unwrap(), None);
    assert_eq!(store.all().await.unwrap(), StoredLevels::default());

    let entry =
        |action, old, new, version, author| AuditEntry { key: Some(rsi.clone()), action, old, new, version, author };
    let expected = [
        entry(ChangeAction::Delete, Some(new.clone()), None, deleted.version, author("cy", 3000)),
        entry(ChangeAction::Update, Some(old.clone()), Some(new), updated.version, unexplained),
        entry(ChangeAction::Create, None, Some(old), created.version, author("ann", 1000)),
    ];
    assert_eq!([&deleted, &updated, &created], expected.each_ref());
    assert_eq!(other.audit(&rsi.strategy, None, 10).await.unwrap(), expected);
    for entry in expected {
        assert_eq!(other.at_version(&rsi, entry.version).await.unwrap(), Some(entry));
    }
    assert_eq!(other.at_version(&rsi, 99).await.unwrap(), None);
}

/// Versions begin at 1 and go on after a deletion, so a version that a writer saw before the deletion is never stored
/// again.
pub async fn versions_never_come_twice((store, _): Replicas) {
    let rsi = key("rsi", "BTCUSDT");
    let mut versions = Vec::new();
    for at in [10, 20, 30] {
        versions.push(set(&*store, &rsi, 14, at).await.version);
        versions.push(set(&*store, &rsi, 14, at + 1).await.version);
        versions.push(delete(&*store, &rsi, at + 2).await.unwrap().version);
    }
    assert_eq!(versions, (1..=9).collect::<Vec<_>>());
    let again = set(&*store, &rsi, 21, 40).await;
    assert_eq!((again.version, again.action, again.old), (10, ChangeAction::Create, None));
    let stored = store.get(&rsi).await.unwrap().unwrap();
    assert_eq!((stored.version, stored.created_at.millis()), (10, 40));
}

/// A writer who saw another version is told the stored one; nothing is written, not even to the history.
pub async fn a_condition_that_fails_changes_nothing((store, other): Replicas) {
    let rsi = key("rsi", "");
    let some = parameters(&json!({"period": 9}));
    assert_eq!(conflict(store.write(&rsi, Some(&some), Some(3), &author("bob", 1)).await), (3, 0));
    assert_eq!(conflict(store.write(&rsi, None, Some(3), &author("bob", 1)).await), (3, 0));
    store.write(&rsi, Some(&some), Some(0), &author("ann", 1)).await.unwrap().unwrap();
    set(&*store, &rsi, 14, 2).await;
    for stale in [0, 1, 3] {
        assert_eq!(conflict(other.write(&rsi, Some(&some), Some(stale), &author("bob", 3)).await), (stale, 2));
        assert_eq!(conflict(other.write(&rsi, None, Some(stale), &author("bob", 3)).await), (stale, 2));
    }
    assert_eq!(other.get(&rsi).await.unwrap().unwrap().parameters, parameters(&json!({"period": 14})));
    assert_eq!(other.audit(&rsi.strategy, None, 10).await.unwrap().len(), 2);
    let third = other.write(&rsi, Some(&some), Some(2), &author("bob", 3)).await.unwrap().unwrap();
    assert_eq!(third.version, 3);
    assert_eq!(other.write(&rsi, None, Some(3), &author("bob", 4)).await.unwrap().unwrap().version, 4);
    assert_eq!(conflict(other.write(&rsi, Some(&some), Some(4), &author("bob", 5)).await), (4, 0));
}

/// Every kind of JSON value that a parameter can have.
pub async fn every_kind_of_value_comes_back((store, _): Replicas) {
    let mut given = parameters(&json!({
        "whole": 14, "negative": -3, "large": 2_147_483_647, "number": 30.5, "small": 1e-7, "round": 70.0, "yes": true,
        "no": false, "text": "ärger \"quoted\" \\ \n 市場 $dollar", "empty": "",
    }));
    // Fractions whose last bit is easily lost between binary and decimal.
    given.extend((1..200).map(|n| (format!("fraction_{n}"), json!(100.0 * f64::from(n) / 197.0))));
    let macd = key("macd", "");
    store.write(&macd, Some(&given), None, &author("Zoë", 1)).await.unwrap();
    let stored = store.get(&macd).await.unwrap().unwrap();
    assert_eq!((&stored.parameters, stored.created_by.as_str()), (&given, "Zoë"));
    assert!(stored.parameters["whole"].is_i64() && stored.parameters["round"].is_f64(), "kinds of numbers are kept");
    let entry = store.audit(&macd.strategy, None, 1).await.unwrap().remove(0);
    assert_eq!(entry.new, Some(Json::Object(given)));
    store.write(&macd, Some(&Map::new()), None, &author("ann", 2)).await.unwrap();
    assert_eq!(store.get(&macd).await.unwrap().unwrap().parameters, Map::new(), "an empty level is a level");
}

/// The global level, the levels of symbols and those of other strategies are kept apart.
pub async fn levels_do_not_mix((store, other): Replicas) {
    let keys = [key("macd", ""), key("rsi", ""), key("rsi", "BTCUSDT"), key("rsi", "ETHUSDT")];
    for (key, period) in keys.iter().zip(1..) {
        assert_eq!(set(&*store, key, period, period).await.version, 1);
    }
    set(&*store, &keys[2], 9, 9).await;
    let mut all: Vec<_> = other.all().await.unwrap().readable.into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let found: Vec<_> =
        all.iter().map(|(key, stored)| (key, stored.parameters["period"].as_i64().unwrap(), stored.version)).collect();
    assert_eq!(found, [(&keys[0], 1, 1), (&keys[1], 2, 1), (&keys[2], 9, 2), (&keys[3], 4, 1)]);
    delete(&*store, &keys[1], 10).await.unwrap();
    assert_eq!(other.get(&keys[1]).await.unwrap(), None);
    assert_eq!(other.get(&keys[2]).await.unwrap().unwrap().version, 2);
    assert_eq!(other.all().await.unwrap().readable.len(), 3);
}

/// The history is of one level or of all levels of a strategy, and has as many entries as are asked for.
pub async fn histories_are_newest_first((store, _): Replicas) {
    let (global, btc) = (key("rsi", ""), key("rsi", "BTCUSDT"));
    set(&*store, &global, 1, 1).await;
    set(&*store, &btc, 2, 2).await;
    set(&*store, &key("macd", ""), 3, 3).await;
    set(&*store, &btc, 4, 4).await;
    set(&*store, &global, 5, 5).await;
    // Two changes in one millisecond, and a clock that goes back.
    set(&*store, &btc, 6, 5).await;
    set(&*store, &btc, 7, 4).await;
    let periods = |entries: Vec<AuditEntry>| {
        entries.iter().map(|entry| entry.new.as_ref().unwrap()["period"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let rsi = &global.strategy;
    assert_eq!(periods(store.audit(rsi, None, 100).await.unwrap()), [7, 6, 5, 4, 2, 1]);
    assert_eq!(periods(store.audit(rsi, None, 2).await.unwrap()), [7, 6]);
    assert_eq!(periods(store.audit(rsi, btc.symbol.as_ref(), 100).await.unwrap()), [7, 6, 4, 2]);
    assert_eq!(periods(store.audit(rsi, btc.symbol.as_ref(), 1).await.unwrap()), [7]);
    assert_eq!(periods(store.audit(rsi, None, 0).await.unwrap()), [0_i64; 0]);
}

/// Many writers who have all seen the same version: one of them writes, the others are told.
pub async fn one_of_two_conditional_writers_wins((store, other): Replicas) {
    let rsi = key("rsi", "");
    for seen in [0, 1, 2] {
        let writers = (0..10).map(|writer| {
            let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
            let rsi = rsi.clone();
            let given = parameters(&json!({"period": writer}));
            tokio::spawn(async move { store.write(&rsi, Some(&given), Some(seen), &author("bob", seen)).await })
        });
        let mut won = 0;
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(entry) => {
                    assert_eq!(entry.unwrap().version, seen + 1);
                    won += 1;
                }
                refused => assert_eq!(conflict(refused), (seen, seen + 1)),
            }
        }
        assert_eq!(won, 1);
    }
    assert_eq!(store.audit(&rsi.strategy, None, 100).await.unwrap().len(), 3);
}

/// Without a condition every write counts, each under its own version.
pub async fn unconditional_writers_all_count((store, other): Replicas) {
    let rsi = key("rsi", "BTCUSDT");
    let writers = (0..20).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let rsi = rsi.clone();
        tokio::spawn(async move { set(&*store, &rsi, writer, writer).await.version })
    });
    let mut versions = BTreeSet::new();
    for writer in writers.collect::<Vec<_>>() {
        versions.insert(writer.await.unwrap());
    }
    assert_eq!(versions, (1..=20).collect());
    let stored = store.get(&rsi).await.unwrap().unwrap();
    let newest = store.audit(&rsi.strategy, None, 1).await.unwrap().remove(0);
    assert_eq!((stored.version, Some(Json::Object(stored.parameters))), (20, newest.new));
}
