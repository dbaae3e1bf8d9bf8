//! Brings a database up to this version's schema.
//!
//! MySQL commits each change of a schema by itself, so an interrupted migration is repeated from its beginning: every
//! step first looks for what exists. A lock on the server separates replicas that start at the same time. If nothing is
//! missing nothing is changed, and the account does not need the right to change anything.
//!
//! A newer schema is left as it is, and used if its changes allow that: during an upgrade replicas of two versions run
//! side by side, and after a way back the older one runs again.

use std::{collections::HashSet, future::Future, sync::Arc, time::Duration};

use sqlx::{AssertSqlSafe, MySqlConnection};
use ta_bot_core::Timeframe;
use ta_bot_engine::support::{
    schema::{SchemaChange, check},
    store_error::StoreError,
};

use super::{Fault, NAME, error::number, unavailable};
use crate::mysql::database::klines::table;

/// The version of the schema after this version has created or changed the database.
pub(in crate::mysql) const VERSION: i64 = 13;
/// The last version that `ta_bot_schema` names, unless a later one is a change with which no older version can work.
/// The others are in `ta_bot_schema_changes`.
const IN_FIRST_TABLE: i64 = 7;
const INITIAL: &str = include_str!("../../../migrations/mysql/0001_initial.sql");
const SIGNALS: &str = include_str!("../../../migrations/mysql/0001_signals.sql");
const DEPLOYMENTS: &str = include_str!("../../../migrations/mysql/0002_deployments.sql");
const FAILURES: &str = include_str!("../../../migrations/mysql/0003_failures.sql");
const SHADOWS: &str = include_str!("../../../migrations/mysql/0004_shadows.sql");
const COSTS: &str = include_str!("../../../migrations/mysql/0005_costs.sql");
const EXPIRED_SIGNALS: &str = include_str!("../../../migrations/mysql/0006_expired_signals.sql");
const REVISIONS: &str = include_str!("../../../migrations/mysql/0007_revisions.sql");
const SCHEMA_CHANGES: &str = include_str!("../../../migrations/mysql/0008_schema_changes.sql");
const WITHHELD_SIGNALS: &str = include_str!("../../../migrations/mysql/0009_withheld_signals.sql");
const CLAIMED_AUTHORS: &str = include_str!("../../../migrations/mysql/0010_claimed_authors.sql");
const CANDLE_REPAIRS: &str = include_str!("../../../migrations/mysql/0011_candle_repairs.sql");
const SIGNAL_READERS: &str = include_str!("../../../migrations/mysql/0012_signal_readers.sql");
const RETENTION: &str = include_str!("../../../migrations/mysql/0013_retention.sql");
const DECIDED_SERIES: &str = include_str!("../../../migrations/mysql/0013_decided_series.sql");
const OLD_SIGNALS: &str = include_str!("../../../migrations/mysql/0013_old_signals.sql");
/// What this service adds to `signals`, each with the version that has it first.
const OF_SIGNALS: [(i64, &str); 4] = [(1, SIGNALS), (6, EXPIRED_SIGNALS), (9, WITHHELD_SIGNALS), (13, OLD_SIGNALS)];
const KLINES: &str = include_str!("../../../migrations/mysql/klines.sql");
/// How long a change of a large table may take.
const CHANGE_LIMIT: Duration = Duration::from_mins(5);

/// What statements need to know about the tables.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    /// The `AUTO_INCREMENT` column of `signals`, quoted. A table that another service created has its own.
    pub(crate) sequence: String,
    /// The tables of candles whose rows say when they were written.
    dated: Arc<HashSet<String>>,
}

impl Schema {
    /// Whether the rows of a timeframe say when they were written: whether the table has the column `extracted_at`.
    pub(crate) fn is_dated(&self, timeframe: Timeframe) -> bool {
        self.dated.contains(table(timeframe))
    }
}

