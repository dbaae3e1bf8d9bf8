//! Tests of candles that are made of shorter ones, on the embedded store. What comes of unfinished rows is tested on
//! MySQL, which alone has such rows.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::{
    market::{
        cache::CandleCache, candle_store::CandleStore, candles::DEFAULT_PATIENCE, revision_store::RevisionFilter,
        revisions::Revisions,
    },
    sqlite::{Database, candles::SqliteCandles, revisions::SqliteRevisions},
    support::metrics::Metrics,
};

const M5: Timeframe = Timeframe::M5;
const M15: Timeframe = Timeframe::M15;
/// The number of longer candles of the tests' market.
const ALL: i64 = 40;

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn candle(timeframe: Timeframe, index: i64) -> Candle {
    let open_time = Timestamp::from_millis(index * timeframe.millis());
    // The numbers of a longer candle are those of its parts.
    let short = |index: i64| 100.0 + (index % 11) as f64;
    let parts = timeframe.millis() / M5.millis();
    let (first, last) = (short(index * parts), short(index * parts + parts - 1));
    let opens = (index * parts..(index + 1) * parts).map(short);
    let (high, low) = opens.fold((f64::MIN, f64::MAX), |(high, low), open| (high.max(open + 2.0), low.min(open - 2.0)));
    Candle { open_time, open: first, high, low, close: last + 1.0, volume: 0.125 * parts as f64 }
}

fn closes(indices: &[i64]) -> Vec<(Symbol, Timestamp)> {
    indices.iter().map(|index| (symbol(), M15.close_of(candle(M15, *index).open_time))).collect()
}

/// A market of which some candles are stored, read with and without a cache, and without candles that are made.
struct Market {
    made: [Candles; 2],
    own: Candles,
    revisions: Arc<Revisions>,
    _folder: TempDir,
}

impl Market {
    async fn new(long: impl IntoIterator<Item = i64>, short: impl IntoIterator<Item = i64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).await.unwrap();
        let store = Arc::new(SqliteCandles::new(database.clone()));
        let metrics = Arc::new(Metrics::new().unwrap());
        let revisions = Arc::new(Revisions::new(Arc::new(SqliteRevisions::new(database)), Arc::clone(&metrics)));
        let of = |timeframe: Timeframe, indices: Vec<i64>| {
            indices.into_iter().map(|index| candle(timeframe, index)).collect::<Vec<_>>()
        };
        store.insert(&symbol(), M15, &of(M15, long.into_iter().collect())).await.unwrap();
        store.insert(&symbol(), M5, &of(M5, short.into_iter().collect())).await.unwrap();
        let own = |store| Candles::new(store, DEFAULT_PATIENCE, Arc::clone(&metrics));
        let scheduled = || vec![M15, M5];
        let plain = own(Arc::clone(&store) as Arc<dyn CandleStore>)
            .derived_from(Sources::new(CandleSources::ShortestScheduled, scheduled))
            .noting(Arc::clone(&revisions));
        let cached = plain.through(Arc::new(CandleCache::new(Arc::clone(&store) as _, Arc::clone(&revisions))));
        Self { made: [plain, cached], own: own(store), revisions, _folder: folder }
    }

    fn counted(&self) -> u64 {
        self.made[0].metrics.inputs.candles_derived.with_label_values(&["15m"]).get()
    }
}

fn end() -> Timestamp {
    candle(M15, ALL).open_time
}

async fn window(candles: &Candles, count: u32) -> ClosedCandles {
    candles.newest(&symbol(), M15, end(), count).await.unwrap()
}

#[tokio::test]
async fn a_candle_without_a_row_is_made_of_shorter_ones_and_marked() {
    let market = Market::new((0..ALL).filter(|index| ![20, 33, 39].contains(index)), 60..3 * ALL).await;
    for candles in [&market.made[0], &market.made[1], &market.made[1]] {
        let window = window(candles, 30).await;
        assert_eq!(window.candles, (10..ALL).map(|index| candle(M15, index)).collect::<Vec<_>>());
        let derived = window.derived.unwrap();
        assert_eq!(derived.source, M5);
        assert_eq!(derived.open_times, [20, 33, 39].map(|index| candle(M15, index).open_time));
    }
    assert_eq!(market.counted(), 3, "each is counted once");
    let own = window(&market.own, 30).await;
    assert!(own.derived.is_none() && own.candles.len() == 30 && own.candles[29].open_time == candle(M15, 38).open_time);
    let shorter = market.made[0].newest(&symbol(), M5, end(), 30).await.unwrap();
    assert!(shorter.derived.is_none(), "nothing is made for the shortest");
}

