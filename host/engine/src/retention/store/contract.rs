//! The tests that every store of what is kept must pass.
//!
//! A driver runs [`all`] in its tests if it is beside the signals, and [`histories`] if it keeps those. Each case gets
//! empty stores of its own.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::{collections::BTreeSet, sync::Arc};

use ta_bot_core::{Job, ModuleDigest, StrategyId, Timeframe, Timestamp};

use super::{Kind, Prunable, RetentionStore};
use crate::{
    deployments::{
        log::{DeploymentStore, contract::change},
        shadow_store::{ShadowStore, contract::compared},
    },
    evaluation::comparison::Comparison,
    signals::{
        cursor::Cursor,
        outbox::{
            DeadFilter, DeadJob, FinishedJob, Outbox, SignalFilter,
            contract::{finished, job, signal},
        },
    },
    supervision::{
        costs::{CostBy, CostFilter, CostStore, contract::entry},
        failure::{FailureFilter, FailureStore, contract::failure, packed::Packed},
    },
};

mod histories;

pub use histories::*;

/// The stores of one database.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types explain the fields")]
pub struct Stores {
    pub retention: Arc<dyn RetentionStore>,
    pub outbox: Arc<dyn Outbox>,
    pub deployments: Arc<dyn DeploymentStore>,
    pub costs: Arc<dyn CostStore>,
    pub failures: Arc<dyn FailureStore>,
    pub shadows: Arc<dyn ShadowStore>,
}

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;
const MINUTES_15: i64 = 900_000;

/// Runs every case, each on stores that `fresh` makes: two handles that stand for two replicas.
pub async fn all(fresh: impl AsyncFn() -> (Stores, Stores)) {
    nothing_is_there_at_first(fresh().await).await;
    signals_go_by_their_age(fresh().await).await;
    signals_that_wait_stay(fresh().await).await;
    signals_that_a_reader_has_not_seen_stay(fresh().await).await;
    readers_that_are_gone_hold_nothing_back(fresh().await).await;
    what_was_removed_is_never_decided_again(fresh().await).await;
    the_mark_of_a_series_never_falls(fresh().await).await;
    the_next_deployment_begins_where_it_would_have(fresh().await).await;
    dead_jobs_go_and_count_as_decided(fresh().await).await;
    a_dead_job_of_a_removed_time_can_be_tried_again(fresh().await).await;
    costs_failures_and_shadows_go_by_their_age(fresh().await).await;
    a_module_is_named_by_the_signals_it_made(fresh().await).await;
    replicas_that_commit_meanwhile_lose_nothing(fresh().await).await;
}

/// The moment of the candle with this index.
const fn at(index: i64) -> Timestamp {
    Timestamp::from_millis(START + index * MINUTES_15)
}

/// Commits a job of each candle in the moment at which it closed, with a signal, and marks these as published.
async fn commit(stores: &Stores, symbol: &str, candles: std::ops::Range<i64>) {
    for index in candles {
        let new = stores.outbox.commit(&[finished(symbol, index, &["rsi"])], at(index)).await.unwrap().new;
        let ids: Vec<String> = new.iter().map(ToString::to_string).collect();
        stores.outbox.mark_published(&ids, at(index)).await.unwrap();
    }
}

/// The indices of the candles whose signals are there, oldest first.
async fn kept(stores: &Stores) -> Vec<i64> {
    let filter = SignalFilter { limit: 1000, ..SignalFilter::default() };
    let signals = stores.outbox.signals(&filter).await.unwrap();
    signals.iter().rev().map(|signal| (signal.candle_close.millis() - START) / MINUTES_15).collect()
}

/// Removes all that goes, a few rows at a time, and returns how many rows went.
async fn prune(stores: &Stores, kind: Kind, before: Timestamp) -> u64 {
    let mut removed = 0;
    loop {
        match stores.retention.prune(kind, before, 3).await.unwrap() {
            0 => return removed,
            some => {
                assert!(some <= 3, "{some}");
                removed += some;
            }
        }
    }
}

fn dead(job: Job, died_at: Timestamp) -> DeadJob {
    DeadJob { job, attempts: 5, reason: "it failed".to_owned(), died_at, retried_at: None }
}

