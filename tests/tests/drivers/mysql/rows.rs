//! Rows as the Data Extractor writes them, good and bad, and what is read of them.

use std::sync::Arc;

use ta_bot_core::{Candle, ClosedCandles, Timeframe};
use ta_bot_drivers::mysql::{candles::MysqlCandles, revisions::MysqlRevisions};
use ta_bot_engine::{
    market::{
        cache::CandleCache,
        candle_store::CandleStore,
        candles::{Candles, DEFAULT_PATIENCE},
        revisions::Revisions,
    },
    support::metrics::Metrics,
};

use super::{candle, new_database, open, opened, server, symbol};

/// The extractor's insert of one row: open time as the index of a quarter of an hour and seconds beyond that, prices,
/// and when it was written, in seconds after the close.
fn insert(name: &str, id: &str, (index, seconds): (i64, i64), prices: [f64; 4], written_after: i64) -> String {
    let opened = opened(index).plus_millis(1000 * seconds).millis() / 1000;
    let close = opened + 15 * 60;
    let [open, high, low, close_price] = prices;
    let at = |seconds: i64| format!("TIMESTAMPADD(SECOND, {seconds}, '1970-01-01')");
    let (open_time, close_time, extracted) = (at(opened), at(close - 1), at(close + written_after));
    format!(
        "INSERT INTO klines_m15 (id, symbol, timestamp, open_time, close_time, `interval`, open_price, high_price,
            low_price, close_price, volume, quote_asset_volume, number_of_trades, taker_buy_base_asset_volume,
            taker_buy_quote_asset_volume, extracted_at, extractor_version, source)
         VALUES ('{id}', '{name}', {open_time}, {open_time}, {close_time}, '15m', {open}, {high}, {low}, {close_price},
            5, 0, 0, 0, 0, {extracted}, '1.0.0', 'binance-futures');"
    )
}

const SOUND: [f64; 4] = [10.0, 12.0, 9.0, 11.0];
const PARTIAL: [f64; 4] = [10.0, 10.5, 9.9, 10.1];

/// A series in which every kind of bad row stands beside good ones.
fn dirty() -> String {
    [
        insert("BTCUSDT", "a", (0, 0), SOUND, 7),
        insert("BTCUSDT", "unfinished", (1, 0), PARTIAL, -300),
        insert("BTCUSDT", "zero close", (2, 0), [10.0, 12.0, 0.0, 0.0], 7),
        insert("BTCUSDT", "upside down", (3, 0), [10.0, 9.0, 12.0, 11.0], 7),
        insert("BTCUSDT", "twice", (4, 0), SOUND, 7),
        insert("BTCUSDT", "twice, again", (4, 0), SOUND, 7),
        insert("BTCUSDT", "partial", (5, 0), PARTIAL, -1),
        insert("BTCUSDT", "and whole", (5, 0), SOUND, 0),
        insert("BTCUSDT", "off the grid", (6, 7), SOUND, 7),
        insert("BTCUSDT", "one of two", (7, 0), SOUND, 7),
        insert("BTCUSDT", "the other", (7, 0), PARTIAL, 7),
        insert("BTCUSDT", "refreshed", (8, 0), PARTIAL, 7),
        insert("BTCUSDT", "and again", (8, 0), SOUND, 9),
        insert("BTCUSDT", "z", (9, 0), SOUND, 7),
        insert("no symbol", "x", (9, 0), SOUND, 7),
    ]
    .concat()
}

