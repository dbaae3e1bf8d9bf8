//! The tests that every log of deployments must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty log with the outbox beside it, as two handles that stand
//! for two replicas of the service.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use serde_json::json;
use ta_bot_core::{
    DeployedLevel, Deployment, DeploymentAction, DeploymentChange, DeploymentEntry, DeploymentLog, Job, ModuleDigest,
    Promotion, Shadow, Timeframe, Timestamp,
};

use super::DeploymentStore;
use crate::{
    signals::outbox::{
        DeadJob, FinishedJob, Outbox,
        contract::{finished, job},
    },
    support::store_error::WriteError,
};

/// One replica's handles of one database.
#[derive(Clone)]
pub struct Replica {
    /// The log.
    pub deployments: Arc<dyn DeploymentStore>,
    /// The finished jobs beside the log.
    pub outbox: Arc<dyn Outbox>,
}

/// Two replicas on one empty database.
pub type Replicas = (Replica, Replica);

/// Runs every case, each on a database that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    entries_come_back_as_they_were_added(fresh().await).await;
    a_condition_that_fails_changes_nothing(fresh().await).await;
    an_entry_begins_behind_what_is_finished(fresh().await).await;
    an_entry_begins_behind_what_is_seen(fresh().await).await;
    no_entry_begins_before_an_earlier_one(fresh().await).await;
    what_was_given_up_is_not_decided(fresh().await).await;
    one_of_many_who_know_the_same_adds(fresh().await).await;
    replicas_that_add_at_once_lose_nothing(fresh().await).await;
}

/// A change of `strategy` to the module that `module` stands for.
pub fn change(strategy: &str, module: u8) -> DeploymentChange {
    DeploymentChange {
        strategy: strategy.parse().unwrap(),
        action: DeploymentAction::Activate,
        deployment: Deployment { module: Some(ModuleDigest::of(&[module])), ..Deployment::default() },
        changed_by: "ann".to_owned(),
        claimed_by: None,
        reason: Some(format!("module {module}")),
        at: Timestamp::from_millis(1000),
    }
}

/// Adds an entry after the newest one of its strategy, which no other writer changes.
pub async fn add(store: &dyn DeploymentStore, change: &DeploymentChange) -> DeploymentEntry {
    store.add(change, newest(store, change).await, None).await.unwrap()
}

/// The revision of the newest entry for the same strategy.
async fn newest(store: &dyn DeploymentStore, change: &DeploymentChange) -> i64 {
    log(store).await.newest(&change.strategy).map_or(0, |entry| entry.revision)
}

/// The whole log.
pub async fn log(store: &dyn DeploymentStore) -> DeploymentLog {
    let mut log = DeploymentLog::default();
    log.extend(store.since(0).await.unwrap());
    log
}

fn conflict(added: Result<DeploymentEntry, WriteError>) -> (i64, i64) {
    match added {
        Err(WriteError::Conflict { expected, current }) => (expected, current),
        other => panic!("no conflict: {other:?}"),
    }
}

/// One millisecond after a moment.
fn behind(moment: Timestamp) -> Timestamp {
    moment.plus_millis(1)
}

/// An empty log returns no entries. The first entry applies to every candle.
pub async fn nothing_is_there_at_first((one, two): Replicas) {
    for revision in [0, 7, -1, i64::MAX, i64::MIN] {
        assert_eq!(one.deployments.since(revision).await.unwrap(), []);
    }
    let added = two.deployments.add(&change("rsi", 1), 0, None).await.unwrap();
    assert_eq!(added, DeploymentEntry { revision: 1, from: Timestamp::from_millis(0), change: change("rsi", 1) });
    assert_eq!(one.deployments.since(0).await.unwrap(), [added]);
}