/// Empty stores return empty results.
pub async fn nothing_is_there_at_first((one, two): (Stores, Stores)) {
    assert!(one.retention.kinds().starts_with(&[Kind::Signals, Kind::FinishedJobs]));
    for kind in Kind::ALL {
        assert_eq!(one.retention.prune(kind, at(1000), 10).await.unwrap(), 0, "{kind}");
        assert_eq!(two.retention.due(kind, at(1000), 10).await.unwrap(), 0, "{kind}");
        assert_eq!(two.retention.removed_to(kind).await.unwrap(), None, "{kind}");
        assert_eq!(one.retention.stored(kind).await.unwrap().oldest, None, "{kind}");
    }
    let rsi: StrategyId = "rsi".parse().unwrap();
    assert_eq!(one.retention.signal_of(&rsi, ModuleDigest::of(b"module")).await.unwrap(), None);
    assert_eq!(one.retention.forget_readers(&[], at(1000)).await.unwrap(), [""; 0]);
}

/// The oldest go first, no more at once than asked for, and what was removed is told.
pub async fn signals_go_by_their_age((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..10).await;
    assert_eq!(two.retention.stored(Kind::Signals).await.unwrap().oldest, Some(at(0)));
    assert_eq!(two.retention.due(Kind::Signals, at(7), 100).await.unwrap(), 7);
    assert_eq!(two.retention.due(Kind::Signals, at(7), 4).await.unwrap(), 4, "no more are counted");
    assert_eq!(two.retention.prune(Kind::Signals, at(7), 4).await.unwrap(), 4);
    assert_eq!(kept(&one).await, [4, 5, 6, 7, 8, 9]);
    assert_eq!(prune(&one, Kind::Signals, at(7)).await, 3);
    assert_eq!(kept(&two).await, [7, 8, 9]);
    assert_eq!(two.retention.stored(Kind::Signals).await.unwrap().oldest, Some(at(7)));
    assert_eq!(two.retention.removed_to(Kind::Signals).await.unwrap(), Some(at(7)));
    assert_eq!(two.retention.removed_to(Kind::FinishedJobs).await.unwrap(), None);
    assert_eq!(prune(&one, Kind::Signals, at(5)).await, 0);
    assert_eq!(two.retention.removed_to(Kind::Signals).await.unwrap(), Some(at(7)), "nothing less is gone");
}

/// What became of them does not matter, as long as something did.
pub async fn signals_that_wait_stay((one, two): (Stores, Stores)) {
    let jobs: Vec<FinishedJob> = (0..4).map(|index| finished("BTCUSDT", index, &["rsi"])).collect();
    let ids = one.outbox.commit(&jobs, at(3)).await.unwrap().new;
    let id = |index: usize| vec![ids[index].to_string()];
    one.outbox.mark_published(&id(0), at(4)).await.unwrap();
    one.outbox.mark_expired(&id(1), at(4)).await.unwrap();
    one.outbox.mark_withheld(&id(3), at(4)).await.unwrap();
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 3);
    assert_eq!(kept(&one).await, [2]);
    assert_eq!(one.outbox.unpublished(10).await.unwrap()[0].id, ids[2].to_string());
    assert_eq!(one.outbox.backlog().await.unwrap().signals, 1);
}

/// The slowest reader counts, and what may still appear before its position.
pub async fn signals_that_a_reader_has_not_seen_stay((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..10).await;
    let all = one.outbox.unseen(&Cursor::default(), 100).await.unwrap();
    let seen = |count: usize| Cursor::at(all[count - 1].sequence);
    one.outbox.keep_reader("fast", &seen(8), at(20)).await.unwrap();
    one.outbox.keep_reader("slow", &seen(2), at(20)).await.unwrap();
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 2);
    assert_eq!(kept(&one).await[0], 2);
    let mut holed = seen(4);
    assert!(holed.take(all[5].sequence, at(20)));
    one.outbox.keep_reader("slow", &holed, at(21)).await.unwrap();
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 2);
    assert_eq!(kept(&one).await[0], 4, "the one that it jumped over");
    one.outbox.keep_reader("slow", &seen(10), at(22)).await.unwrap();
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 4);
    assert_eq!(kept(&one).await, [8, 9]);
}

