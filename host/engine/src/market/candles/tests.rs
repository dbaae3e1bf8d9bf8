//! Tests of the door on the embedded store, which takes whatever is inserted.

use crate::sqlite::{Database, candles::SqliteCandles, revisions::SqliteRevisions};

use super::*;
use crate::market::{cache::CandleCache, revisions::Revisions};

const M15: Timeframe = Timeframe::M15;

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn candle(index: i64) -> Candle {
    let open_time = Timestamp::from_millis(index * M15.millis());
    Candle { open_time, open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: 5.0 }
}

fn close(index: i64) -> Timestamp {
    M15.close_of(candle(index).open_time)
}

/// The candles of a store that holds these, with and without a cache.
async fn doors(stored: &[Candle]) -> ([Candles; 2], tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).await.unwrap();
    let store = Arc::new(SqliteCandles::new(database.clone()));
    store.insert(&symbol(), M15, stored).await.unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let plain = Candles::new(Arc::clone(&store) as _, DEFAULT_PATIENCE, Arc::clone(&metrics));
    let revisions = Revisions::new(Arc::new(SqliteRevisions::new(database)), metrics);
    let cached = plain.through(Arc::new(CandleCache::new(store, Arc::new(revisions))));
    ([plain, cached], folder)
}

async fn newest(candles: &Candles, until: Timestamp, count: u32) -> ClosedCandles {
    candles.newest(&symbol(), M15, until, count).await.unwrap()
}

fn zero(index: i64) -> Candle {
    Candle { low: 0.0, close: 0.0, ..candle(index) }
}

#[tokio::test]
async fn a_window_reaches_past_bad_rows_as_past_a_gap() {
    let mut stored: Vec<Candle> = (0..20).map(candle).collect();
    (stored[15], stored[18]) = (zero(15), zero(18));
    let ([plain, cached], _folder) = doors(&stored).await;
    for candles in [&plain, &cached, &cached] {
        let window = newest(candles, close(19), 5).await;
        assert_eq!(window.candles, [13, 14, 16, 17, 19].map(candle));
        assert_eq!(
            window.refused.iter().map(|refused| refused.open_time).collect::<Vec<_>>(),
            [15, 18].map(|i| candle(i).open_time)
        );
        assert_eq!(newest(candles, close(18), 1).await.candles, [candle(17)]);
        assert_eq!(newest(candles, close(19), 100).await.candles.len(), 18);
    }
    let counted = |reason| plain.metrics.inputs.candles_refused.with_label_values(&[reason]).get();
    assert_eq!((counted("unsound"), counted("off_grid")), (2, 0), "each is counted once, whoever reads it");
}

#[tokio::test]
async fn a_window_ends_where_nothing_but_bad_rows_are() {
    let stored: Vec<Candle> = (0..1000).map(|index| if index < 500 { candle(index) } else { zero(index) }).collect();
    let ([plain, _], _folder) = doors(&stored).await;
    assert_eq!(newest(&plain, close(999), 10).await.candles, []);
    assert_eq!(newest(&plain, close(509), 10).await.candles.len(), 10);
}

#[tokio::test]
async fn no_close_is_off_the_grid() {
    let late = Candle { open_time: candle(3).open_time.plus_millis(1000), ..candle(3) };
    let ([plain, cached], _folder) = doors(&[candle(0), candle(1), candle(2), late]).await;
    for candles in [&plain, &cached] {
        let after = [(symbol(), close(0))];
        let closes = candles.closed_between(M15, &after, close(9)).await.unwrap();
        assert_eq!(closes, [(symbol(), close(1)), (symbol(), close(2))]);
        let newest = candles.newest_closes(M15, &[symbol()], close(9)).await.unwrap();
        assert_eq!(newest, [(symbol(), close(2))]);
    }
}
