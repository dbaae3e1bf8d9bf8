//! Brings a file up to this version's schema.
//!
//! The version is the file's own `user_version`, which is read and changed under the write lock. So two processes that
//! start at once on a new file can't both build it, and a file of a newer version is left alone.

use sqlx::{Sqlite, SqlitePool, Transaction};
use ta_bot_engine::support::store_error::StoreError;

use super::{NAME, store_error};

/// The scripts. Each one brings the version before it to its own number, counted from 1, and sets `user_version`
/// itself.
const MIGRATIONS: [&str; 11] = [
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
    include_str!("../../../migrations/sqlite/0011_withheld_signals.sql"),
];
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

/// Returns the version of the file. Fails if the file belongs to another program or to a newer version.
async fn version(transaction: &mut Transaction<'static, Sqlite>) -> Result<usize, StoreError> {
    let sql = "SELECT (SELECT user_version FROM pragma_user_version),
                      (SELECT application_id FROM pragma_application_id), count(*) FROM sqlite_schema";
    let found = sqlx::query_as::<_, (i64, i64, i64)>(sql).fetch_one(&mut **transaction).await;
    let (version, application, tables) = found.map_err(|error| store_error(&error))?;
    let corrupt = |reason| Err(StoreError::Corrupt { store: NAME, reason });
    if application != APPLICATION && (tables > 0 || application != 0) {
        return corrupt(
            "it is another program's database: move it away, or set DATA_DIR to another directory".to_owned(),
        );
    }
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => corrupt(format!(
            "its schema has version {version}, and this version of TA Bot knows versions up to {}: run the version of \
             TA Bot that made it, or set DATA_DIR to another directory",
            MIGRATIONS.len()
        )),
    }
}
