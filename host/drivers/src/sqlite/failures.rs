//! Bundles in the embedded database.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite, sqlite::SqliteRow};
use ta_bot_core::{FailureId, Job};
use ta_bot_engine::{
    supervision::failure::{
        FailureFilter, FailureStore, FailureSummary, KEPT_OF_A_MODULE, RecordedError,
        packed::{Packed, unpacked},
    },
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, NAME, row};

/// The embedded store of bundles.
#[derive(Debug, Clone)]
pub struct SqliteFailures {
    database: Database,
}

impl SqliteFailures {
    /// Bundles in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl FailureStore for SqliteFailures {
    async fn put(&self, bundle: &Packed) -> Result<bool, StoreError> {
        let Packed { summary, bytes } = bundle;
        let module = summary.module.to_string();
        let put = async {
            let mut transaction = self.database.begin().await?;
            let sql = "INSERT INTO failures (id, strategy, module, symbol, timeframe, candle_close, code, message, at, document)
                       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING";
            let insert = sqlx::query(sql).bind(summary.id.to_string()).bind(summary.strategy.as_str()).bind(&module);
            let insert = insert.bind(summary.job.symbol.as_str()).bind(summary.job.timeframe.as_str());
            let insert = insert.bind(summary.job.candle_close.millis()).bind(&summary.error.code);
            let insert = insert.bind(&summary.error.message).bind(summary.at.millis()).bind(bytes);
            let is_new = insert.execute(&mut *transaction).await?.rows_affected() > 0;
            if is_new {
                let sql = "DELETE FROM failures WHERE module = ?1 AND sequence <= (SELECT sequence FROM failures
                           WHERE module = ?1 ORDER BY sequence DESC LIMIT 1 OFFSET ?2)";
                let delete = sqlx::query(sql).bind(&module).bind(KEPT_OF_A_MODULE);
                delete.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(is_new)
        };
        self.database.write(1, put).await
    }

    async fn get(&self, id: FailureId) -> Result<Option<String>, StoreError> {
        let found = async {
            let query = sqlx::query_scalar("SELECT document FROM failures WHERE id = ?").bind(id.to_string());
            query.fetch_optional(self.database.readers()).await
        };
        let bytes: Option<Vec<u8>> = self.database.read(found).await?;
        bytes.map(|bytes| unpacked(NAME, &bytes)).transpose()
    }

    async fn list(&self, filter: &FailureFilter) -> Result<Vec<FailureSummary>, StoreError> {
        let found = async {
            let rows = selection(filter).build().fetch_all(self.database.readers()).await?;
            rows.iter().map(summary).collect()
        };
        self.database.read(found).await
    }
}

/// Adds only the requested conditions, so that each of them can use its index.
fn selection(filter: &FailureFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT id, strategy, module, symbol, timeframe, candle_close, code, message, at FROM failures WHERE TRUE",
    );
    if let Some(strategy) = &filter.strategy {
        query.push(" AND strategy = ").push_bind(strategy.as_str());
    }
    if let Some(module) = filter.module {
        query.push(" AND module = ").push_bind(module.to_string());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    query.push(" ORDER BY sequence DESC LIMIT ").push_bind(filter.limit);
    query
}

fn summary(found: &SqliteRow) -> Result<FailureSummary, sqlx::Error> {
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
