//! Converts values of the domain to values of MySQL, and back. A value that does not parse was not written by TA Bot,
//! and is reported as such.

use std::{error::Error, fmt::Display, str::FromStr};

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::{Row as _, mysql::MySqlRow};
use ta_bot_core::Timestamp;

/// The range of a DATETIME: from the year 1000 to 9999.
const DATETIMES: (i64, i64) = (-30_610_224_000_000, 253_402_300_799_000);

/// A timestamp as the text of a DATETIME(3), in UTC. A timestamp outside the range becomes the first or the last one.
pub(crate) fn datetime(moment: Timestamp) -> String {
    let millis = moment.millis().clamp(DATETIMES.0, DATETIMES.1);
    let moment = DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default();
    moment.format("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

/// The expression for a DATETIME as milliseconds since the epoch, whatever its precision is.
pub(crate) fn millis_of(expression: &str) -> String {
    format!("CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', {expression}) DIV 1000 AS SIGNED)")
}

/// Reads a column as a type that is written as text.
pub(crate) fn parsed<T>(row: &MySqlRow, column: &'static str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(|error| undecodable(column, error))
}

/// Reads a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &MySqlRow, column: &'static str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| undecodable(column, error))
}

/// Reads a column that holds JSON or NULL.
pub(crate) fn json_or_none<T: DeserializeOwned>(
    row: &MySqlRow,
    column: &'static str,
) -> Result<Option<T>, sqlx::Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(serde_json::from_str).transpose().map_err(|error| undecodable(column, error))
}

/// Reads a column that holds milliseconds.
pub(crate) fn moment(row: &MySqlRow, column: &'static str) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_millis)
}

/// A value as the JSON text that is stored.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The error for a column that does not hold what it should.
fn undecodable(column: &'static str, error: impl Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("column {column}: {error}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc_and_kept_in_bounds() {
        let written = |millis| datetime(Timestamp::from_millis(millis));
        assert_eq!(written(1_767_226_500_250), "2026-01-01 00:15:00.250");
        assert_eq!(written(900), "1970-01-01 00:00:00.900");
        assert_eq!(written(i64::MAX), "9999-12-31 23:59:59.000");
        assert_eq!(written(i64::MIN), "1000-01-01 00:00:00.000");
    }
}
