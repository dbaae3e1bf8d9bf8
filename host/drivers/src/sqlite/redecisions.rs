//! Decisions that were made again, in the embedded database.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite, sqlite::SqliteRow};
use ta_bot_core::Job;
use ta_bot_engine::{
    signals::redecision_store::{ROWS_IN_A_STATEMENT, Redecision, RedecisionFilter, RedecisionStore},
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

/// The embedded store of decisions that were made again.
#[derive(Debug, Clone)]
pub struct SqliteRedecisions {
    database: Database,
}

impl SqliteRedecisions {
    /// Decisions in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RedecisionStore for SqliteRedecisions {
    async fn add(&self, decisions: &[Redecision]) -> Result<(), StoreError> {
        if decisions.is_empty() {
            return Ok(());
        }
        let added = async {
            let mut transaction = self.database.begin().await?;
            for rows in decisions.chunks(ROWS_IN_A_STATEMENT) {
                addition(rows).build().execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.database.write(decisions.len(), added).await
    }

    async fn list(&self, filter: &RedecisionFilter) -> Result<Vec<Redecision>, StoreError> {
        let found = async {
            let rows = selection(filter).build().fetch_all(self.database.readers()).await?;
            rows.iter().map(redecision).collect()
        };
        self.database.read(found).await
    }
}

fn addition(decisions: &[Redecision]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "INSERT OR REPLACE INTO redecisions
             (repair, timeframe, candle_close, symbol, strategy, module, outcome, signal_id, message, decided_at) ",
    );
    query.push_values(decisions, |mut row, decision| {
        let Job { symbol, timeframe, candle_close } = &decision.job;
        let (id, message) = decision.signal.as_ref().map(|(id, message)| (id.as_str(), message.as_str())).unzip();
        row.push_bind(decision.repair).push_bind(timeframe.as_str()).push_bind(candle_close.millis());
        row.push_bind(symbol.as_str()).push_bind(decision.strategy.as_str()).push_bind(decision.module.to_string());
        row.push_bind(decision.outcome.as_str()).push_bind(id).push_bind(message);
        row.push_bind(decision.decided_at.millis());
    });
    query
}

fn selection(filter: &RedecisionFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT repair, timeframe, candle_close, symbol, strategy, module, outcome, signal_id, message, decided_at
         FROM redecisions WHERE repair = ",
    );
    query.push_bind(filter.repair);
    if let Some(strategy) = &filter.strategy {
        query.push(" AND strategy = ").push_bind(strategy.as_str());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    if let Some(after) = filter.after {
        query.push(" AND candle_close > ").push_bind(after.millis());
    }
    query.push(" ORDER BY candle_close, timeframe, symbol, strategy LIMIT ").push_bind(filter.limit);
    query
}

fn redecision(found: &SqliteRow) -> Result<Redecision, sqlx::Error> {
    let id: Option<&str> = found.try_get("signal_id")?;
    let id = id.map(|_| row::parsed(found, "signal_id")).transpose()?;
    let message: Option<String> = found.try_get("message")?;
    Ok(Redecision {
        repair: found.try_get("repair")?,
        job: Job {
            symbol: row::parsed(found, "symbol")?,
            timeframe: row::parsed(found, "timeframe")?,
            candle_close: row::moment(found, "candle_close")?,
        },
        strategy: row::parsed(found, "strategy")?,
        module: row::parsed(found, "module")?,
        outcome: found.try_get("outcome")?,
        signal: id.zip(message),
        decided_at: row::moment(found, "decided_at")?,
    })
}
