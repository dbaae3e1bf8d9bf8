//! Bundles on a MySQL server that replicas share.

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{FailureId, Job};
use ta_bot_engine::{
    supervision::failure::{
        FailureFilter, FailureStore, FailureSummary, KEPT_OF_A_MODULE, RecordedError,
        packed::{Packed, unpacked},
    },
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, NAME, row, store_error};

/// The store of bundles on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlFailures {
    database: Mysql,
}

impl MysqlFailures {
    /// Bundles in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

#[async_trait]
impl FailureStore for MysqlFailures {
    async fn put(&self, bundle: &Packed) -> Result<bool, StoreError> {
        let put = || async move {
            let mut transaction = self.database.begin().await?;
            let put = insert(transaction.connection(), bundle).await;
            transaction.end(put).await
        };
        let is_new = self.database.write(1, put).await?;
        if is_new {
            // In a transaction of its own: one that inserts and then locks rows of others would conflict with theirs.
            let thinned = || async move {
                let mut transaction = self.database.begin().await?;
                let thinned = thin_out(transaction.connection(), bundle).await;
                transaction.end(thinned).await
            };
            self.database.write(1, thinned).await?;
        }
        Ok(is_new)
    }

    async fn get(&self, id: FailureId) -> Result<Option<String>, StoreError> {
        let mut query = QueryBuilder::new("SELECT `document` FROM `ta_bot_failures` WHERE `id` = ");
        query.push_bind(id.to_string());
        let Some(row) = self.database.rows(query).await?.pop() else { return Ok(None) };
        let bytes: &[u8] = row.try_get("document").map_err(|error| store_error(&error))?;
        unpacked(NAME, bytes).map(Some)
    }

    async fn list(&self, filter: &FailureFilter) -> Result<Vec<FailureSummary>, StoreError> {
        let rows = self.database.rows(selection(filter)).await?;
        rows.iter().map(summary).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }
}

/// Inserts a bundle that is not stored yet. Looking first avoids sending one that is.
async fn insert(connection: &mut MySqlConnection, bundle: &Packed) -> Result<bool, sqlx::Error> {
    let Packed { summary, bytes } = bundle;
    let id = summary.id.to_string();
    let known = sqlx::query("SELECT 1 FROM `ta_bot_failures` WHERE `id` = ?").bind(&id);
    if known.fetch_optional(&mut *connection).await?.is_some() {
        return Ok(false);
    }
    let sql =
        "INSERT INTO `ta_bot_failures` (`id`, `strategy`, `module`, `symbol`, `timeframe`, `candle_close`, `code`,
               `message`, `at`, `document`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let insert = sqlx::query(sql).bind(&id).bind(summary.strategy.as_str()).bind(summary.module.to_string());
    let insert = insert.bind(summary.job.symbol.as_str()).bind(summary.job.timeframe.as_str());
    let insert = insert.bind(summary.job.candle_close.millis()).bind(&summary.error.code);
    let insert = insert.bind(&summary.error.message).bind(summary.at.millis()).bind(bytes);
    // If another replica inserts the same bundle meanwhile, that is a conflict, and the transaction is repeated.
    insert.execute(connection).await.map(|_| true)
}

/// Deletes the bundles of the module that are not among the newest.
async fn thin_out(connection: &mut MySqlConnection, bundle: &Packed) -> Result<(), sqlx::Error> {
    let module = bundle.summary.module.to_string();
    let sql = "SELECT `sequence` FROM `ta_bot_failures` WHERE `module` = ? ORDER BY `sequence` DESC LIMIT 1 OFFSET ?";
    let newest = sqlx::query_scalar::<_, i64>(sql).bind(&module).bind(i64::from(KEPT_OF_A_MODULE));
    let Some(newest) = newest.fetch_optional(&mut *connection).await? else { return Ok(()) };
    let sql = "DELETE FROM `ta_bot_failures` WHERE `module` = ? AND `sequence` <= ?";
    sqlx::query(sql).bind(&module).bind(newest).execute(connection).await.map(drop)
}

/// Adds only the requested conditions, so that each of them can use its index.
fn selection(filter: &FailureFilter) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "SELECT `id`, `strategy`, `module`, `symbol`, `timeframe`, `candle_close`, `code`, `message`, `at`
         FROM `ta_bot_failures` WHERE TRUE",
    );
    if let Some(strategy) = &filter.strategy {
        query.push(" AND `strategy` = ").push_bind(strategy.as_str());
    }
    if let Some(module) = filter.module {
        query.push(" AND `module` = ").push_bind(module.to_string());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND `symbol` = ").push_bind(symbol.as_str());
    }
    query.push(" ORDER BY `sequence` DESC LIMIT ").push_bind(i64::from(filter.limit));
    query
}

fn summary(found: &MySqlRow) -> Result<FailureSummary, sqlx::Error> {
    Ok(FailureSummary {
        id: row::parsed(found, "id")?,
        strategy: row::parsed(found, "strategy")?,
        module: row::parsed(found, "module")?,
        job: Job {
            symbol: row::parsed(found, "symbol")?,
            timeframe: row::parsed(found, "timeframe")?,
            candle_close: row::moment(found, "candle_close")?,
        },
        error: RecordedError { code: found.try_get("code")?, message: found.try_get("message")? },
        at: row::moment(found, "at")?,
    })
}