/// Creates what is missing.
pub(super) async fn migrate(connection: &mut MySqlConnection, limit: Duration) -> Result<Schema, Fault> {
    if !within(limit, is_current(connection)).await? {
        within(limit, lock(connection, limit)).await?;
        // Another process may have done it while this one waited.
        if !within(limit, is_current(connection)).await? {
            within(CHANGE_LIMIT, change(connection)).await?;
        }
        within(limit, unlock(connection)).await?;
    }
    within(limit, warn_of_missing_indexes(connection)).await?;
    let dated = Arc::new(within(limit, dated(connection)).await?);
    let sequence = within(limit, sequence(connection)).await?;
    let reason = "the table `signals` lost its AUTO_INCREMENT column: restore a backup".to_owned();
    sequence
        .map(|sequence| Schema { sequence, dated })
        .ok_or_else(|| StoreError::Corrupt { store: NAME, reason }.into())
}

/// What statements need to know about tables that are left as they are.
pub(super) async fn as_it_is(connection: &mut MySqlConnection, limit: Duration) -> Result<Schema, Fault> {
    let dated = Arc::new(within(limit, dated(connection)).await?);
    let sequence = within(limit, sequence(connection)).await?.unwrap_or_else(|| "`sequence`".to_owned());
    Ok(Schema { sequence, dated })
}

async fn within<T>(limit: Duration, step: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| unavailable(&format!("the schema: no answer within {} s", limit.as_secs_f32()));
    tokio::time::timeout(limit, step).await.map_err(late)?
}

/// Whether there is nothing to do. Returns an error if this version can't work with what a newer one has made.
pub(super) async fn is_current(connection: &mut MySqlConnection) -> Result<bool, Fault> {
    let changes = changes(connection).await?;
    check(NAME, VERSION, &changes, "let MYSQL_URI name another database")?;
    Ok(newest(&changes) >= VERSION && missing_klines(connection).await?.is_empty())
}

/// The changes that the database records.
pub(in crate::mysql) async fn changes(connection: &mut MySqlConnection) -> Result<Vec<SchemaChange>, sqlx::Error> {
    let first = "SELECT CAST(COALESCE(MAX(`version`), 0) AS SIGNED) FROM `ta_bot_schema`";
    let first: i64 = match sqlx::query_scalar(first).fetch_one(&mut *connection).await {
        Err(error) if is_no_table(&error) => 0,
        answer => answer?,
    };
    let mut changes = vec![SchemaChange::breaking(first)];
    if first >= IN_FIRST_TABLE {
        let later = "SELECT CAST(`version` AS SIGNED), CAST(`oldest` AS SIGNED) FROM `ta_bot_schema_changes`";
        let later: Vec<(i64, i64)> = match sqlx::query_as(later).fetch_all(connection).await {
            Err(error) if is_no_table(&error) => Vec::new(),
            answer => answer?,
        };
        changes.extend(later.into_iter().map(|(version, oldest)| SchemaChange { version, oldest }));
    }
    Ok(changes)
}

fn is_no_table(error: &sqlx::Error) -> bool {
    number(error) == Some(1146)
}

pub(in crate::mysql) fn newest(changes: &[SchemaChange]) -> i64 {
    changes.iter().map(|change| change.version).max().unwrap_or_default()
}

/// Lets one process at a time continue. The databases of one server do not share the name of the lock, which is
/// released with the connection.
async fn lock(connection: &mut MySqlConnection, limit: Duration) -> Result<(), Fault> {
    let sql = "SELECT CAST(COALESCE(GET_LOCK(CONCAT('ta_bot_', MD5(DATABASE())), ?), 0) AS SIGNED)";
    let seconds = (limit.as_secs() / 2).max(1);
    let taken: i64 = sqlx::query_scalar(sql).bind(seconds).fetch_one(connection).await?;
    if taken == 1 { Ok(()) } else { Err(unavailable("another process is changing the schema").into()) }
}

async fn unlock(connection: &mut MySqlConnection) -> Result<(), Fault> {
    let sql = "DO RELEASE_LOCK(CONCAT('ta_bot_', MD5(DATABASE())))";
    Ok(sqlx::raw_sql(sql).execute(connection).await.map(drop)?)
}

