//! Rows in the extractor's tables on a real server, as the extractor writes them.

use ta_bot_core::{Symbol, Timestamp};
use ta_bot_test_servers::MariaDb;

use super::cases::{M15, Row};

/// A database of a server of its own.
pub(crate) struct Tables {
    server: MariaDb,
    pub(crate) uri: String,
}

impl Tables {
    pub(crate) async fn start() -> Self {
        let server = MariaDb::start().await.unwrap();
        let uri = server.create_database("market").await.unwrap();
        Self { server, uri }
    }

    /// Lets a number be missing, as in tables that others made. The tables have to be there.
    pub(crate) async fn take_missing_numbers(&self) {
        self.sql("ALTER TABLE klines_m15 MODIFY close_price DECIMAL(20, 8) NULL").await;
    }

    pub(crate) async fn insert(&self, rows: impl IntoIterator<Item = (Symbol, Row)>) {
        let values: Vec<String> =
            rows.into_iter().enumerate().map(|(index, (symbol, row))| values(index, &symbol, &row)).collect();
        if !values.is_empty() {
            self.sql(&format!("INSERT INTO klines_m15 ({COLUMNS}) VALUES {}", values.join(","))).await;
        }
    }

    pub(crate) async fn delete(&self, open_time: Timestamp) {
        self.sql(&format!("DELETE FROM klines_m15 WHERE timestamp = {}", moment(open_time))).await;
    }

    async fn sql(&self, statements: &str) {
        self.server.sql(&format!("USE market; {statements}")).await.unwrap();
    }
}

const COLUMNS: &str = "id, symbol, timestamp, open_time, close_time, `interval`, open_price, high_price, low_price,
    close_price, volume, quote_asset_volume, number_of_trades, taker_buy_base_asset_volume,
    taker_buy_quote_asset_volume, extracted_at, extractor_version, source";

fn values(index: usize, symbol: &Symbol, Row { candle, written }: &Row) -> String {
    let number = |number: f64| if number.is_nan() { "NULL".to_owned() } else { format!("{number:.8}") };
    let numbers = [candle.open, candle.high, candle.low, candle.close, candle.volume].map(number).join(",");
    let close = M15.close_of(candle.open_time);
    let (opened, closed) = (moment(candle.open_time), moment(close.plus_millis(-1_000)));
    let extracted = moment(close.plus_millis(1_000 * written));
    let id = candle.open_time.millis();
    format!(
        "('{symbol} {id} {index}', '{symbol}', {opened}, {opened}, {closed}, '15m', {numbers}, 0, 0, 0, 0, {extracted},
          '1.0.0', 'binance-futures')"
    )
}

fn moment(at: Timestamp) -> String {
    format!("TIMESTAMPADD(SECOND, {}, '1970-01-01')", at.millis() / 1000)
}
