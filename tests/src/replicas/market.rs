//! A market, written as the Data Extractor writes it: plain SQL into its tables, and an event on core NATS.

use std::time::{Duration, Instant};

use async_nats::Client;
use serde_json::json;
use sqlx::{MySql, MySqlConnection, MySqlPool, QueryBuilder};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};

use crate::{gathered_by, market};

/// How many candles of each timeframe the history has: the longest window of any strategy and some more.
const HISTORY: i64 = 300;
/// How many rows one statement inserts.
const ROWS: usize = 1000;
/// The shorter timeframe.
pub const SHORT: Timeframe = Timeframe::M1;
/// The longer timeframe: one long candle consists of five short ones.
pub(super) const LONG: Timeframe = Timeframe::M5;

/// Candles of many symbols: a history, and what comes after it.
#[derive(Debug)]
pub struct Market {
    /// The symbols.
    pub symbols: Vec<Symbol>,
    /// The time at which the newest candles of the history close. It lies in the past, so that the minutes after it can
    /// pass in seconds.
    pub start: Timestamp,
    minutes: i64,
    short: Vec<Vec<Candle>>,
    long: Vec<Vec<Candle>>,
}

impl Market {
    /// A market of `count` symbols with `minutes` minutes after its history.
    pub fn new(count: usize, minutes: i64) -> Self {
        let hour_before = Timestamp::now().plus_millis(-Timeframe::H1.millis() - minutes * SHORT.millis());
        let start = LONG.open_of(hour_before);
        let first = start.plus_millis(-HISTORY * LONG.millis());
        let symbols: Vec<Symbol> = (0..count).map(|index| format!("S{index:03}USDT").parse().unwrap()).collect();
        let count = HISTORY * 5 + minutes;
        let short: Vec<_> = symbols.iter().map(|symbol| market(symbol, SHORT, first, count)).collect();
        let long = short.iter().map(|candles| gathered_by(5, candles)).collect();
        Self { symbols, start, minutes, short, long }
    }

    /// How many minutes there are after the history.
    pub const fn minutes(&self) -> i64 {
        self.minutes
    }

    /// How many candles close after the history, which is also the number of jobs.
    pub fn jobs(&self) -> usize {
        self.symbols.len() * (self.minutes + self.minutes / 5) as usize
    }

    /// Each series with its candles up to a close, including as many before the start as windows need.
    pub fn series(&self, until: Timestamp) -> Vec<(&Symbol, Timeframe, &[Candle])> {
        let mut series = Vec::new();
        for (timeframe, all) in [(LONG, &self.long), (SHORT, &self.short)] {
            let first = self.start.plus_millis(-HISTORY * timeframe.millis());
            for (symbol, candles) in self.symbols.iter().zip(all) {
                let from = candles.partition_point(|candle| candle.open_time < first);
                let end = candles.partition_point(|candle| timeframe.close_of(candle.open_time) <= until);
                series.push((symbol, timeframe, &candles[from..end]));
            }
        }
        series
    }

    /// The candles that close in minute `minute` after the history, the longer ones first.
    pub fn closing(&self, minute: i64) -> Vec<(&Symbol, Timeframe, Candle)> {
        let close = self.start.plus_millis((minute + 1) * SHORT.millis());
        let at = |timeframe: Timeframe, all: &[Vec<Candle>], index: usize| {
            let open = close.plus_millis(-timeframe.millis());
            all[index].iter().find(|candle| candle.open_time == open).copied()
        };
        let symbols = || self.symbols.iter().enumerate();
        let long = symbols().filter_map(|(index, symbol)| Some((symbol, LONG, at(LONG, &self.long, index)?)));
        let short = symbols().filter_map(|(index, symbol)| Some((symbol, SHORT, at(SHORT, &self.short, index)?)));
        long.chain(short).collect()
    }

    /// Creates the extractor's tables and writes the history.
    pub async fn write_history(&self, pool: &MySqlPool) -> sqlx::Result<()> {
        let mut connection = pool.acquire().await?;
        for timeframe in [SHORT, LONG] {
            sqlx::query(sqlx::AssertSqlSafe(table_definition(timeframe))).execute(&mut *connection).await?;
        }
        for timeframe in [SHORT, LONG] {
            let series = self.series(self.start).into_iter().filter(|(_, of, _)| *of == timeframe);
            let rows: Vec<_> = series
                .flat_map(|(symbol, of, candles)| candles.iter().map(move |candle| (symbol, of, *candle)))
                .collect();
            for some in rows.chunks(ROWS) {
                insert(&mut connection, timeframe, some).await?;
            }
            // A server that has had its tables for a while has statistics about them, and plans its queries by those.
            let analyse = format!("ANALYZE TABLE {}", table(timeframe));
            sqlx::query(sqlx::AssertSqlSafe(analyse)).fetch_all(&mut *connection).await?;
        }
        Ok(())
    }