#[tokio::test]
async fn an_own_row_that_comes_later_counts_and_is_a_revision_if_it_differs() {
    let market = Market::new((0..ALL).filter(|index| ![37, 38].contains(index)), 60..3 * ALL).await;
    window(&market.made[0], 30).await;
    let corrected = Candle { close: 103.25, volume: 7.0, ..candle(M15, 38) };
    market.own.insert(&symbol(), M15, &[candle(M15, 37), corrected]).await.unwrap();
    for candles in [&market.made[0], &market.made[1], &market.made[0]] {
        let window = window(candles, 30).await;
        assert_eq!((window.candles[28], window.derived), (corrected, None));
    }
    assert_eq!(market.counted(), 2);
    assert_eq!(
        market.own.metrics.inputs.candles_revised.with_label_values(&["15m"]).get(),
        1,
        "one of them is the same"
    );
    let listed = market.revisions.list(&RevisionFilter { limit: 10, ..RevisionFilter::default() }).await.unwrap();
    assert_eq!(listed.iter().map(|one| (one.old, one.new)).collect::<Vec<_>>(), [(candle(M15, 38), Some(corrected))]);
}

#[tokio::test]
async fn a_series_without_any_row_is_made_as_far_as_the_shorter_one_goes() {
    let market = Market::new([], 31..3 * ALL).await;
    for candles in &market.made {
        assert_eq!(window(candles, 100).await.candles, (11..ALL).map(|index| candle(M15, index)).collect::<Vec<_>>());
        assert_eq!(window(candles, 5).await.candles.len(), 5);
    }
    assert_eq!(window(&market.own, 5).await.candles, []);
}

#[tokio::test]
async fn a_wrong_row_makes_a_hole_and_no_candle() {
    let market = Market::new((0..30).filter(|index| *index != 28), 0..3 * ALL).await;
    let wrong = Candle { low: 0.0, close: 0.0, ..candle(M15, 28) };
    market.own.insert(&symbol(), M15, &[wrong]).await.unwrap();
    let window = market.made[0].newest(&symbol(), M15, closes(&[29])[0].1, 5).await.unwrap();
    assert_eq!(window.candles, [24, 25, 26, 27, 29].map(|index| candle(M15, index)));
    assert_eq!((window.refused.len(), window.derived), (1, None));
}

#[tokio::test]
async fn closes_are_those_of_rows_and_those_that_shorter_candles_complete() {
    // Of candle 36 one part is missing, of 38 the last one, and 39 has none.
    let market = Market::new((0..35).filter(|index| *index != 32), (0..116).filter(|index| *index != 109)).await;
    for candles in &market.made {
        let after = closes(&[30]);
        let found = candles.closed_between(M15, &after, end()).await.unwrap();
        assert_eq!(found, closes(&[31, 32, 33, 34, 35, 37]));
        assert_eq!(candles.closed_between(M15, &after, closes(&[33])[0].1).await.unwrap(), closes(&[31, 32, 33]));
        assert_eq!(candles.newest_closes(M15, &[symbol()], end()).await.unwrap(), closes(&[37]));
        assert_eq!(candles.newest_closes(M15, &[symbol()], closes(&[36])[0].1).await.unwrap(), closes(&[35]));
        assert_eq!(candles.newest_closes(M15, &["OTHERUSDT".parse().unwrap()], end()).await.unwrap(), []);
    }
    assert_eq!(market.own.closed_between(M15, &closes(&[30]), end()).await.unwrap(), closes(&[31, 33, 34]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is stored, a window holds every candle that has a row or all its parts, the newest first, and a shorter
    /// window is the end of a longer one.
    #[test]
    fn windows_hold_what_is_there_and_what_can_be_made(
        long in proptest::collection::vec(any::<bool>(), ALL as usize),
        short in proptest::collection::vec(proptest::bool::weighted(0.85), 3 * ALL as usize),
    ) {
        let kept = |there: &[bool]| -> Vec<i64> { (0..there.len() as i64).filter(|index| there[*index as usize]).collect() };
        let expected: Vec<Candle> = (0..ALL)
            .filter(|index| long[*index as usize] || short[*index as usize * 3..][..3].iter().all(|there| *there))
            .map(|index| candle(M15, index))
            .collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let market = Market::new(kept(&long), kept(&short)).await;
            for count in [1, 2, 5, 13, 39, 100] {
                let newest = &expected[expected.len().saturating_sub(count)..];
                for candles in &market.made {
                    let window = window(candles, count as u32).await;
                    assert_eq!(window.candles, newest, "{count}");
                    let derived = window.derived.map(|derived| derived.open_times).unwrap_or_default();
                    let without_row = newest.iter().map(|candle| candle.open_time);
                    let without_row = without_row.filter(|open| !long[(open.millis() / M15.millis()) as usize]);
                    assert_eq!(derived, without_row.collect::<Vec<_>>());
                }
            }
        });
    }
}