async fn change(connection: &mut MySqlConnection) -> Result<(), Fault> {
    for timeframe in missing_klines(connection).await? {
        let table = table(timeframe);
        sqlx::raw_sql(AssertSqlSafe(KLINES.replace("{table}", table))).execute(&mut *connection).await?;
        tracing::info!(table, "created the table, because the Data Extractor had not");
    }
    let version = newest(&changes(connection).await?);
    if version < 1 {
        sqlx::raw_sql(INITIAL).execute(&mut *connection).await?;
    }
    if version < 2 {
        sqlx::raw_sql(DEPLOYMENTS).execute(&mut *connection).await?;
    }
    if version < 3 {
        sqlx::raw_sql(FAILURES).execute(&mut *connection).await?;
    }
    if version < 4 {
        sqlx::raw_sql(SHADOWS).execute(&mut *connection).await?;
    }
    if version < 5 {
        sqlx::raw_sql(COSTS).execute(&mut *connection).await?;
    }
    if version < 7 {
        sqlx::raw_sql(REVISIONS).execute(&mut *connection).await?;
    }
    if version < 8 {
        sqlx::raw_sql(SCHEMA_CHANGES).execute(&mut *connection).await?;
    }
    if version < 10 && !has_column(connection, "ta_bot_deployments", "claimed_by").await? {
        sqlx::raw_sql(CLAIMED_AUTHORS).execute(&mut *connection).await?;
    }
    if version < 11 {
        sqlx::raw_sql(CANDLE_REPAIRS).execute(&mut *connection).await?;
    }
    if version < 12 {
        sqlx::raw_sql(SIGNAL_READERS).execute(&mut *connection).await?;
    }
    if version < 13 {
        sqlx::raw_sql(RETENTION).execute(&mut *connection).await?;
        if !has_column(connection, "begun_series", "decided_to").await? {
            sqlx::raw_sql(DECIDED_SERIES).execute(&mut *connection).await?;
        }
    }
    let ours = OF_SIGNALS.iter().filter(|(since, _)| version < *since).map(|(_, ours)| *ours);
    complete_signals(connection, &ours.collect::<String>()).await?;
    let sql = "CREATE TABLE IF NOT EXISTS `ta_bot_schema` (`version` INT NOT NULL PRIMARY KEY,
                   `applied_at` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)) ENGINE = InnoDB;
               INSERT IGNORE INTO `ta_bot_schema` (`version`) VALUES (1), (2), (3), (4), (5), (6), (7);
               INSERT IGNORE INTO `ta_bot_schema_changes` (`version`, `oldest`) VALUES
                   (8, 7), (9, 7), (10, 7), (11, 7), (12, 7), (13, 7)";
    sqlx::raw_sql(sql).execute(connection).await?;
    Ok(())
}

/// Adds those of our columns and indexes that `signals` does not have yet, in one statement, so that a large table is
/// rebuilt at most once.
async fn complete_signals(connection: &mut MySqlConnection, ours: &str) -> Result<(), Fault> {
    let there = names_in_signals(connection).await?;
    let mut additions = Vec::new();
    let sequence = sequence(connection).await?.unwrap_or_else(|| {
        additions.push("ADD COLUMN `sequence` BIGINT NOT NULL AUTO_INCREMENT UNIQUE".to_owned());
        "`sequence`".to_owned()
    });
    let ours = ours.lines().filter(|line| line.starts_with("ADD "));
    let missing = ours.filter(|line| line.split('`').nth(1).is_some_and(|name| !there.contains(name)));
    additions.extend(missing.map(|line| line.replace("{sequence}", &sequence)));
    if !additions.is_empty() {
        let sql = format!("ALTER TABLE `signals` {}", additions.join(", "));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    }
    Ok(())
}

