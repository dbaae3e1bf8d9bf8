//! The tables as the older service and the Data Extractor left them, looked at without changing anything.

use sqlx::MySqlConnection;
use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_engine::support::store_error::StoreError;

use super::{Fault, Limits, MysqlUri, connect, lease::acquire, row::millis_of, schema, unavailable};

/// What is in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// How far the service's own tables are.
    pub own: OwnTables,
    /// The signals of the older service; `None` if there is no such table.
    pub signals: Option<OlderSignals>,
    /// The timeframes that have no table of candles. A start of the service makes them.
    pub missing: Vec<Timeframe>,
}

/// How far the service's own tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnTables {
    /// There are none.
    Absent,
    /// They are not those of this version: a start of the service completes them.
    Incomplete,
    /// They are complete: opening the database changes nothing.
    Complete,
}

/// Rows of the older service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderSignals {
    /// How many there are.
    pub rows: i64,
    /// The time of the newest.
    pub newest: Option<Timestamp>,
    /// Whether their table has the columns that a start of the service adds.
    pub has_our_columns: bool,
}

/// Looks at the database at `uri`.
pub async fn look(uri: &MysqlUri) -> Result<Tables, StoreError> {
    let limits = Limits { connections: 1, ..Limits::default() };
    let pool = connect::pool(uri, &limits);
    let looked = async {
        let mut lease = acquire(&pool, uri, &limits).await?;
        tables(&mut lease).await
    };
    let looked = tokio::time::timeout(limits.count, looked).await;
    let closed = tokio::time::timeout(limits.acquire, pool.close()).await;
    if closed.is_err() {
        tracing::debug!("the connection is cut off with the process");
    }
    let late = |_| unavailable(&format!("{uri}: no answer within {} s", limits.count.as_secs()));
    looked.map_err(late)?.map_err(|fault| fault.at(uri))
}

async fn tables(connection: &mut MySqlConnection) -> Result<Tables, Fault> {
    let is_begun = schema::newest(&schema::changes(connection).await?) > 0;
    let own = match (is_begun, schema::is_current(connection).await?) {
        (false, _) => OwnTables::Absent,
        (true, false) => OwnTables::Incomplete,
        (true, true) => OwnTables::Complete,
    };
    Ok(Tables { own, signals: signals(connection).await?, missing: schema::missing_klines(connection).await? })
}

async fn signals(connection: &mut MySqlConnection) -> Result<Option<OlderSignals>, Fault> {
    let names = schema::names_in_signals(connection).await?;
    if names.is_empty() {
        return Ok(None);
    }
    let has_our_columns = names.contains("signal_id");
    let newest = millis_of("MAX(`timestamp`)");
    let those = if has_our_columns { " WHERE `signal_id` IS NULL" } else { "" };
    let sql = format!("SELECT CAST(COUNT(*) AS SIGNED), {newest} FROM `signals`{those}");
    let (rows, newest): (i64, Option<i64>) =
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *connection).await?;
    Ok(Some(OlderSignals { rows, newest: newest.map(Timestamp::from_millis), has_our_columns }))
}
