//! What the extractor's tables hold, and what of them is changed by hand.

use ta_bot_core::{Candle, Timeframe, Timestamp};
use ta_bot_drivers::mysql::candles::MysqlCandles;
use ta_bot_engine::{
    market::candle_store::{CandleStore as _, Repair, RepairChange},
    settings::config_store::Author,
    support::store_error::StoreError,
};

use super::{candle, new_database, numbers, open, opened, server, symbol};

async fn sql(name: &str, statements: &str) -> String {
    server().await.sql(&format!("USE {name}; {statements}")).await.unwrap()
}

fn repair(change: RepairChange) -> Repair {
    let author = Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::now() };
    Repair { symbol: symbol("BTCUSDT"), timeframe: Timeframe::M15, change, author }
}

/// A price that would become another one is refused, at an import as at a repair, with the column and the remedy.
#[tokio::test]
async fn what_a_column_can_not_hold_is_refused_with_the_remedy() {
    let (uri, name) = new_database().await;
    let store = MysqlCandles::new(open(&uri));
    let price = 1.481_6e-8;
    let tiny = Candle { open: price, high: price, low: price, close: price, ..candle(1) };
    let given = [candle(0), tiny];
    let refusals = [
        store.insert(&symbol("BTCUSDT"), Timeframe::M15, &given).await.unwrap_err(),
        store.repair(&repair(RepairChange::Replace(given.to_vec()))).await.unwrap_err(),
    ];
    for refused in refusals {
        let told = refused.to_string();
        assert!(matches!(refused, StoreError::DoesNotFit { .. }), "{told}");
        for expected in
            ["0.000000014816", "open_price of klines_m15", "decimal(20,8)", "MODIFY open_price DECIMAL(28, 16)"]
        {
            assert!(told.contains(expected), "{told}");
        }
    }
    assert_eq!(sql(&name, "SELECT COUNT(*) FROM klines_m15").await, "0\n");
    // The remedy is one.
    for column in ["open_price", "high_price", "low_price", "close_price"] {
        sql(&name, &format!("ALTER TABLE klines_m15 MODIFY {column} DECIMAL(28, 16) NOT NULL")).await;
    }
    store.insert(&symbol("BTCUSDT"), Timeframe::M15, &given).await.unwrap();
    let read = store.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, opened(9), 9).await.unwrap();
    assert_eq!(numbers(&read), given);
}

/// A server that cuts numbers off without an error is asked for nothing that it would cut.
#[tokio::test]
async fn every_column_is_looked_at() {
    for (column, of, value) in [
        ("volume", "DECIMAL(20, 2)", "12.345"),
        ("close_price", "DECIMAL(6, 2)", "12345.5"),
        ("high_price", "FLOAT", "0.1"),
        ("low_price", "INT", "0.5"),
    ] {
        let (uri, name) = new_database().await;
        let store = MysqlCandles::new(open(&uri));
        store.ping().await.unwrap();
        sql(&name, &format!("ALTER TABLE klines_m15 MODIFY {column} {of} NOT NULL")).await;
        let number: f64 = value.parse().unwrap();
        let mut given = Candle { open: 12_345.5, high: 12_346.0, low: 0.5, close: 0.5, volume: 12.345, ..candle(0) };
        match column {
            "close_price" => given.close = number,
            "high_price" => (given.open, given.high, given.low, given.close) = (number, number, number, number),
            _ => {}
        }
        let refused = store.insert(&symbol("BTCUSDT"), Timeframe::M15, &[given]).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("{value} for the column {column}")), "{refused}");
    }
    let (uri, name) = new_database().await;
    let store = MysqlCandles::new(open(&uri));
    store.ping().await.unwrap();
    sql(&name, "ALTER TABLE klines_m15 MODIFY close_price DOUBLE NOT NULL, MODIFY low_price DOUBLE NOT NULL").await;
    let given = Candle { low: 1.25e-300, close: 0.123_456_789_012_345, ..candle(0) };
    store.insert(&symbol("BTCUSDT"), Timeframe::M15, &[given]).await.unwrap();
    let read = store.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, opened(9), 9).await.unwrap();
    assert_eq!(numbers(&read), [given]);
}

/// A candle that is stored twice, and one that was written before its end, become what they should be. Columns that are
/// none of ours, and rows of other series, stay.
#[tokio::test]
async fn rows_of_the_extractor_are_changed_in_their_place() {
    let (uri, name) = new_database().await;
    let store = MysqlCandles::new(open(&uri));
    store.insert(&symbol("BTCUSDT"), Timeframe::M15, &[candle(0), candle(1), candle(2)]).await.unwrap();
    store.insert(&symbol("ETHUSDT"), Timeframe::M15, &[candle(1)]).await.unwrap();
    let twice = "UPDATE klines_m15 SET number_of_trades = 77, source = 'binance-futures', quote_asset_volume = 5;
        CREATE TEMPORARY TABLE c SELECT * FROM klines_m15 WHERE symbol = 'BTCUSDT' AND timestamp = '2026-01-01 00:15:00';
        UPDATE c SET id = 'again', close_price = 11.5; INSERT INTO klines_m15 SELECT * FROM c;
        UPDATE klines_m15 SET extracted_at = '2026-01-01 00:31:00', close_price = 11.25
            WHERE symbol = 'BTCUSDT' AND timestamp = '2026-01-01 00:30:00'";
    sql(&name, twice).await;
    let done = store.repair(&repair(RepairChange::Replace(vec![candle(0), candle(1), candle(2)]))).await.unwrap();
    assert_eq!((done.same, done.changed, done.added), (1, 2, 0));
    let found = sql(
        &name,
        "SELECT symbol, timestamp, close_price, price_change, source, number_of_trades, quote_asset_volume,
            extracted_at > close_time FROM klines_m15 ORDER BY symbol, timestamp, id",
    )
    .await;
    let expected = [
        "BTCUSDT\t2026-01-01 00:00:00\t11.00000000\t1.00000000\tbinance-futures\t77\t5.00000000\t1",
        "BTCUSDT\t2026-01-01 00:15:00\t11.00000000\t1.00000000\tta-bot\t77\t5.00000000\t1",
        "BTCUSDT\t2026-01-01 00:15:00\t11.00000000\t1.00000000\tta-bot\t77\t5.00000000\t1",
        "BTCUSDT\t2026-01-01 00:30:00\t11.00000000\t1.00000000\tta-bot\t77\t5.00000000\t1",
        "ETHUSDT\t2026-01-01 00:15:00\t11.00000000\t1.00000000\tbinance-futures\t77\t5.00000000\t1",
    ];
    assert_eq!(found.lines().collect::<Vec<_>>(), expected);
    let done = store.repair(&repair(RepairChange::Delete(opened(1)..opened(2)))).await.unwrap();
    assert_eq!(done.removed, 1, "a candle, of which there were two rows");
    assert_eq!(sql(&name, "SELECT COUNT(*) FROM klines_m15").await, "3\n");
}
