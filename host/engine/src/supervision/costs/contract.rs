//! The tests that every store of costs must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles that stand for two
//! replicas of the service.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::{sync::Arc, time::Duration};

use ta_bot_core::{ModuleDigest, Timestamp};

use super::{Cost, CostBy, CostEntry, CostFilter, CostGroup, CostKey, CostStore, HOUR_MS, ROWS_IN_A_STATEMENT};

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn CostStore>, Arc<dyn CostStore>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    what_is_added_adds_up(fresh().await).await;
    sums_are_made_by_what_is_asked(fresh().await).await;
    conditions_hold_together(fresh().await).await;
    replicas_that_add_at_once_lose_nothing(fresh().await).await;
    large_values_are_kept(fresh().await).await;
}

/// The hour that began `index` hours after the start.
pub fn hour(index: i64) -> Timestamp {
    Timestamp::from_millis(START + index * HOUR_MS)
}

/// Costs in which each value follows from `size`.
pub fn cost(size: u64) -> Cost {
    Cost {
        evaluations: size,
        signals: size / 2,
        failures: size / 3,
        total: Duration::from_nanos(size * 1001),
        longest: Duration::from_nanos(size * 11),
        peak_memory: size << 16,
        bytes_in: size * 17,
        bytes_out: size * 5,
    }
}

/// An entry for the hour with this index.
pub fn entry(index: i64, strategy: &str, module: &[u8], symbol: &str, size: u64) -> CostEntry {
    let strategy = strategy.parse().unwrap();
    let symbol = symbol.parse().unwrap();
    let key = CostKey { strategy, module: ModuleDigest::of(module), symbol };
    CostEntry { hour: hour(index), key, cost: cost(size) }
}

/// The sum of the costs.
pub fn together(costs: impl IntoIterator<Item = Cost>) -> Cost {
    let mut sum = Cost::default();
    costs.into_iter().for_each(|cost| sum.add(&cost));
    sum
}

/// A filter that matches everything.
pub const fn everything() -> CostFilter {
    CostFilter { strategy: None, module: None, symbol: None, since: Timestamp::from_millis(0) }
}

async fn sums(store: &dyn CostStore, filter: &CostFilter, by: CostBy) -> Vec<(CostGroup, Cost)> {
    let mut sums = store.sums(filter, by).await.unwrap();
    sums.sort_by(|(one, _), (other, _)| one.cmp(other));
    sums
}

/// The sum of the only group.
async fn only(store: &dyn CostStore) -> Cost {
    let sums = sums(store, &everything(), CostBy::Strategy).await;
    assert_eq!(sums.len(), 1, "{sums:?}");
    sums[0].1
}

/// An empty store returns empty results, and accepts an empty list of entries.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    for by in [CostBy::Strategy, CostBy::Module, CostBy::Symbol] {
        assert_eq!(sums(&*other, &everything(), by).await, []);
    }
    store.add(&[]).await.unwrap();
}

/// Costs are added by another replica, in the next hour, and several times in one call. Sums add up, and peaks keep the
/// greatest value.
pub async fn what_is_added_adds_up((store, other): Replicas) {
    let of = |index, size| entry(index, "rsi", b"module", "BTCUSDT", size);
    store.add(&[of(0, 7)]).await.unwrap();
    assert_eq!(only(&*other).await, cost(7));
    other.add(&[of(0, 3)]).await.unwrap();
    assert_eq!(only(&*store).await, together([cost(7), cost(3)]));
    store.add(&[of(1, 100), of(0, 50), of(1, 20)]).await.unwrap();
    assert_eq!(only(&*other).await, together([7, 3, 100, 50, 20].map(cost)));
}