/// Whether an interrupted migration has added the column already.
async fn has_column(connection: &mut MySqlConnection, table: &str, column: &str) -> Result<bool, sqlx::Error> {
    let sql = "SELECT CAST(COUNT(*) AS SIGNED) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?";
    let columns: i64 = sqlx::query_scalar(sql).bind(table).bind(column).fetch_one(connection).await?;
    Ok(columns > 0)
}

/// The names of columns and indexes of `signals`.
pub(super) async fn names_in_signals(connection: &mut MySqlConnection) -> Result<HashSet<String>, sqlx::Error> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'signals'
               UNION ALL
               SELECT CAST(index_name AS CHAR) FROM information_schema.statistics
               WHERE table_schema = DATABASE() AND table_name = 'signals'";
    let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(names.into_iter().collect())
}

/// The `AUTO_INCREMENT` column of `signals`, quoted.
async fn sequence(connection: &mut MySqlConnection) -> Result<Option<String>, Fault> {
    let sql = "SELECT CAST(column_name AS CHAR) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'signals' AND extra LIKE '%auto_increment%'";
    let name: Option<String> = sqlx::query_scalar(sql).fetch_optional(connection).await?;
    Ok(name.map(|name| format!("`{}`", name.replace('`', "``"))))
}

/// The tables of candles that have the column `extracted_at`. The others are believed as far as the clock goes.
async fn dated(connection: &mut MySqlConnection) -> Result<HashSet<String>, Fault> {
    let dated = with_moment_of_writing(connection).await?;
    for timeframe in Timeframe::ALL.into_iter().filter(|timeframe| !dated.contains(table(*timeframe))) {
        let table = table(timeframe);
        tracing::warn!(table, "the table has no column extracted_at: candles that are still open can't be told apart");
    }
    Ok(dated)
}

/// The tables of candles whose rows say when they were written.
pub(in crate::mysql) async fn with_moment_of_writing(
    connection: &mut MySqlConnection,
) -> Result<HashSet<String>, sqlx::Error> {
    let sql = "SELECT CAST(table_name AS CHAR) FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name LIKE 'klines\\_%' AND column_name = 'extracted_at'";
    let dated: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    Ok(dated.into_iter().collect())
}

/// The timeframes that have no table of candles.
pub(in crate::mysql) async fn missing_klines(connection: &mut MySqlConnection) -> Result<Vec<Timeframe>, sqlx::Error> {
    let sql = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables
               WHERE table_schema = DATABASE() AND table_name LIKE 'klines\\_%'";
    let there: Vec<String> = sqlx::query_scalar(sql).fetch_all(connection).await?;
    let is_there = |timeframe: &Timeframe| there.iter().any(|name| name == table(*timeframe));
    Ok(Timeframe::ALL.into_iter().filter(|timeframe| !is_there(timeframe)).collect())
}

/// Warns of candle tables without an index. They are not ours to change.
async fn warn_of_missing_indexes(connection: &mut MySqlConnection) -> Result<(), Fault> {
    for table in without_index(connection).await? {
        tracing::warn!(table, "the table has no index on (symbol, timestamp): add one, reads are slow without it");
    }
    Ok(())
}

/// The tables of candles that have no index on symbol and time. Without it each read goes through a whole table.
pub(in crate::mysql) async fn without_index(connection: &mut MySqlConnection) -> Result<Vec<String>, sqlx::Error> {
    let sql = "SELECT CAST(t.table_name AS CHAR) AS name FROM information_schema.tables t
               WHERE t.table_schema = DATABASE() AND t.table_name LIKE 'klines\\_%' AND NOT EXISTS
                   (SELECT 1 FROM information_schema.statistics a JOIN information_schema.statistics b
                    ON b.table_schema = a.table_schema AND b.table_name = a.table_name AND b.index_name = a.index_name
                    WHERE a.table_schema = t.table_schema AND a.table_name = t.table_name
                      AND a.seq_in_index = 1 AND a.column_name = 'symbol'
                      AND b.seq_in_index = 2 AND b.column_name = 'timestamp')";
    sqlx::query_scalar(sql).fetch_all(connection).await
}