/// Every replica reads every field of the entries, in the order of their revisions.
pub async fn entries_come_back_as_they_were_added((one, two): Replicas) {
    let whole = DeploymentChange {
        action: DeploymentAction::EndShadow,
        deployment: Deployment {
            module: Some(ModuleDigest::of(b"old")),
            enabled: Some(false),
            quarantined: Some("ärger \"quoted\" \\ 市場 🚦\n".repeat(5000)),
            shadow: Some(Shadow {
                module: ModuleDigest::of(b"new"),
                promote: Some(Promotion { after: u64::from(u32::MAX), most_differing: 0.1 + 0.2 }),
                unadmitted: true,
            }),
            parameters: vec![DeployedLevel {
                symbol: Some("BTCUSDT".parse().unwrap()),
                parameters: json!({"period": 14, "note": "\"parameters\" 市"}).as_object().cloned(),
                before: None,
                over: i64::MAX,
            }],
        },
        changed_by: "Zoë 🦊".repeat(100),
        claimed_by: Some("Zoë's friend".to_owned()),
        reason: None,
        at: Timestamp::from_millis(-5),
        ..change("macd", 0)
    };
    let empty = DeploymentChange { deployment: Deployment::default(), reason: Some(String::new()), ..change("rsi", 0) };
    let mut added = Vec::new();
    for (change, expected) in [(&whole, 0), (&empty, 0), (&change("rsi", 2), 2), (&whole, 1)] {
        let entry = one.deployments.add(change, expected, None).await.unwrap();
        assert_eq!((&entry.change, entry.revision), (change, added.len() as i64 + 1));
        added.push(entry);
    }
    for (revision, store) in [(0, &one), (1, &two), (3, &one), (4, &two), (99, &one)] {
        let expected = &added[added.len().min(revision)..];
        assert_eq!(store.deployments.since(revision as i64).await.unwrap(), expected, "behind {revision}");
    }
}

/// The condition concerns the newest entry of the same strategy.
pub async fn a_condition_that_fails_changes_nothing((one, two): Replicas) {
    assert_eq!(conflict(one.deployments.add(&change("rsi", 1), 1, None).await), (1, 0));
    let first = add(&*one.deployments, &change("rsi", 1)).await;
    let other = add(&*two.deployments, &change("macd", 1)).await;
    let expected = [first.clone(), other.clone()];
    for wrong in [0, 2, 3, -1, i64::MAX] {
        assert_eq!(conflict(two.deployments.add(&change("rsi", 2), wrong, None).await), (wrong, 1));
        assert_eq!(one.deployments.since(0).await.unwrap(), expected);
    }
    let second = two.deployments.add(&change("rsi", 2), 1, None).await.unwrap();
    assert_eq!((second.revision, newest(&*one.deployments, &change("rsi", 0)).await), (3, 3));
}

/// This holds for every symbol and timeframe, whichever replica finished the job.
pub async fn an_entry_begins_behind_what_is_finished((one, two): Replicas) {
    one.outbox.commit(&[finished("BTCUSDT", 5, &["rsi"]), finished("ETHUSDT", 3, &[])], at()).await.unwrap();
    assert_eq!(add(&*two.deployments, &change("rsi", 1)).await.from, behind(job("BTCUSDT", 5).candle_close));
    let mut newest = job("BTCUSDT", 5).candle_close;
    for timeframe in Timeframe::ALL {
        newest = newest.plus_millis(1000);
        let done = Job { timeframe, candle_close: newest, ..job("ADAUSDT", 0) };
        let revision = log(&*one.deployments).await.revision();
        two.outbox.commit(&[FinishedJob { job: done, signals: Vec::new(), revision }], at()).await.unwrap();
        assert_eq!(add(&*one.deployments, &change("macd", 1)).await.from, behind(newest), "{timeframe}");
    }
}

