//! Inserts candles into the extractor's tables in the way the extractor does.

use std::collections::HashMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::support::store_error::StoreError;

use super::{Inserted, candle_row, column_types::Columns, columns, push_moment};
use crate::mysql::database::{batch::pieces, klines::table, row};

/// How many candles one statement inserts: with 20 columns this is far below the limit of 65535 values.
const BATCH: usize = 512;
/// What is written into the columns in which the extractor writes its own name and version.
const WRITER: &str = "ta-bot";
/// The most that the column `price_change_percent` holds.
const LARGEST_PERCENT: f64 = 999_999.0;

/// A candle as it can be stored.
pub(super) struct Row {
    /// As it is read again.
    pub(super) candle: Candle,
    /// Open, high, low, close and volume.
    numbers: [String; 5],
}

impl Row {
    /// The row of a candle, unless a column can't hold one of its numbers.
    pub(super) fn new(columns: &Columns, candle: &Candle) -> Result<Self, StoreError> {
        let stored = |column: &str, value: f64| columns.stored(column, candle, value);
        let (open, open_text) = stored("open_price", candle.open)?;
        let (high, high_text) = stored("high_price", candle.high)?;
        let (low, low_text) = stored("low_price", candle.low)?;
        let (close, close_text) = stored("close_price", candle.close)?;
        let (volume, volume_text) = stored("volume", candle.volume)?;
        let candle = Candle { open_time: candle.open_time, open, high, low, close, volume };
        Ok(Self { candle, numbers: [open_text, high_text, low_text, close_text, volume_text] })
    }

    /// What is written into a column; `None` if the column is not documented.
    pub(super) fn value(&self, column: &str, symbol: &Symbol, timeframe: Timeframe, now: Timestamp) -> Option<String> {
        let Candle { open_time, open, close, .. } = self.candle;
        let change = close - open;
        Some(match column {
            "id" => format!("{symbol}_{}", open_time.millis()),
            "symbol" => symbol.to_string(),
            "timestamp" | "open_time" => row::datetime(open_time),
            "close_time" => row::datetime(timeframe.close_of(open_time)),
            "interval" => timeframe.to_string(),
            "open_price" => self.numbers[0].clone(),
            "high_price" => self.numbers[1].clone(),
            "low_price" => self.numbers[2].clone(),
            "close_price" => self.numbers[3].clone(),
            "volume" => self.numbers[4].clone(),
            "quote_asset_volume"
            | "number_of_trades"
            | "taker_buy_base_asset_volume"
            | "taker_buy_quote_asset_volume" => "0".to_owned(),
            "price_change" => format!("{change:.8}"),
            "price_change_percent" => {
                format!("{:.4}", (change / open * 100.0).clamp(-LARGEST_PERCENT, LARGEST_PERCENT))
            }
            "extracted_at" => row::datetime(now),
            "extractor_version" | "source" => WRITER.to_owned(),
            _ => return None,
        })
    }
}

/// Inserts the candles that are not stored yet. `rows` must be ordered by open time.
pub(super) async fn all(
    connection: &mut MySqlConnection,
    symbol: &Symbol,
    timeframe: Timeframe,
    columns: &Columns,
    rows: &[Row],
) -> Result<Inserted, sqlx::Error> {
    let now = Timestamp::now();
    let mut inserted = Inserted::default();
    for batch in rows.chunks(BATCH) {
        let mut held = held(connection, symbol, timeframe, batch).await?;
        let mut new = Vec::with_capacity(batch.len());
        for row in batch {
            match held.get(&row.candle.open_time) {
                None => {
                    held.insert(row.candle.open_time, row.candle);
                    new.push(row);
                }
                Some(held) if *held == row.candle => inserted.same += 1,
                Some(_) => inserted.different += 1,
            }
        }
        inserted.new += new.len() as u64;
        rows_of(connection, symbol, timeframe, columns, &new, now).await?;
    }
    Ok(inserted)
}

/// Inserts rows of candles that are not stored.
pub(super) async fn rows_of(
    connection: &mut MySqlConnection,
    symbol: &Symbol,
    timeframe: Timeframe,
    columns: &Columns,
    rows: &[&Row],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    for piece in pieces(rows, BATCH) {
        let names: Vec<&String> =
            columns.names().filter(|name| piece[0].value(name, symbol, timeframe, now).is_some()).collect();
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let mut insert =
            QueryBuilder::<MySql>::new(format!("INSERT INTO {} ({}) ", table(timeframe), quoted.join(", ")));
        insert.push_values(piece, |mut values, row| {
            for name in &names {
                values.push_bind(row.value(name, symbol, timeframe, now));
            }
        });
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Returns the candles that are stored already within the time range of `batch`.
pub(super) async fn held(
    connection: &mut MySqlConnection,
    symbol: &Symbol,
    timeframe: Timeframe,
    batch: &[Row],
) -> Result<HashMap<Timestamp, Candle>, sqlx::Error> {
    let [oldest, ..] = batch else { return Ok(HashMap::new()) };
    let newest = batch.last().unwrap_or(oldest);
    let mut query = QueryBuilder::<MySql>::new("SELECT ");
    query.push(columns(false)).push(" FROM ").push(table(timeframe));
    query.push(" WHERE `symbol` = ").push_bind(symbol.as_str()).push(" AND `timestamp` BETWEEN ");
    push_moment(&mut query, oldest.candle.open_time);
    query.push(" AND ");
    push_moment(&mut query, newest.candle.open_time);
    let rows = query.build().fetch_all(connection).await?;
    rows.iter().map(|row| candle_row(row).map(|row| (row.candle.open_time, row.candle))).collect()
}
