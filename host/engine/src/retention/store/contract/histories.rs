//! The cases about the histories of parameters and settings.

use std::sync::Arc;

use serde_json::json;
use ta_bot_core::{ApplicationSettings, Timestamp};

use super::{Kind, Prunable};
use crate::settings::config_store::{AuditEntry, Author, ConfigKey, ConfigStore};

/// A store of settings, and what removes the oldest entries of its histories.
pub type Histories = (Arc<dyn Prunable>, Arc<dyn ConfigStore>);

/// Runs every case, each on stores that `fresh` makes.
pub async fn histories(fresh: impl AsyncFn() -> Histories) {
    old_entries_go_and_versions_go_on(fresh().await).await;
    histories_of_settings_go_as_well(fresh().await).await;
}

fn key(strategy: &str, symbol: Option<&str>) -> ConfigKey {
    ConfigKey { strategy: strategy.parse().unwrap(), symbol: symbol.map(|symbol| symbol.parse().unwrap()) }
}

fn author(at: i64) -> Author {
    Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::from_millis(at) }
}

async fn write(store: &dyn ConfigStore, key: &ConfigKey, at: i64) -> AuditEntry {
    let parameters = json!({"period": at}).as_object().unwrap().clone();
    store.write(key, Some(&parameters), None, &author(at)).await.unwrap().unwrap()
}

async fn versions(store: &dyn ConfigStore, key: &ConfigKey) -> Vec<i64> {
    let entries = store.audit(&key.strategy, None, 100).await.unwrap().into_iter();
    entries.filter(|entry| entry.key.as_ref() == Some(key)).map(|entry| entry.version).collect()
}

async fn prune(retention: &dyn Prunable, before: i64) -> u64 {
    let mut removed = 0;
    loop {
        match retention.prune(Kind::Audits, Timestamp::from_millis(before), 2).await.unwrap() {
            0 => return removed,
            some => removed += some,
        }
    }
}

/// The newest entry of each level stays, also of one that was deleted: its next version has never been there.
pub async fn old_entries_go_and_versions_go_on((retention, store): Histories) {
    assert!(retention.kinds().contains(&Kind::Audits));
    assert_eq!(prune(&*retention, 1000).await, 0);
    let (all, one, quiet) = (key("rsi", None), key("rsi", Some("BTCUSDT")), key("macd", None));
    write(&*store, &quiet, 1).await;
    for at in 2..6 {
        write(&*store, &all, at).await;
    }
    write(&*store, &one, 6).await;
    store.write(&one, None, None, &author(7)).await.unwrap();
    assert_eq!(prune(&*retention, 4).await, 2);
    assert_eq!(versions(&*store, &all).await, [4, 3]);
    assert_eq!(prune(&*retention, 1000).await, 2);
    assert_eq!((versions(&*store, &all).await, versions(&*store, &quiet).await), (vec![4], vec![1]));
    assert_eq!(versions(&*store, &one).await, [2]);
    assert_eq!(store.at_version(&all, 1).await.unwrap(), None);
    assert_eq!((write(&*store, &one, 9).await.version, write(&*store, &all, 9).await.version), (3, 5));
    assert_eq!(store.get(&quiet).await.unwrap().unwrap().version, 1, "what is set stays");
}

/// The settings of the application have one history.
pub async fn histories_of_settings_go_as_well((retention, store): Histories) {
    let settings = |max_confidence| ApplicationSettings {
        symbols: vec!["BTCUSDT".parse().unwrap()],
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.1,
        max_confidence,
        accepted_holes: Vec::new(),
    };
    for at in 1..5 {
        store.write_settings(&settings(0.5 + at as f64 / 100.0), None, &author(at)).await.unwrap();
    }
    assert_eq!(prune(&*retention, 3).await, 2);
    assert_eq!(store.settings_audit(100).await.unwrap().iter().map(|entry| entry.version).collect::<Vec<_>>(), [4, 3]);
    assert_eq!(prune(&*retention, 1000).await, 1);
    assert_eq!(store.settings().await.unwrap().unwrap().version, 4);
    assert_eq!(store.write_settings(&settings(0.9), None, &author(9)).await.unwrap().version, 5);
}
