//! Decisions that were made again, on a MySQL server that replicas share.

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::Job;
use ta_bot_engine::{
    signals::redecision_store::{ROWS_IN_A_STATEMENT, Redecision, RedecisionFilter, RedecisionStore},
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, batch::pieces, row, store_error};

/// The store of decisions that were made again, on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlRedecisions {
    database: Mysql,
}

impl MysqlRedecisions {
    /// Decisions in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

#[async_trait]
impl RedecisionStore for MysqlRedecisions {
    async fn add(&self, decisions: &[Redecision]) -> Result<(), StoreError> {
        if decisions.is_empty() {
            return Ok(());
        }
        let added = || async move {
            let mut transaction = self.database.begin().await?;
            let added = insert(transaction.connection(), decisions).await;
            transaction.end(added).await
        };
        self.database.write(decisions.len(), added).await
    }

    async fn list(&self, filter: &RedecisionFilter) -> Result<Vec<Redecision>, StoreError> {
        let rows = self.database.rows(selection(filter)).await?;
        rows.iter().map(redecision).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }
}

async fn insert(connection: &mut MySqlConnection, decisions: &[Redecision]) -> Result<(), sqlx::Error> {
    for rows in pieces(decisions, ROWS_IN_A_STATEMENT) {
        addition(rows).build().execute(&mut *connection).await?;
    }
    Ok(())
}

fn addition(decisions: &[Redecision]) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "REPLACE INTO `ta_bot_redecisions` (`repair`, `timeframe`, `candle_close`, `symbol`, `strategy`, `module`,
                                            `outcome`, `signal_id`, `message`, `decided_at`) ",
    );
    query.push_values(decisions, |mut row, decision| {
        let Job { symbol, timeframe, candle_close } = &decision.job;
        let (id, message) = decision.signal.as_ref().map(|(id, message)| (id.to_string(), message.clone())).unzip();
        row.push_bind(decision.repair).push_bind(timeframe.as_str()).push_bind(candle_close.millis());
        row.push_bind(symbol.to_string()).push_bind(decision.strategy.to_string());
        row.push_bind(decision.module.to_string()).push_bind(decision.outcome.clone());
        row.push_bind(id).push_bind(message).push_bind(decision.decided_at.millis());
    });
    query
}

fn selection(filter: &RedecisionFilter) -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new(
        "SELECT `repair`, `timeframe`, `candle_close`, `symbol`, `strategy`, `module`, `outcome`, `signal_id`, `message`,
                `decided_at` FROM `ta_bot_redecisions` WHERE `repair` = ",
    );
    query.push_bind(filter.repair);
    if let Some(strategy) = &filter.strategy {
        query.push(" AND `strategy` = ").push_bind(strategy.to_string());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND `symbol` = ").push_bind(symbol.to_string());
    }
    if let Some(after) = filter.after {
        query.push(" AND `candle_close` > ").push_bind(after.millis());
    }
    query.push(" ORDER BY `candle_close`, `timeframe`, `symbol`, `strategy` LIMIT ").push_bind(i64::from(filter.limit));
    query
}

fn redecision(found: &MySqlRow) -> Result<Redecision, sqlx::Error> {
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
