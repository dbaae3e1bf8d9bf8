//! The tests that every store of comparisons must pass.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store, as two handles that stand for two replicas of the
//! service.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use serde_json::json;
use ta_bot_core::{Job, Timeframe, Timestamp};

use super::{Compared, Counts, Said, ShadowStore};
use crate::evaluation::comparison::Comparison::{self, Added, Agree, Changed, Failed, Missed};

/// Two handles of one store.
pub type Replicas = (Arc<dyn ShadowStore>, Arc<dyn ShadowStore>);

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    a_candle_counts_once(fresh().await).await;
    differences_are_listed_newest_first(fresh().await).await;
    what_is_not_listed_is_forgotten_and_stays_counted(fresh().await).await;
    replicas_that_record_at_once_count_each_candle_once(fresh().await).await;
}

/// A comparison of the shadow that began with revision `began`, on the candle with this index.
pub fn compared(began: i64, symbol: &str, index: i64, comparison: Comparison) -> Compared {
    let candle_close = Timestamp::from_millis(1_767_225_600_000 + index * Timeframe::M15.millis());
    let job = Job { symbol: symbol.parse().unwrap(), timeframe: Timeframe::M15, candle_close };
    let said = || Said {
        incumbent: json!({"outcome": "none", "ärger": "\"quoted\" \\ 市場 🚦"}),
        candidate: json!({"outcome": "signal", "signal": {"confidence": 0.1 + 0.2, "of": index}}),
    };
    let said = (comparison != Agree).then(said);
    Compared { began, job, comparison, said }
}

async fn counts(store: &Arc<dyn ShadowStore>, began: i64) -> [u64; 5] {
    let counts = store.counts(began).await.unwrap();
    Comparison::ALL.map(|comparison| counts.of(comparison))
}

/// An empty store returns empty results.
pub async fn nothing_is_there_at_first((one, two): Replicas) {
    for began in [0, 7, -1, i64::MAX] {
        assert_eq!(one.counts(began).await.unwrap(), Counts::default());
        assert_eq!(two.listed(began, 10).await.unwrap(), []);
        one.forget(began).await.unwrap();
    }
    two.record(&[]).await.unwrap();
    assert_eq!(one.counts(0).await.unwrap(), Counts::default());
}

/// A candle is identified by its symbol, timeframe and close, and counts once for each shadow. The first comparison
/// stays.
pub async fn a_candle_counts_once((one, two): Replicas) {
    let first = compared(1, "BTCUSDT", 0, Agree);
    let hour = Compared { job: Job { timeframe: Timeframe::H1, ..first.job.clone() }, ..first.clone() };
    let mixed =
        [first.clone(), first.clone(), hour, compared(1, "ETHUSDT", 0, Added), compared(1, "BTCUSDT", 1, Missed)];
    one.record(&mixed).await.unwrap();
    assert_eq!(counts(&two, 1).await, [2, 1, 1, 0, 0]);
    two.record(&mixed).await.unwrap();
    one.record(&[Compared { comparison: Failed, ..first }]).await.unwrap();
    assert_eq!(counts(&one, 1).await, [2, 1, 1, 0, 0]);
    two.record(&[compared(2, "BTCUSDT", 0, Changed), compared(1, "BTCUSDT", 2, Failed)]).await.unwrap();
    assert_eq!(counts(&one, 2).await, [0, 0, 0, 1, 0]);
    assert_eq!(counts(&one, 1).await, [2, 1, 1, 0, 1]);
}

/// Comparisons come back as they were recorded: only those of the given shadow, and only the listed ones.
pub async fn differences_are_listed_newest_first((one, two): Replicas) {
    let all: Vec<Compared> =
        (0..200).map(|index| compared(5, "BTCUSDT", index, Comparison::ALL[index as usize % 5])).collect();
    one.record(&all).await.unwrap();
    let silent = Compared { said: None, ..compared(5, "BTCUSDT", 900, Added) };
    two.record(&[silent, compared(4, "BTCUSDT", 901, Added)]).await.unwrap();
    let different: Vec<Compared> = all.into_iter().rev().filter(|one| one.comparison != Agree).collect();
    assert_eq!(two.listed(5, 1000).await.unwrap(), different);
    assert_eq!(one.listed(5, 7).await.unwrap(), different[..7]);
    assert_eq!(two.listed(6, 7).await.unwrap(), []);
    assert_eq!(counts(&one, 5).await, [40, 41, 40, 40, 40]);
}

/// Only rows of the given shadow are removed.
pub async fn what_is_not_listed_is_forgotten_and_stays_counted((one, two): Replicas) {
    let agreeing: Vec<Compared> = (0..6000).map(|index| compared(1, "BTCUSDT", index, Agree)).collect();
    for batch in agreeing.chunks(1000) {
        one.record(batch).await.unwrap();
    }
    let different = compared(1, "ETHUSDT", 1, Added);
    one.record(&[different.clone(), compared(2, "BTCUSDT", 1, Agree)]).await.unwrap();
    two.forget(1).await.unwrap();
    assert_eq!((counts(&one, 1).await, counts(&one, 2).await), ([6000, 1, 0, 0, 0], [1, 0, 0, 0, 0]));
    assert_eq!(one.listed(1, 10).await.unwrap(), [different]);
    // The candle counts again, which shows that its row is gone. The other shadow's row is still there.
    one.record(&[compared(1, "BTCUSDT", 5999, Agree), compared(2, "BTCUSDT", 1, Agree)]).await.unwrap();
    assert_eq!((counts(&two, 1).await, counts(&two, 2).await), ([6001, 1, 0, 0, 0], [1, 0, 0, 0, 0]));
}

/// It does not matter which replica comes first.
pub async fn replicas_that_record_at_once_count_each_candle_once((one, two): Replicas) {
    let writers = (0..4).map(|writer: usize| {
        let store = Arc::clone(if writer.is_multiple_of(2) { &one } else { &two });
        tokio::spawn(async move {
            for round in 0..10 {
                let mut batch: Vec<Compared> = (0..40)
                    .map(|index| compared(1, "BTCUSDT", round * 20 + index, Comparison::ALL[(index % 5) as usize]))
                    .collect();
                batch.rotate_left(writer * 7);
                store.record(&batch).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(two.counts(1).await.unwrap().compared(), 220);
    assert_eq!(counts(&one, 1).await, [44; 5]);
}