/// The caller may have seen candles whose jobs are still under way.
pub async fn an_entry_begins_behind_what_is_seen((one, _): Replicas) {
    let seen = |index| Some(job("BTCUSDT", index).candle_close);
    one.outbox.commit(&[finished("BTCUSDT", 5, &[])], at()).await.unwrap();
    let first = one.deployments.add(&change("rsi", 1), 0, seen(4)).await.unwrap();
    let second = one.deployments.add(&change("rsi", 2), 1, seen(5)).await.unwrap();
    let third = one.deployments.add(&change("rsi", 3), 2, seen(6)).await.unwrap();
    let close = |index| behind(job("BTCUSDT", index).candle_close);
    assert_eq!([first.from, second.from, third.from], [close(5), close(5), close(6)]);
    let last = one.deployments.add(&change("rsi", 4), 3, Some(Timestamp::from_millis(i64::MAX))).await.unwrap();
    assert_eq!(last.from, Timestamp::from_millis(i64::MAX));
}

/// This holds even if the earlier entry belongs to another strategy and begins after what is seen now.
pub async fn no_entry_begins_before_an_earlier_one((one, two): Replicas) {
    let seen = |index| Some(job("BTCUSDT", index).candle_close);
    let first = one.deployments.add(&change("rsi", 1), 0, seen(9)).await.unwrap();
    two.outbox.commit(&[finished("BTCUSDT", 2, &[])], at()).await.unwrap();
    let second = two.deployments.add(&change("macd", 1), 0, seen(3)).await.unwrap();
    let third = two.deployments.add(&change("rsi", 1), 1, None).await.unwrap();
    assert_eq!([second.from, third.from], [first.from; 2]);
}

/// A job that was given up and is retried is decided by the log at that time.
pub async fn what_was_given_up_is_not_decided((one, two): Replicas) {
    let dead = DeadJob {
        job: job("BTCUSDT", 7),
        attempts: 5,
        reason: "it failed".to_owned(),
        died_at: at(),
        retried_at: None,
    };
    one.outbox.bury(&dead).await.unwrap();
    one.outbox.commit(&[finished("BTCUSDT", 2, &[])], at()).await.unwrap();
    assert_eq!(add(&*two.deployments, &change("rsi", 1)).await.from, behind(job("BTCUSDT", 2).candle_close));
}

/// The other writers get the current revision.
pub async fn one_of_many_who_know_the_same_adds((one, two): Replicas) {
    for round in 0..5 {
        let expected = newest(&*one.deployments, &change("rsi", 0)).await;
        let writers = (0..8).map(|writer: u8| {
            let store = Arc::clone(if writer.is_multiple_of(2) { &one.deployments } else { &two.deployments });
            tokio::spawn(async move { store.add(&change("rsi", writer), expected, None).await })
        });
        let mut added = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            match writer.await.unwrap() {
                Ok(entry) => added.push(entry),
                Err(WriteError::Conflict { expected: told, current }) => {
                    assert_eq!((told, current), (expected, expected + 1));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(added.len(), 1, "round {round}");
        assert_eq!(two.deployments.since(expected).await.unwrap(), added);
    }
}

/// Each strategy has its own writer. All entries are there, in one order and without a gap.
pub async fn replicas_that_add_at_once_lose_nothing((one, two): Replicas) {
    let writers = (0..6).map(|writer| {
        let replica = if writer % 2 == 0 { one.clone() } else { two.clone() };
        tokio::spawn(async move {
            let strategy = format!("s{writer}");
            let mut expected = 0;
            for index in 0..10 {
                let done = finished(&format!("COIN{writer}"), i64::from(index), &[]);
                let revision = expected;
                // Whether the job is committed or left out does not matter here.
                replica.outbox.commit(&[FinishedJob { revision, ..done }], at()).await.unwrap();
                expected = replica.deployments.add(&change(&strategy, index), expected, None).await.unwrap().revision;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let entries = one.deployments.since(0).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.revision).collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    assert!(entries.is_sorted_by_key(|entry| entry.from));
    assert_eq!(two.deployments.since(0).await.unwrap(), entries);
}

fn at() -> Timestamp {
    Timestamp::from_millis(1000)
}
