//! The tests that every store of revisions must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles that stand for two
//! replicas of the service.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use ta_bot_core::{Candle, Timeframe, Timestamp};

use super::{KEPT, ROWS_IN_A_STATEMENT, Revision, RevisionFilter, RevisionStore};

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn RevisionStore>, Arc<dyn RevisionStore>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;
const EVERYTHING: RevisionFilter = RevisionFilter { symbol: None, timeframe: None, limit: 2 * KEPT };

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    a_revision_comes_back_as_it_was(fresh().await).await;
    the_same_change_is_stored_once(fresh().await).await;
    replicas_that_notice_at_once_store_it_once(fresh().await).await;
    revisions_are_found_by_what_they_are_about(fresh().await).await;
    the_newest_are_kept(fresh().await).await;
}

/// A candle whose close changed from `old` to `new`: the one that opened `index` candles after the start.
pub fn revision(symbol: &str, timeframe: Timeframe, index: i64, (old, new): (f64, f64)) -> Revision {
    let open_time = Timestamp::from_millis(START + index * timeframe.millis());
    let of = |close| Candle { open_time, open: 0.1 + 0.2, high: 1e9 / 3.0, low: f64::MIN_POSITIVE, close, volume: 0.0 };
    let noticed_at = Timestamp::from_millis(START + index);
    Revision { symbol: symbol.parse().unwrap(), timeframe, old: of(old), new: Some(of(new)), noticed_at }
}

fn m15(symbol: &str, index: i64) -> Revision {
    revision(symbol, Timeframe::M15, index, (1.0, 2.0))
}

async fn listed(store: &dyn RevisionStore, filter: &RevisionFilter) -> Vec<Revision> {
    store.list(filter).await.unwrap()
}

/// Every bit of every number, whether the candle has other numbers now or is gone.
pub async fn a_revision_comes_back_as_it_was((store, other): Replicas) {
    assert_eq!(listed(&*other, &EVERYTHING).await, []);
    store.add(&[]).await.unwrap();
    let gone = Revision { new: None, ..m15("BTCUSDT", 2) };
    let added = [m15("BTCUSDT", 1), gone];
    store.add(&added).await.unwrap();
    let [one, two] = added;
    assert_eq!(listed(&*other, &EVERYTHING).await, [two, one], "newest first");
}

/// A change that happens again, is noticed later, or comes twice in one call. Another change of the same candle is
/// another revision.
pub async fn the_same_change_is_stored_once((store, other): Replicas) {
    let first = m15("BTCUSDT", 1);
    store.add(std::slice::from_ref(&first)).await.unwrap();
    let later = Revision { noticed_at: Timestamp::from_millis(START + 99), ..first.clone() };
    let onward = revision("BTCUSDT", Timeframe::M15, 1, (2.0, 3.0));
    let gone = Revision { new: None, ..first.clone() };
    other.add(&[later.clone(), onward.clone(), later, gone.clone(), onward.clone()]).await.unwrap();
    assert_eq!(listed(&*store, &EVERYTHING).await, [gone, onward, first]);
}

/// Writers store the same revisions in different orders, and more than fit in one statement.
pub async fn replicas_that_notice_at_once_store_it_once((store, other): Replicas) {
    let count = ROWS_IN_A_STATEMENT * 2 + 3;
    let writers = (0..6).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let mut revisions: Vec<Revision> = (0..count as i64).map(|index| m15("BTCUSDT", index)).collect();
        if writer % 3 == 0 {
            revisions.reverse();
        }
        tokio::spawn(async move { store.add(&revisions).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut opened: Vec<Timestamp> = listed(&*store, &EVERYTHING).await.iter().map(Revision::open_time).collect();
    opened.sort();
    assert_eq!(opened, (0..count as i64).map(|index| m15("BTCUSDT", index).open_time()).collect::<Vec<_>>());
}

/// Each condition works alone and all of them together, as [`RevisionFilter::takes`] defines them.
pub async fn revisions_are_found_by_what_they_are_about((store, _): Replicas) {
    let mut added = Vec::new();
    for (index, symbol) in (0..).zip(["BTCUSDT", "ETHUSDT", "BTCUSDT"]) {
        for timeframe in [Timeframe::M15, Timeframe::H1] {
            added.push(revision(symbol, timeframe, index, (1.0, 2.0)));
        }
    }
    store.add(&added).await.unwrap();
    let symbol = Some("BTCUSDT".parse().unwrap());
    let timeframe = Some(Timeframe::H1);
    let filters = [
        EVERYTHING,
        RevisionFilter { symbol: symbol.clone(), ..EVERYTHING },
        RevisionFilter { timeframe, ..EVERYTHING },
        RevisionFilter { symbol: symbol.clone(), timeframe, ..EVERYTHING },
        RevisionFilter { symbol: symbol.clone(), timeframe, limit: 1 },
        RevisionFilter { timeframe: Some(Timeframe::D1), ..EVERYTHING },
    ];
    for filter in filters {
        let expected = added.iter().rev().filter(|revision| filter.takes(revision)).take(filter.limit as usize);
        assert_eq!(listed(&*store, &filter).await, expected.cloned().collect::<Vec<_>>(), "{filter:?}");
    }
}

/// The oldest are removed when newer ones come, whichever replica brings them.
pub async fn the_newest_are_kept((store, other): Replicas) {
    let kept = i64::from(KEPT);
    let added: Vec<Revision> = (0..kept + 3).map(|index| m15("BTCUSDT", index)).collect();
    let (most, rest) = added.split_at(added.len() - 5);
    for some in most.chunks(2000) {
        store.add(some).await.unwrap();
    }
    other.add(rest).await.unwrap();
    let listed = listed(&*store, &EVERYTHING).await;
    assert_eq!(listed.len() as i64, kept);
    assert!(listed.iter().rev().eq(&added[3..]), "the oldest three went");
}