fn doors(store: &Arc<dyn CandleStore>, uri: &str) -> [(&'static str, Candles); 2] {
    let metrics = Arc::new(Metrics::new().unwrap());
    let stored = Candles::new(Arc::clone(store), DEFAULT_PATIENCE, Arc::clone(&metrics));
    let revisions = Revisions::new(Arc::new(MysqlRevisions::new(open(uri))), metrics);
    let cached = stored.through(Arc::new(CandleCache::new(Arc::clone(store), Arc::new(revisions))));
    [("stored", stored), ("cached", cached)]
}

async fn newest(candles: &Candles, count: u32) -> ClosedCandles {
    candles.newest(&symbol("BTCUSDT"), Timeframe::M15, opened(10), count).await.unwrap()
}

#[tokio::test]
async fn bad_rows_are_left_out_and_named_and_windows_reach_past_them() {
    let (uri, name) = new_database().await;
    let store: Arc<dyn CandleStore> = Arc::new(MysqlCandles::new(open(&uri)));
    store.ping().await.unwrap();
    server().await.sql(&format!("USE {name}; {}", dirty())).await.unwrap();
    for (door, candles) in doors(&store, &uri) {
        for _ in 0..2 {
            let all = newest(&candles, 20).await;
            assert_eq!(all.candles, [0, 4, 5, 8, 9].map(candle), "{door}");
            let refused: Vec<_> = all.refused.iter().map(|refused| refused.problem.code()).collect();
            assert_eq!(refused, ["unfinished", "unsound", "unsound", "off_grid", "contradicted"], "{door}");
            for (count, expected) in [(1, &[9][..]), (2, &[8, 9]), (3, &[5, 8, 9]), (5, &[0, 4, 5, 8, 9])] {
                let expected: Vec<Candle> = expected.iter().map(|index| candle(*index)).collect();
                assert_eq!(newest(&candles, count).await.candles, expected, "{door} {count}");
            }
        }
        let closes =
            candles.closed_between(Timeframe::M15, &[(symbol("BTCUSDT"), opened(6))], opened(10)).await.unwrap();
        assert!(closes.iter().all(|(_, close)| Timeframe::M15.open_of(*close) == *close), "{door}: {closes:?}");
        let newest = candles.newest_closes(Timeframe::M15, &[symbol("BTCUSDT")], opened(8)).await.unwrap();
        assert_eq!(newest, [(symbol("BTCUSDT"), opened(8))], "{door}");
        let newest = candles.newest_closes(Timeframe::M15, &[symbol("BTCUSDT")], opened(7).plus_millis(9_000)).await;
        assert_eq!(newest.unwrap(), [(symbol("BTCUSDT"), opened(6))], "{door}: the newest row is off the grid");
    }
}

/// The row is completed later, in the one way that the extractor has for it.
#[tokio::test]
async fn a_row_that_is_completed_is_a_candle_from_then_on() {
    let (uri, name) = new_database().await;
    let store: Arc<dyn CandleStore> = Arc::new(MysqlCandles::new(open(&uri)));
    store.ping().await.unwrap();
    let rows = [insert("BTCUSDT", "a", (8, 0), SOUND, 7), insert("BTCUSDT", "b", (9, 0), PARTIAL, -7)].concat();
    server().await.sql(&format!("USE {name}; {rows}")).await.unwrap();
    let doors = doors(&store, &uri);
    for (door, candles) in &doors {
        assert_eq!(newest(candles, 2).await.candles, [candle(8)], "{door}");
    }
    let whole = insert("BTCUSDT", "b", (9, 0), SOUND, 7).replace("INSERT", "REPLACE");
    server().await.sql(&format!("USE {name}; {whole}")).await.unwrap();
    for (door, candles) in &doors {
        assert_eq!(newest(candles, 2).await.candles, [candle(8), candle(9)], "{door}");
    }
}

#[tokio::test]
async fn a_table_without_extracted_at_is_believed_as_far_as_the_clock_goes() {
    let (uri, name) = new_database().await;
    let table = "CREATE TABLE klines_m15 (id VARCHAR(64) PRIMARY KEY, symbol VARCHAR(20) NOT NULL,
        timestamp DATETIME NOT NULL, open_price DECIMAL(20,8), high_price DECIMAL(20,8), low_price DECIMAL(20,8),
        close_price DECIMAL(20,8), volume DECIMAL(20,8), INDEX theirs (symbol, timestamp));
        INSERT INTO klines_m15 VALUES ('a', 'BTCUSDT', '2026-01-01 00:00:00', 10, 12, 9, 11, 5),
            ('b', 'BTCUSDT', '2026-01-01 00:15:00', 10, 12, 9, NULL, 5),
            ('c', 'BTCUSDT', '2026-01-01 00:30:00', 10, 12, 9, 11, 5)";
    server().await.sql(&format!("USE {name}; {table}")).await.unwrap();
    let store: Arc<dyn CandleStore> = Arc::new(MysqlCandles::new(open(&uri)));
    for (door, candles) in doors(&store, &uri) {
        let found = newest(&candles, 9).await;
        assert_eq!(found.candles, [candle(0), candle(2)], "{door}");
        assert!(found.refused[0].problem.to_string().starts_with("close is NaN"), "{door}: {found:?}");
    }
}
