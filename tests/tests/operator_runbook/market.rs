//! The candles, as the Data Extractor writes them: a history, what closes after it, and rows that no strategy may see.

use sqlx::{MySql, MySqlConnection, MySqlPool, QueryBuilder};
use ta_bot_core::{Candle, Timeframe, Timestamp};
use ta_bot_tests::market;

/// The symbols, all of which are scheduled.
pub(crate) const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "ADAUSDT", "SOLUSDT"];
const TIMEFRAMES: [(Timeframe, &str); 3] =
    [(Timeframe::M5, "klines_m5"), (Timeframe::M15, "klines_m15"), (Timeframe::H1, "klines_h1")];
/// How many candles of each series are there before a service begins with it.
const HISTORY: i64 = 300;

/// Candles that all lie in the past, so that the time of day at which the test runs makes no difference to what is done
/// with them.
pub(crate) struct Market {
    pool: MySqlPool,
    /// The history ends here.
    start: Timestamp,
}

impl Market {
    /// Makes the extractor's tables and writes the history.
    pub(crate) async fn begin(pool: MySqlPool) -> Self {
        let three_hours_ago = Timestamp::now().plus_millis(-3 * Timeframe::H1.millis());
        let market = Self { pool, start: Timeframe::H1.open_of(three_hours_ago) };
        for (timeframe, table) in TIMEFRAMES {
            let definition = format!(
                "CREATE TABLE {table} (id VARCHAR(64) PRIMARY KEY, symbol VARCHAR(20) NOT NULL, timestamp DATETIME NOT NULL,
                 open_time DATETIME NOT NULL, close_time DATETIME NOT NULL, open_price DECIMAL(20, 8) NOT NULL,
                 high_price DECIMAL(20, 8) NOT NULL, low_price DECIMAL(20, 8) NOT NULL,
                 close_price DECIMAL(20, 8) NOT NULL, volume DECIMAL(20, 8) NOT NULL, extracted_at DATETIME NULL,
                 INDEX (symbol, timestamp))"
            );
            sqlx::query(sqlx::AssertSqlSafe(definition)).execute(&market.pool).await.unwrap();
            let is_history = |candle: &Candle| timeframe.close_of(candle.open_time) <= market.start;
            let mut connection = market.pool.acquire().await.unwrap();
            market.write(&mut connection, (timeframe, table), is_history).await;
        }
        market
    }

    /// Writes all that has closed since the history, and spoils two rows before anybody can read them: one says that it
    /// was written before its candle's end, the low of another is above its high. Returns how many candles that are.
    pub(crate) async fn goes_on(&self) -> usize {
        let (now, mut count) = (Timestamp::now(), 0);
        let mut transaction = self.pool.begin().await.unwrap();
        for (timeframe, table) in TIMEFRAMES {
            let closed = |candle: &Candle| {
                let close = timeframe.close_of(candle.open_time);
                close > self.start && close <= now
            };
            count += self.write(&mut transaction, (timeframe, table), closed).await;
        }
        let unfinished = "klines_m5 SET extracted_at = TIMESTAMPADD(SECOND, 1, timestamp)";
        change_newest(&mut transaction, "ADAUSDT", unfinished).await;
        change_newest(&mut transaction, "ADAUSDT", "klines_m15 SET low_price = high_price * 2").await;
        transaction.commit().await.unwrap();
        count
    }

    /// Corrects the newest candle of a series after it was decided.
    pub(crate) async fn revise(&self) {
        let mut connection = self.pool.acquire().await.unwrap();
        change_newest(&mut connection, "ETHUSDT", "klines_m5 SET volume = volume + 1").await;
    }

    async fn write(
        &self,
        connection: &mut MySqlConnection,
        (timeframe, table): (Timeframe, &str),
        is_wanted: impl Fn(&Candle) -> bool,
    ) -> usize {
        let first = self.start.plus_millis(-HISTORY * timeframe.millis());
        let mut rows = Vec::new();
        for symbol in SYMBOLS {
            // Four hours more than the history: some of it lies in the future and is not wanted.
            let count = HISTORY + 4 * Timeframe::H1.millis() / timeframe.millis();
            let candles = market(&symbol.parse().unwrap(), timeframe, first, count);
            rows.extend(candles.into_iter().filter(&is_wanted).map(|candle| (symbol, candle)));
        }
        for some in rows.chunks(1000) {
            let mut insert = QueryBuilder::<MySql>::new(format!(
                "INSERT INTO {table} (id, symbol, timestamp, open_time, close_time, extracted_at, open_price, high_price,
                 low_price, close_price, volume) "
            ));
            insert.push_values(some, |mut values, (symbol, candle)| {
                let (open, close) = (candle.open_time.millis(), timeframe.close_of(candle.open_time).millis());
                values.push_bind(format!("{symbol}_{open}")).push_bind(*symbol);
                for moment in [open, open, close - 1, close + 1000] {
                    values.push("FROM_UNIXTIME(").push_bind_unseparated(moment / 1000).push_unseparated(")");
                }
                for number in [candle.open, candle.high, candle.low, candle.close, candle.volume] {
                    values.push_bind(format!("{number:.8}"));
                }
            });
            insert.build().execute(&mut *connection).await.unwrap();
        }
        rows.len()
    }
}

/// Changes the newest row of a symbol.
async fn change_newest(connection: &mut MySqlConnection, symbol: &str, change: &str) {
    let statement = format!("UPDATE {change} WHERE symbol = '{symbol}' ORDER BY timestamp DESC LIMIT 1");
    let changed = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(connection).await.unwrap();
    assert_eq!(changed.rows_affected(), 1, "{change}");
}
