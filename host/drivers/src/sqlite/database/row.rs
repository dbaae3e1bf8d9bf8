//! Reads values of the domain from rows. A value that does not parse was not written by TA Bot, and is reported as
//! such.

use std::{error::Error, fmt, str::FromStr};

use serde::de::DeserializeOwned;
use sqlx::{Row as _, sqlite::SqliteRow};
use ta_bot_core::Timestamp;

/// Reads a column as a type that is written as text.
pub(crate) fn parsed<T>(row: &SqliteRow, column: &'static str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: Error + Send + Sync + 'static>,
{
    row.try_get::<&str, _>(column)?.parse().map_err(|error| undecodable(column, error))
}

/// Reads a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| undecodable(column, error))
}

/// Reads a column that holds JSON or NULL.
pub(crate) fn json_or_none<T: DeserializeOwned>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<T>, sqlx::Error> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(serde_json::from_str).transpose().map_err(|error| undecodable(column, error))
}

/// Reads a column that holds a timestamp.
pub(crate) fn moment(row: &SqliteRow, column: &'static str) -> Result<Timestamp, sqlx::Error> {
    row.try_get(column).map(Timestamp::from_millis)
}

/// A value as the JSON text that is stored.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The error for a column that does not hold what it should.
pub(crate) fn undecodable(column: &'static str, error: impl fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("column {column}: {error}").into())
}