/// Sums by strategy, by module of a strategy and by symbol.
pub async fn sums_are_made_by_what_is_asked((store, _): Replicas) {
    let entries = [
        entry(0, "rsi", b"old", "BTCUSDT", 1),
        entry(0, "rsi", b"new", "ETHUSDT", 2),
        entry(1, "rsi", b"new", "BTCUSDT", 4),
        entry(1, "macd", b"macd", "BTCUSDT", 8),
    ];
    store.add(&entries).await.unwrap();
    for by in [CostBy::Strategy, CostBy::Module, CostBy::Symbol] {
        let mut groups: Vec<CostGroup> = entries.iter().map(|entry| by.group(&entry.key)).collect();
        groups.sort();
        groups.dedup();
        let of = |group: &CostGroup| {
            together(entries.iter().filter(|entry| by.group(&entry.key) == *group).map(|entry| entry.cost))
        };
        let expected: Vec<_> = groups.into_iter().map(|group| (group.clone(), of(&group))).collect();
        assert_eq!(sums(&*store, &everything(), by).await, expected, "{by:?}");
    }
    let named = |group: &CostGroup| (group.strategy.is_some(), group.module.is_some(), group.symbol.is_some());
    for (by, names) in [
        (CostBy::Strategy, (true, false, false)),
        (CostBy::Module, (true, true, false)),
        (CostBy::Symbol, (false, false, true)),
    ] {
        let sums = sums(&*store, &everything(), by).await;
        assert!(sums.iter().all(|(group, _)| named(group) == names), "{sums:?}");
    }
}

/// Each condition works alone and all of them together, as [`CostFilter::takes`] defines them.
pub async fn conditions_hold_together((store, _): Replicas) {
    let mut entries = Vec::new();
    for (index, (strategy, module)) in
        [("rsi", b"one".as_slice()), ("rsi", b"two"), ("macd", b"macd")].into_iter().enumerate()
    {
        for symbol in ["BTCUSDT", "ETHUSDT"] {
            let index = index as i64;
            entries.push(entry(index, strategy, module, symbol, 1 << entries.len()));
            entries.push(entry(index + 1, strategy, module, symbol, 1 << entries.len()));
        }
    }
    store.add(&entries).await.unwrap();
    let strategy = Some("rsi".parse().unwrap());
    let symbol = Some("ETHUSDT".parse().unwrap());
    let module = Some(ModuleDigest::of(b"two"));
    let since = hour(2).plus_millis(1_234_567);
    let filters = [
        CostFilter { strategy: strategy.clone(), ..everything() },
        CostFilter { module, ..everything() },
        CostFilter { symbol: symbol.clone(), ..everything() },
        CostFilter { since, ..everything() },
        CostFilter { strategy: strategy.clone(), symbol: symbol.clone(), ..everything() },
        CostFilter { strategy, module, symbol, since },
        CostFilter { module: Some(ModuleDigest::of(b"no such")), ..everything() },
    ];
    for filter in filters {
        let taken = entries.iter().filter(|entry| filter.takes(entry.hour, &entry.key)).map(|entry| entry.cost);
        let found = sums(&*store, &filter, CostBy::Symbol).await;
        assert_eq!(together(found.into_iter().map(|(_, cost)| cost)), together(taken), "{filter:?}");
    }
}

/// Writers add the same keys in different orders, and more than fit in one statement.
pub async fn replicas_that_add_at_once_lose_nothing((store, other): Replicas) {
    const WRITERS: usize = 8;
    let keys = ROWS_IN_A_STATEMENT * 2 + 3;
    let writers = (0..WRITERS).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        let mut entries: Vec<CostEntry> =
            (0..keys).map(|key| entry(0, "rsi", b"module", &format!("COIN{key}"), 6)).collect();
        if writer % 4 < 2 {
            entries.reverse();
        }
        tokio::spawn(async move { store.add(&entries).await.unwrap() })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let sums = sums(&*store, &everything(), CostBy::Symbol).await;
    assert_eq!(sums.len(), keys);
    let each = together([cost(6); WRITERS]);
    assert!(sums.iter().all(|(_, sum)| *sum == each), "{sums:?}");
}

/// A century of time and an exabyte of candles.
pub async fn large_values_are_kept((store, other): Replicas) {
    let large = Cost {
        evaluations: u64::from(u32::MAX) * 1000,
        total: Duration::from_hours(100 * 365 * 24),
        longest: Duration::from_hours(1),
        bytes_in: 1 << 60,
        ..cost(1)
    };
    let given = CostEntry { cost: large, ..entry(0, "rsi", b"module", "BTCUSDT", 0) };
    store.add(&[given.clone(), given]).await.unwrap();
    assert_eq!(only(&*other).await, together([large, large]));
}
