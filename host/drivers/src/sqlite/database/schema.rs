//! Brings a file up to this version's schema.
//!
//! The version is the file's own `user_version`, and from version 11 on what the table `schema_changes` says. Both are
//! read and changed under the write lock, so two processes that start at once on a new file can't both build it. A file
//! of a newer version is left as it is, and used if its changes allow that.

use sqlx::{Sqlite, SqliteConnection, SqlitePool, Transaction};
use ta_bot_engine::support::{
    schema::{SchemaChange, check},
    store_error::StoreError,
};

use super::{NAME, store_error};

/// The scripts. Each one brings the version before it to its own number, counted from 1, and records that itself: up to
/// 10 in `user_version`, then in `schema_changes`.
const MIGRATIONS: [&str; 17] = [
    include_str!("../../../migrations/sqlite/0001_initial.sql"),
    include_str!("../../../migrations/sqlite/0002_retried_jobs.sql"),
    include_str!("../../../migrations/sqlite/0003_strategy_modules.sql"),
    include_str!("../../../migrations/sqlite/0004_uploaded_modules.sql"),
    include_str!("../../../migrations/sqlite/0005_deployments.sql"),
    include_str!("../../../migrations/sqlite/0006_failures.sql"),
    include_str!("../../../migrations/sqlite/0007_shadows.sql"),
    include_str!("../../../migrations/sqlite/0008_costs.sql"),
    include_str!("../../../migrations/sqlite/0009_expired_signals.sql"),
    include_str!("../../../migrations/sqlite/0010_revisions.sql"),
    include_str!("../../../migrations/sqlite/0011_schema_changes.sql"),
    include_str!("../../../migrations/sqlite/0012_withheld_signals.sql"),
    include_str!("../../../migrations/sqlite/0013_removed_modules.sql"),
    include_str!("../../../migrations/sqlite/0014_claimed_authors.sql"),
    include_str!("../../../migrations/sqlite/0015_candle_repairs.sql"),
    include_str!("../../../migrations/sqlite/0016_signal_readers.sql"),
    include_str!("../../../migrations/sqlite/0017_retention.sql"),
];
/// The version of the schema after this version has created or changed the file.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;
/// The last version that is recorded in `user_version`, unless a later change is recorded there as one with which no
/// older version can work.
const IN_USER_VERSION: i64 = 10;
/// The `application_id` of our files: "TABT".
const APPLICATION: i64 = 0x5441_4254;

pub(super) async fn migrate(writer: &SqlitePool) -> Result<(), StoreError> {
    let failed = |error| store_error(&error);
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    let version = version(&mut transaction).await?;
    for script in MIGRATIONS.iter().skip(version) {
        sqlx::raw_sql(*script).execute(&mut *transaction).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// Returns the version of the file. Fails if the file belongs to another program, or to a newer version that this one
/// can't work with.
async fn version(transaction: &mut Transaction<'static, Sqlite>) -> Result<usize, StoreError> {
    let (version, application, tables) = marks(transaction).await.map_err(|error| store_error(&error))?;
    let corrupt = |reason| Err(StoreError::Corrupt { store: NAME, reason });
    if !is_ours(application, tables) {
        return corrupt(
            "it is another program's database: move it away, or set DATA_DIR to another directory".to_owned(),
        );
    }
    let changes = changes(transaction, version).await?;
    check(NAME, VERSION, &changes, "set DATA_DIR to another directory")?;
    let newest = changes.iter().map(|change| change.version).max();
    usize::try_from(newest.unwrap_or_default())
        .or_else(|_| corrupt(format!("its schema has version {version}, which no version of TA Bot has made")))
}

/// The version that the file itself records, the program that it belongs to, and how many tables it has.
pub(super) async fn marks(connection: &mut SqliteConnection) -> Result<(i64, i64, i64), sqlx::Error> {
    let sql = "SELECT (SELECT user_version FROM pragma_user_version),
                      (SELECT application_id FROM pragma_application_id), count(*) FROM sqlite_schema";
    sqlx::query_as(sql).fetch_one(connection).await
}

/// Whether a file belongs to TA Bot, or to nobody yet.
pub(super) const fn is_ours(application: i64, tables: i64) -> bool {
    application == APPLICATION || (tables == 0 && application == 0)
}

/// The changes that a file records which has this version.
pub(super) async fn changes(connection: &mut SqliteConnection, version: i64) -> Result<Vec<SchemaChange>, StoreError> {
    let mut changes = vec![SchemaChange::breaking(version)];
    if version >= IN_USER_VERSION {
        changes.extend(recorded(connection).await?);
    }
    Ok(changes)
}

/// What `schema_changes` says; nothing if there is no such table yet.
async fn recorded(connection: &mut SqliteConnection) -> Result<Vec<SchemaChange>, StoreError> {
    let failed = |error| store_error(&error);
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_changes'";
    let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut *connection).await.map_err(failed)?;
    if tables == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as::<_, (i64, i64)>("SELECT version, oldest FROM schema_changes");
    let rows = rows.fetch_all(connection).await.map_err(failed)?;
    Ok(rows.into_iter().map(|(version, oldest)| SchemaChange { version, oldest }).collect())
}