/// A receiver that somebody took out of the file is forgotten when it has not come on for a while, and no other is.
pub async fn readers_that_are_gone_hold_nothing_back((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..3).await;
    for (name, index) in [("gone", 5), ("down", 5), ("new", 9)] {
        one.outbox.keep_reader(name, &Cursor::default(), at(index)).await.unwrap();
    }
    let known = ["down".to_owned()];
    assert_eq!(two.retention.forget_readers(&known, at(9)).await.unwrap(), ["gone"]);
    assert_eq!(two.retention.forget_readers(&known, at(9)).await.unwrap(), [""; 0]);
    assert_eq!(one.outbox.reader("gone").await.unwrap(), None);
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 0, "one is down and one has just come");
    assert_eq!(two.retention.forget_readers(&[], at(10)).await.unwrap().len(), 2);
    assert_eq!(prune(&two, Kind::Signals, at(1000)).await, 3);
}

/// A candle that is announced once more, by whatever way, after its job and its signals were removed.
pub async fn what_was_removed_is_never_decided_again((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..10).await;
    let hour = Job { timeframe: Timeframe::H1, ..job("BTCUSDT", 4) };
    one.outbox.commit(&[FinishedJob { job: hour, signals: vec![], revision: 0 }], at(4)).await.unwrap();
    assert_eq!(prune(&one, Kind::FinishedJobs, at(5)).await, 5);
    assert_eq!(prune(&one, Kind::Signals, at(5)).await, 5);
    for stores in [&one, &two] {
        for index in 0..5 {
            let again = finished("BTCUSDT", index, &["rsi", "macd"]);
            let asked = [(again.job.symbol.clone(), again.job.candle_close)];
            assert_eq!(stores.outbox.finished(Timeframe::M15, &asked).await.unwrap(), asked, "{index}");
            let committed = stores.outbox.commit(std::slice::from_ref(&again), at(20)).await.unwrap();
            assert_eq!((committed.new.len(), committed.outdated.len()), (0, 0), "{index}");
            assert_eq!(stores.outbox.add(&again.signals, at(20)).await.unwrap(), [], "{index}");
            stores.outbox.bury(&dead(again.job.clone(), at(20))).await.unwrap();
        }
        assert_eq!(stores.outbox.dead(10).await.unwrap(), []);
        assert_eq!(stores.outbox.unpublished(10).await.unwrap(), []);
    }
    assert_eq!(kept(&two).await, [5, 6, 7, 8, 9]);
    // The schedule does not look there either, nor does that of a version that knows no mark.
    assert_eq!(two.outbox.begun(Timeframe::M15).await.unwrap(), [("BTCUSDT".parse().unwrap(), at(4))]);
    // Other series and later candles are decided as ever, also if many are asked for at once.
    let others =
        [finished("ETHUSDT", 2, &["rsi"]), finished("BTCUSDT", 11, &["rsi"]), finished("BTCUSDT", 1, &["rsi"])];
    assert_eq!(two.outbox.commit(&others, at(20)).await.unwrap().new.len(), 2);
    let asked: Vec<_> = (0..12).map(|index| ("BTCUSDT".parse().unwrap(), at(index))).collect();
    let over: BTreeSet<_> = two.outbox.finished(Timeframe::M15, &asked).await.unwrap().into_iter().collect();
    let expected: BTreeSet<_> = asked.iter().filter(|(_, close)| *close != at(10)).cloned().collect();
    assert_eq!(over, expected);
    assert_eq!(two.outbox.finished(Timeframe::M15, &asked).await.unwrap().len(), 11, "each once");
}

