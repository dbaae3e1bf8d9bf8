//! What is kept on a MySQL server that replicas share, and for how long.
//!
//! Each removal first reads the keys of the oldest rows by an index, without a lock, and then deletes exactly these. So
//! it locks no row that a commit writes, and no gap into which one is inserted.

use async_trait::async_trait;
use sqlx::{AssertSqlSafe, MySql, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{ModuleDigest, SignalId, StrategyId, Timestamp};
use ta_bot_engine::{
    retention::{
        kind::Kind,
        store::{Prunable, RetentionStore, Stored},
    },
    signals::cursor::Cursor,
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, row, store_error};

mod remove;

use remove::Removal;

/// The store on a MySQL server. The histories of parameters are elsewhere.
#[derive(Debug, Clone)]
pub struct MysqlRetention {
    database: Mysql,
}

impl MysqlRetention {
    const KINDS: [Kind; 6] =
        [Kind::Signals, Kind::FinishedJobs, Kind::DeadJobs, Kind::Costs, Kind::Failures, Kind::Shadows];

    /// What `database` keeps.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }

    /// The first position that some reader of signals has not seen.
    async fn first_unseen(&self) -> Result<Option<i64>, StoreError> {
        let rows = self.database.rows(QueryBuilder::new("SELECT `cursor` FROM `ta_bot_signal_readers`")).await?;
        let cursors = rows.iter().map(|row| row::parsed::<Cursor>(row, "cursor")).collect::<Result<Vec<_>, _>>();
        Ok(cursors.map_err(|error| store_error(&error))?.iter().map(Cursor::first_unseen).min())
    }

    /// The number of the first row of a query; `None` if it is NULL or there is no row.
    async fn number(&self, query: QueryBuilder<MySql>) -> Result<Option<i64>, StoreError> {
        let rows = self.database.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        row.try_get(0).map_err(|error| store_error(&error))
    }

    async fn oldest(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        let committed = row::millis_of("MIN(`committed_at`)");
        let sql = match kind {
            Kind::Signals => format!("SELECT {committed} FROM `signals`"),
            Kind::FinishedJobs => {
                "SELECT MIN(`oldest`) FROM (SELECT MIN(`candle_close`) AS `oldest` FROM `finished_jobs` GROUP BY `timeframe`)
                 AS `of_timeframes`"
                    .to_owned()
            }
            Kind::DeadJobs => "SELECT MIN(`died_at`) FROM `dead_jobs`".to_owned(),
            Kind::Costs => "SELECT MIN(`hour`) FROM `ta_bot_costs`".to_owned(),
            Kind::Failures => "SELECT `at` FROM `ta_bot_failures` ORDER BY `sequence` LIMIT 1".to_owned(),
            Kind::Shadows => {
                "SELECT MIN(`oldest`) FROM (SELECT MIN(`candle_close`) AS `oldest` FROM `ta_bot_shadow_comparisons`
                                            GROUP BY `began`, `timeframe`) AS `of_shadows`"
                    .to_owned()
            }
            Kind::Audits | Kind::Modules | Kind::Compiled | Kind::Backtests => return Ok(None),
        };
        Ok(self.number(QueryBuilder::new(sql)).await?.map(Timestamp::from_millis))
    }
}

/// The table of a kind; `None` if it is elsewhere.
const fn table(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Signals => Some("signals"),
        Kind::FinishedJobs => Some("finished_jobs"),
        Kind::DeadJobs => Some("dead_jobs"),
        Kind::Costs => Some("ta_bot_costs"),
        Kind::Failures => Some("ta_bot_failures"),
        Kind::Shadows => Some("ta_bot_shadow_comparisons"),
        Kind::Audits | Kind::Modules | Kind::Compiled | Kind::Backtests => None,
    }
}

#[async_trait]
impl Prunable for MysqlRetention {
    fn kinds(&self) -> &'static [Kind] {
        &Self::KINDS
    }

    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if table(kind).is_none() || limit == 0 {
            return Ok(0);
        }
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let first_unseen = if kind == Kind::Signals { self.first_unseen().await? } else { None };
        let removal = &Removal { kind, before, limit, first_unseen, sequence: &schema.sequence };
        let removed = || async move {
            let mut transaction = self.database.begin().await?;
            let removed = removal.make(transaction.connection()).await;
            transaction.end(removed).await
        };
        self.database.write(limit as usize, removed).await
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        let Some(table) = table(kind) else { return Ok(0) };
        let mut query = QueryBuilder::new("SELECT COUNT(*) FROM (SELECT 1 FROM `");
        query.push(table).push("` WHERE ");
        remove::push_older(&mut query, kind, before);
        query.push(" LIMIT ").push_bind(i64::from(most)).push(") AS `due`");
        Ok(self.number(query).await?.unwrap_or_default().unsigned_abs())
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        let Some(table) = table(kind) else { return Ok(Stored::default()) };
        // These are estimates, and cost nothing.
        let mut query = QueryBuilder::new(
            "SELECT CAST(table_rows AS SIGNED) AS `rows`, CAST(data_length + index_length AS SIGNED) AS `bytes`
             FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ",
        );
        query.push_bind(table);
        let found = self.database.rows(query).await?;
        let number = |column| {
            let read = |row: &MySqlRow| row.try_get::<Option<i64>, _>(column).map_err(|error| store_error(&error));
            found.first().map(read).transpose().map(|number| number.flatten().map(i64::unsigned_abs))
        };
        Ok(Stored { rows: number("rows")?, bytes: number("bytes")?, oldest: self.oldest(kind).await? })
    }
}

#[async_trait]
impl RetentionStore for MysqlRetention {
    async fn removed_to(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError> {
        let mut query = QueryBuilder::new("SELECT `removed_to` FROM `ta_bot_retention` WHERE `kind` = ");
        query.push_bind(kind.as_str());
        Ok(self.number(query).await?.map(Timestamp::from_millis))
    }

    async fn signal_of(&self, strategy: &StrategyId, module: ModuleDigest) -> Result<Option<SignalId>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let sql = format!(
            "SELECT `signal_id` FROM `signals` WHERE `strategy` = ? AND `signal_id` IS NOT NULL
                 AND CAST(`provenance` AS CHAR) LIKE ? ORDER BY {} DESC LIMIT 1",
            schema.sequence
        );
        let found = async {
            let mut connection = self.database.connection().await?;
            let query = sqlx::query(AssertSqlSafe(sql)).bind(strategy.as_str()).bind(format!("%{module}%"));
            let found = query.fetch_optional(&mut *connection).await;
            connection.end(found)
        };
        // If there is none, all signals of the strategy are looked at.
        let found = self.database.count(found).await?;
        found.map(|row| row::parsed(&row, "signal_id")).transpose().map_err(|error| store_error(&error))
    }

    async fn forget_readers(&self, readers: &[String], before: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut query = QueryBuilder::new("SELECT `name` FROM `ta_bot_signal_readers` WHERE `updated_at` < ");
        query.push_bind(before.millis());
        let found = self.database.rows(query).await?;
        let names = found.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>();
        let mut forgotten = names.map_err(|error| store_error(&error))?;
        forgotten.retain(|name| !readers.contains(name));
        for name in &forgotten {
            let removed = || async move {
                let mut transaction = self.database.begin().await?;
                let query = sqlx::query("DELETE FROM `ta_bot_signal_readers` WHERE `name` = ? AND `updated_at` < ?");
                let query = query.bind(name).bind(before.millis());
                let removed = query.execute(transaction.connection()).await.map(drop);
                transaction.end(removed).await
            };
            self.database.write(1, removed).await?;
        }
        Ok(forgotten)
    }
}