    /// Writes the candles that close in a minute.
    pub async fn write_minute(&self, pool: &MySqlPool, minute: i64) {
        self.write(pool, &self.closing(minute)).await;
    }

    /// Writes candles in one transaction and tries again until that succeeds, as an extractor does whose server is
    /// away. Rows of an earlier attempt whose answer was lost are left as they are.
    pub async fn write(&self, pool: &MySqlPool, rows: &[(&Symbol, Timeframe, Candle)]) {
        while let Err(error) = self.try_to_write(pool, rows).await {
            eprintln!("the extractor tries again: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_to_write(&self, pool: &MySqlPool, rows: &[(&Symbol, Timeframe, Candle)]) -> sqlx::Result<()> {
        let mut transaction = pool.begin().await?;
        for timeframe in [LONG, SHORT] {
            let of: Vec<_> = rows.iter().filter(|row| row.1 == timeframe).copied().collect();
            if !of.is_empty() {
                insert(&mut transaction, timeframe, &of).await?;
            }
        }
        transaction.commit().await
    }

    /// Announces what closed in a minute, as the extractor does after a batch. The event is lost while NATS is away.
    pub async fn announce(&self, client: &Client, minute: i64) {
        for timeframe in [LONG, SHORT] {
            if self.closing(minute).iter().any(|row| row.1 == timeframe) {
                let symbols: Vec<_> = self.symbols.iter().map(Symbol::as_str).collect();
                let event = json!({
                    "event_type": "batch_extraction_completed", "extraction_type": "klines", "symbols": symbols,
                    "period": timeframe.as_str(), "timestamp": "2026-01-01T00:00:00Z", "success": true, "errors": [],
                });
                let subject = format!("binance.extraction.klines.batch.{timeframe}");
                if let Err(error) = client.publish(subject, event.to_string().into()).await {
                    eprintln!("the extractor's event is lost: {error}");
                }
            }
        }
        let _ = client.flush().await;
    }

    /// Goes on until its end: writes and announces one minute after the other. Each of them takes `pace`.
    pub async fn go_on(&self, pool: &MySqlPool, events: &Client, pace: Duration) {
        for minute in 0..self.minutes {
            self.write_minute(pool, minute).await;
            self.announce(events, minute).await;
            tokio::time::sleep(pace).await;
        }
    }

    /// Announces a single candle. Returns the time of the announcement.
    pub async fn announce_one(
        &self,
        client: &Client,
        (symbol, timeframe, _): &(&Symbol, Timeframe, Candle),
    ) -> Instant {
        let event = json!({"event_type": "extraction_completed", "symbol": symbol, "period": timeframe});
        let announced = Instant::now();
        let subject = format!("binance.extraction.klines.{symbol}.{timeframe}");
        client.publish(subject, event.to_string().into()).await.unwrap();
        client.flush().await.unwrap();
        announced
    }
}

/// The extractor's name for the table of a timeframe.
fn table(timeframe: Timeframe) -> String {
    let name = timeframe.as_str();
    let (number, unit) = name.split_at(name.len() - 1);
    format!("klines_{unit}{number}")
}

/// The definition of an extractor's table, with columns that the service does not use.
fn table_definition(timeframe: Timeframe) -> String {
    let prices: String = ["open_price", "high_price", "low_price", "close_price", "volume", "quote_asset_volume"]
        .map(|column| format!("{column} DECIMAL(20, 8) NOT NULL, "))
        .concat();
    format!(
        "CREATE TABLE {} (id VARCHAR(64) PRIMARY KEY, symbol VARCHAR(20) NOT NULL, timestamp DATETIME NOT NULL,
         open_time DATETIME NOT NULL, close_time DATETIME NOT NULL, `interval` VARCHAR(10) NOT NULL, {prices}
         extracted_at DATETIME NULL, source VARCHAR(50) NULL, INDEX (symbol, timestamp))",
        table(timeframe)
    )
}

async fn insert(
    connection: &mut MySqlConnection,
    timeframe: Timeframe,
    rows: &[(&Symbol, Timeframe, Candle)],
) -> sqlx::Result<()> {
    let mut insert = QueryBuilder::<MySql>::new(format!(
        "INSERT IGNORE INTO {} (id, symbol, timestamp, open_time, close_time, `interval`, open_price, high_price,
         low_price, close_price, volume, quote_asset_volume) ",
        table(timeframe)
    ));
    insert.push_values(rows, |mut values, (symbol, _, candle)| {
        let open = candle.open_time.millis();
        values.push_bind(format!("{symbol}_{open}")).push_bind(symbol.as_str());
        for moment in [open, open, open + timeframe.millis() - 1] {
            values.push("FROM_UNIXTIME(").push_bind_unseparated(moment / 1000).push_unseparated(")");
        }
        values.push_bind(timeframe.as_str());
        for number in [candle.open, candle.high, candle.low, candle.close, candle.volume, 0.0] {
            values.push_bind(format!("{number:.8}"));
        }
    });
    insert.build().execute(connection).await.map(drop)
}