/// A series that begins late, or of which old rows are removed after new ones.
pub async fn the_mark_of_a_series_never_falls((one, two): (Stores, Stores)) {
    let begin = |index| [("BTCUSDT".parse().unwrap(), Timeframe::M15, at(index))];
    one.outbox.begin(&begin(3)).await.unwrap();
    commit(&one, "BTCUSDT", 4..10).await;
    let old = finished("BTCUSDT", 1, &["rsi"]);
    assert_eq!(prune(&two, Kind::FinishedJobs, at(7)).await, 3);
    // A signal of a candle before them, which an operator asked for when its job had been removed: it is left out.
    assert_eq!(one.outbox.add(&old.signals, at(30)).await.unwrap(), []);
    let begun = async || two.outbox.begun(Timeframe::M15).await.unwrap()[0].1;
    assert_eq!(begun().await, at(6));
    assert_eq!(prune(&two, Kind::Signals, at(5)).await, 1);
    one.outbox.begin(&begin(0)).await.unwrap();
    assert_eq!(begun().await, at(6));
    // Where nothing was removed, a candle before the begin is no decided one: an operator may have it published.
    one.outbox.begin(&[("ETHUSDT".parse().unwrap(), Timeframe::M15, at(9))]).await.unwrap();
    assert_eq!(one.outbox.add(&finished("ETHUSDT", 1, &["rsi"]).signals, at(30)).await.unwrap().len(), 1);
}

/// An entry of the log begins behind all that was decided, even if that was long ago.
pub async fn the_next_deployment_begins_where_it_would_have((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..10).await;
    commit(&one, "ETHUSDT", 0..9).await;
    assert_eq!(prune(&two, Kind::FinishedJobs, at(1000)).await, 18);
    let entry = two.deployments.add(&change("rsi", 1), 0, None).await.unwrap();
    assert_eq!(entry.from, at(9).plus_millis(1));
}

/// A job that was given up and removed is not found again, either.
pub async fn dead_jobs_go_and_count_as_decided((one, two): (Stores, Stores)) {
    for index in 0..6 {
        one.outbox.bury(&dead(job("BTCUSDT", index), at(index))).await.unwrap();
    }
    let retried = DeadFilter { candle_close: Some(at(1)), ..DeadFilter::default() };
    one.outbox.retry(&retried, at(7)).await.unwrap();
    assert_eq!(two.retention.due(Kind::DeadJobs, at(4), 100).await.unwrap(), 3);
    assert_eq!(prune(&two, Kind::DeadJobs, at(4)).await, 3);
    let left: Vec<_> = one.outbox.dead(10).await.unwrap().into_iter().map(|dead| dead.job.candle_close).collect();
    assert_eq!(left, [at(5), at(4), at(1)], "one is being tried again");
    let again = [finished("BTCUSDT", 0, &["rsi"]), finished("BTCUSDT", 3, &["rsi"])];
    assert_eq!(one.outbox.commit(&again, at(8)).await.unwrap().new, []);
    assert_eq!(two.retention.stored(Kind::DeadJobs).await.unwrap().oldest, Some(at(1)));
}

/// An operator can have a dead job tried again as long as it is there, whatever was removed around it.
pub async fn a_dead_job_of_a_removed_time_can_be_tried_again((one, two): (Stores, Stores)) {
    one.outbox.bury(&dead(job("BTCUSDT", 2), at(9))).await.unwrap();
    commit(&one, "BTCUSDT", 3..8).await;
    assert_eq!(prune(&two, Kind::FinishedJobs, at(6)).await, 3);
    one.outbox.retry(&DeadFilter::default(), at(10)).await.unwrap();
    assert_eq!(two.outbox.retried(10).await.unwrap().len(), 1);
    one.outbox.bury(&dead(job("BTCUSDT", 2), at(11))).await.unwrap();
    assert_eq!(two.outbox.dead(10).await.unwrap()[0].died_at, at(11), "it may fail again");
    assert_eq!(one.outbox.commit(&[finished("BTCUSDT", 2, &["rsi"])], at(12)).await.unwrap().new.len(), 1);
    assert_eq!((two.outbox.dead(10).await.unwrap(), two.outbox.unpublished(10).await.unwrap().len()), (vec![], 1));
}

