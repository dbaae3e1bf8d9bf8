//! Inserts candles into the extractor's tables in the way the extractor does.

use std::collections::{BTreeSet, HashMap};

use sqlx::{MySql, MySqlConnection, QueryBuilder};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::support::store_error::StoreError;

use super::{Inserted, candle_row, columns, push_moment};
use crate::mysql::database::{NAME, batch::pieces, klines::table, row};

/// How many candles one statement inserts: with 20 columns this is far below the limit of 65535 values.
const BATCH: usize = 512;
/// The smallest number that DECIMAL(20,8) can't hold.
const TOO_LARGE: f64 = 1e12;
/// What is written into the columns in which the extractor writes its own name and version.
const WRITER: &str = "ta-bot";
/// The most that the column `price_change_percent` holds.
const LARGEST_PERCENT: f64 = 999_999.0;

/// A candle as it can be stored.
pub(super) struct Row {
    /// Rounded to the decimals that the table keeps.
    pub(super) candle: Candle,
    /// Open, high, low, close and volume.
    numbers: [String; 5],
}

impl Row {
    pub(super) fn new(timeframe: Timeframe, candle: &Candle) -> Result<Self, StoreError> {
        let refuse = |name: &str, value: f64| {
            let opened = candle.open_time;
            let reason = format!(
                "the {timeframe} candle that opened {opened} has the {name} {value}: the table holds numbers with \
                 eight decimals below 10^12, and prices above zero"
            );
            StoreError::CannotWrite { store: NAME, reason }
        };
        let stored = |name: &str, value: f64| {
            let text = format!("{value:.8}");
            let kept: f64 = text.parse().unwrap_or(f64::NAN);
            // A price that becomes zero would be no price; a volume may be too small to count.
            let fits = kept.abs() < TOO_LARGE && (kept != 0.0 || value == 0.0 || name == "volume");
            if fits { Ok((kept, text)) } else { Err(refuse(name, value)) }
        };
        let (open, open_text) = stored("open", candle.open)?;
        let (high, high_text) = stored("high", candle.high)?;
        let (low, low_text) = stored("low", candle.low)?;
        let (close, close_text) = stored("close", candle.close)?;
        let (volume, volume_text) = stored("volume", candle.volume)?;
        let candle = Candle { open_time: candle.open_time, open, high, low, close, volume };
        Ok(Self { candle, numbers: [open_text, high_text, low_text, close_text, volume_text] })
    }

    /// What is written into a column; `None` if the column is not documented.
    fn value(&self, column: &str, symbol: &Symbol, timeframe: Timeframe, now: Timestamp) -> Option<String> {
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
    rows: &[Row],
) -> Result<Inserted, sqlx::Error> {
    let columns = column_names(connection, timeframe).await?;
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
        for piece in pieces(&new, BATCH) {
            let names: Vec<&String> =
                columns.iter().filter(|name| piece[0].value(name, symbol, timeframe, now).is_some()).collect();
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
    }
    Ok(inserted)
}

/// The columns that the table has. Columns that nobody needs may be missing.
async fn column_names(connection: &mut MySqlConnection, timeframe: Timeframe) -> Result<BTreeSet<String>, sqlx::Error> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = ?";
    let names: Vec<String> = sqlx::query_scalar(sql).bind(table(timeframe)).fetch_all(connection).await?;
    Ok(names.into_iter().collect())
}

/// Returns the candles that are stored already within the time range of `batch`.
async fn held(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_table_can_not_hold_is_refused() {
        let candle = |close| Candle {
            open_time: Timestamp::from_millis(0),
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close,
            volume: 1e-12,
        };
        for good in [1e-8, 0.123_456_789, 999_999_999_999.0] {
            assert!(Row::new(Timeframe::M15, &candle(good)).is_ok(), "{good}");
        }
        for bad in [f64::NAN, f64::INFINITY, 1e12, 1e-10] {
            let error = Row::new(Timeframe::M15, &candle(bad)).err().unwrap().to_string();
            assert!(error.contains("1970-01-01") && error.contains("close"), "{error}");
        }
    }
}
