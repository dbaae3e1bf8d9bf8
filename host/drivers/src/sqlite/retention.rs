//! What is kept in the embedded database, and for how long.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Row as _};
use ta_bot_core::{ModuleDigest, SignalId, StrategyId, Timestamp};
use ta_bot_engine::{
    retention::{
        kind::Kind,
        store::{Prunable, RetentionStore, Stored},
    },
    signals::cursor::Cursor,
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

mod remove;

/// The embedded store.
#[derive(Debug, Clone)]
pub struct SqliteRetention {
    database: Database,
    kinds: &'static [Kind],
}

impl SqliteRetention {
    const BESIDE_SIGNALS: [Kind; 6] =
        [Kind::Signals, Kind::FinishedJobs, Kind::DeadJobs, Kind::Costs, Kind::Failures, Kind::Shadows];
    const ALL: [Kind; 7] =
        [Kind::Signals, Kind::FinishedJobs, Kind::DeadJobs, Kind::Costs, Kind::Failures, Kind::Shadows, Kind::Audits];

    /// All that `database` keeps.
    pub const fn new(database: Database) -> Self {
        Self { database, kinds: &Self::ALL }
    }

    /// The signals and what lies beside them, without the histories of parameters.
    pub const fn beside_signals(database: Database) -> Self {
        Self { database, kinds: &Self::BESIDE_SIGNALS }
    }

    /// The histories of parameters and settings alone.
    pub const fn of_settings(database: Database) -> Self {
        Self { database, kinds: &[Kind::Audits] }
    }

    /// The first position that some reader of signals has not seen.
    async fn first_unseen(&self) -> Result<Option<i64>, StoreError> {
        let cursors = async {
            let rows = sqlx::query("SELECT cursor FROM signal_readers").fetch_all(self.database.readers()).await?;
            rows.iter().map(|found| row::parsed::<Cursor>(found, "cursor")).collect::<Result<Vec<_>, _>>()
        };
        Ok(self.database.read(cursors).await?.iter().map(Cursor::first_unseen).min())
    }

    async fn number(&self, sql: String, bound: &[i64]) -> Result<Option<i64>, StoreError> {
        let number = async {
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for value in bound {
                query = query.bind(*value);
            }
            let found = query.fetch_optional(self.database.readers()).await?;
            found.map_or(Ok(None), |found| found.try_get(0))
        };
        self.database.read(number).await
    }
}

/// The table of a kind and the column by which its rows are judged; `None` if it is elsewhere.
const fn place(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Signals => Some(("signals", "created_at")),
        Kind::FinishedJobs => Some(("finished_jobs", "candle_close")),
        Kind::DeadJobs => Some(("dead_jobs", "died_at")),
        Kind::Costs => Some(("costs", "hour")),
        Kind::Failures => Some(("failures", "at")),
        Kind::Shadows => Some(("shadow_comparisons", "candle_close")),
        Kind::Audits => Some(("strategy_config_audit", "changed_at")),
        Kind::Modules | Kind::Compiled | Kind::Backtests => None,
    }
}

#[async_trait]
impl Prunable for SqliteRetention {
    fn kinds(&self) -> &'static [Kind] {
        self.kinds
    }

    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let first_unseen = if kind == Kind::Signals { self.first_unseen().await? } else { None };
        let removed = async {
            let mut transaction = self.database.begin().await?;
            let removed = remove::remove(&mut transaction, kind, before, limit, first_unseen).await?;
            transaction.commit().await?;
            Ok(removed)
        };
        self.database.write(limit as usize, removed).await
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        let Some((table, column)) = place(kind) else { return Ok(0) };
        let kept = match kind {
            Kind::Signals => "AND NOT (published_at IS NULL AND expired_at IS NULL AND withheld_at IS NULL)",
            Kind::DeadJobs => "AND retried_at IS NULL",
            _ => "",
        };
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {column} < ? {kept} LIMIT ?)");
        Ok(self.number(sql, &[before.millis(), most.into()]).await?.unwrap_or_default().unsigned_abs())
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        let Some((table, column)) = place(kind) else { return Ok(Stored::default()) };
        let rows = self.number(format!("SELECT count(*) FROM {table}"), &[]).await?;
        let oldest = self.number(format!("SELECT min({column}) FROM {table}"), &[]).await?;
        // How many of the file's pages belong to a table is not known without reading them.
        Ok(Stored { rows: rows.map(i64::unsigned_abs), bytes: None, oldest: oldest.map(Timestamp::from_millis) })
    }
}

#[async_trait]
impl RetentionStore for SqliteRetention {
    async fn removed_to(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        let removed = async {
            let query = sqlx::query_scalar("SELECT removed_to FROM retention WHERE kind = ?").bind(kind.as_str());
            query.fetch_optional(self.database.readers()).await
        };
        Ok(self.database.read(removed).await?.map(Timestamp::from_millis))
    }

    async fn signal_of(&self, strategy: &StrategyId, module: ModuleDigest) -> Result<Option<SignalId>, StoreError> {
        let found = async {
            let sql =
                "SELECT signal_id FROM signals WHERE strategy = ? AND provenance LIKE ? ORDER BY sequence DESC LIMIT 1";
            let query = sqlx::query(sql).bind(strategy.as_str()).bind(format!("%{module}%"));
            let found = query.fetch_optional(self.database.readers()).await?;
            found.map(|found| row::parsed(&found, "signal_id")).transpose()
        };
        self.database.read(found).await
    }

    async fn forget_readers(&self, readers: &[String], before: Timestamp) -> Result<Vec<String>, StoreError> {
        let forgotten = async {
            let mut transaction = self.database.begin().await?;
            let sql = "DELETE FROM signal_readers WHERE updated_at < ?1
                           AND name NOT IN (SELECT value FROM json_each(?2)) RETURNING name";
            let query = sqlx::query_scalar(sql).bind(before.millis()).bind(row::to_json(&readers)?);
            let forgotten: Vec<String> = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(forgotten)
        };
        self.database.write(1, forgotten).await
    }
}