/// Each by the moment that tells how old it is: an hour, a failure, a candle.
pub async fn costs_failures_and_shadows_go_by_their_age((one, two): (Stores, Stores)) {
    let entries: Vec<_> = (0..8).map(|index| entry(index, "rsi", b"module", "BTCUSDT", 3)).collect();
    one.costs.add(&entries).await.unwrap();
    let hour = |index: i64| Timestamp::from_millis(START + index * 3_600_000);
    assert_eq!(two.retention.stored(Kind::Costs).await.unwrap().oldest, Some(hour(0)));
    assert_eq!(prune(&two, Kind::Costs, hour(5).plus_millis(7)).await, 5, "the hour of the moment stays");
    let all = CostFilter { strategy: None, module: None, symbol: None, since: hour(0) };
    assert_eq!(one.costs.sums(&all, CostBy::Strategy).await.unwrap()[0].1.evaluations, 9);

    let failed: Vec<_> = (0..7).map(|index| failure("rsi", b"module", "BTCUSDT", index)).collect();
    for failure in &failed {
        one.failures.put(&Packed::new(failure).unwrap()).await.unwrap();
    }
    assert_eq!(prune(&two, Kind::Failures, failed[4].at).await, 4);
    let listed = one.failures.list(&FailureFilter { limit: 100, ..FailureFilter::default() }).await.unwrap();
    let left: Vec<_> = listed.iter().rev().map(|summary| summary.at).collect();
    assert_eq!(left, failed[4..].iter().map(|failure| failure.at).collect::<Vec<_>>());
    assert_eq!(two.retention.stored(Kind::Failures).await.unwrap().oldest, Some(failed[4].at));

    let candles = (0..6).flat_map(|index| {
        [(1, Comparison::Added), (7, Comparison::Agree)].map(|(began, what)| compared(began, "BTCUSDT", index, what))
    });
    one.shadows.record(&candles.collect::<Vec<_>>()).await.unwrap();
    assert_eq!(two.retention.due(Kind::Shadows, at(4), 100).await.unwrap(), 8);
    assert_eq!(prune(&two, Kind::Shadows, at(4)).await, 8);
    assert_eq!(one.shadows.listed(1, 100).await.unwrap().len(), 2);
    assert_eq!(one.shadows.counts(7).await.unwrap().of(Comparison::Agree), 6, "the counts stay");
    assert_eq!(two.retention.stored(Kind::Shadows).await.unwrap().oldest, Some(at(4)));
}

/// As long as a signal is there, the module that made it is found to be needed.
pub async fn a_module_is_named_by_the_signals_it_made((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..4).await;
    let (rsi, macd): (StrategyId, StrategyId) = ("rsi".parse().unwrap(), "macd".parse().unwrap());
    let module = ModuleDigest::of(b"module");
    let newest = signal(&job("BTCUSDT", 3), "rsi", 0).id;
    assert_eq!(two.retention.signal_of(&rsi, module).await.unwrap(), Some(newest));
    assert_eq!(two.retention.signal_of(&macd, module).await.unwrap(), None);
    assert_eq!(two.retention.signal_of(&rsi, ModuleDigest::of(b"another")).await.unwrap(), None);
    prune(&one, Kind::Signals, at(1000)).await;
    assert_eq!(two.retention.signal_of(&rsi, module).await.unwrap(), None);
}

/// While one replica removes, another one commits the same series, and a third commits what was committed long ago.
pub async fn replicas_that_commit_meanwhile_lose_nothing((one, two): (Stores, Stores)) {
    commit(&one, "BTCUSDT", 0..40).await;
    let removing = async {
        for before in 1..=30 {
            prune(&one, Kind::FinishedJobs, at(before)).await;
            prune(&one, Kind::Signals, at(before)).await;
        }
    };
    let committing = async {
        for index in 40..70 {
            let new = [finished("BTCUSDT", index, &["rsi"]), finished("ETHUSDT", index, &["rsi"])];
            assert_eq!(two.outbox.commit(&new, at(index)).await.unwrap().new.len(), 2, "{index}");
        }
    };
    let again = async {
        for index in (0..30).rev() {
            let again = [finished("BTCUSDT", index, &["rsi"])];
            assert_eq!(two.outbox.commit(&again, at(100)).await.unwrap().new, [], "{index}");
        }
    };
    tokio::join!(removing, committing, again);
    assert_eq!(two.outbox.unpublished(1000).await.unwrap().len(), 60);
    let left = kept(&two).await;
    assert_eq!((left.len(), left[0]), (10 + 60, 30));
}
