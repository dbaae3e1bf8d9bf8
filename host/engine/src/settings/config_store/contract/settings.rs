//! The cases of the application's own settings.

use std::sync::Arc;

use serde_json::json;
use ta_bot_core::{ApplicationSettings, Timeframe};

use super::{AuditEntry, ChangeAction, Replicas, author, conflict};

fn settings(minimum: f64) -> ApplicationSettings {
    ApplicationSettings {
        symbols: vec!["BTCUSDT".parse().unwrap(), "ETHUSDT".parse().unwrap()],
        timeframes: vec![Timeframe::M5, Timeframe::H1],
        enabled_strategies: None,
        min_confidence: minimum,
        max_confidence: 0.95,
        accepted_holes: vec!["ADAUSDT 5m".parse().unwrap(), "ETHUSDT 1h".parse().unwrap()],
    }
}

/// Creation, change, conflict and history. "All strategies" and "no strategies" are kept apart.
pub async fn application_settings_are_versioned((store, other): Replicas) {
    let first = settings(0.6);
    let none = ApplicationSettings { enabled_strategies: Some(vec![]), ..settings(0.7) };
    assert_eq!(conflict(store.write_settings(&first, Some(1), &author("bob", 1)).await), (1, 0));
    let created = store.write_settings(&first, Some(0), &author("ann", 1000)).await.unwrap();
    let stored = other.settings().await.unwrap().unwrap();
    assert_eq!((&stored.settings, stored.version, stored.updated_at.millis()), (&first, 1, 1000));
    let updated = other.write_settings(&none, None, &author("bob", 2000)).await.unwrap();
    let stored = store.settings().await.unwrap().unwrap();
    assert_eq!((&stored.settings, stored.version, stored.updated_at.millis()), (&none, 2, 2000));
    assert_eq!(conflict(store.write_settings(&first, Some(1), &author("cy", 3000)).await), (1, 2));

    let entry = |action, old, new, version, author| AuditEntry { key: None, action, old, new, version, author };
    let (first, none) = (json!(first), json!(none));
    let expected = [
        entry(ChangeAction::Update, Some(first.clone()), Some(none), 2, author("bob", 2000)),
        entry(ChangeAction::Create, None, Some(first), 1, author("ann", 1000)),
    ];
    assert_eq!([&updated, &created], expected.each_ref());
    assert_eq!(store.settings_audit(10).await.unwrap(), expected);
    assert_eq!(store.settings_audit(1).await.unwrap(), expected[..1]);
    assert_eq!(store.settings_at_version(1).await.unwrap().as_ref(), Some(&expected[1]));
    assert_eq!(store.settings_at_version(3).await.unwrap(), None);
}

/// Many writers who have all seen the same version: one of them writes.
pub async fn one_of_two_writers_of_settings_wins((store, other): Replicas) {
    let writers = (0..10).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        tokio::spawn(async move { store.write_settings(&settings(0.5), Some(0), &author("bob", writer)).await })
    });
    let mut won = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(entry) => {
                assert_eq!(entry.version, 1);
                won += 1;
            }
            refused => assert_eq!(conflict(refused), (0, 1)),
        }
    }
    assert_eq!((won, store.settings_audit(100).await.unwrap().len()), (1, 1));
}
