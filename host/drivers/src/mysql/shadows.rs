//! What shadows would have changed, on a MySQL server that replicas share.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::Job;
use ta_bot_engine::{
    deployments::shadow_store::{Compared, Counts, Said, ShadowStore},
    evaluation::comparison::Comparison,
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, batch::pieces, row, store_error};

/// How many rows one statement inserts.
const BATCH: usize = 64;
/// How many rows one transaction removes, so that others can write in between.
const REMOVED_AT_ONCE: u32 = 5000;

/// The store of comparisons on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlShadows {
    database: Mysql,
}

impl MysqlShadows {
    /// Comparisons in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ShadowStore for MysqlShadows {
    async fn record(&self, compared: &[Compared]) -> Result<(), StoreError> {
        let recorded = || async move {
            let mut transaction = self.database.begin().await?;
            let recorded = record(transaction.connection(), compared).await;
            transaction.end(recorded).await
        };
        self.database.write(compared.len(), recorded).await
    }

    async fn counts(&self, began: i64) -> Result<Counts, StoreError> {
        let mut query = QueryBuilder::new("SELECT `comparison`, `count` FROM `ta_bot_shadow_counts` WHERE `began` = ");
        query.push_bind(began);
        let mut counts = Counts::default();
        for found in self.database.rows(query).await? {
            let count = |found: &MySqlRow| Ok((row::parsed(found, "comparison")?, found.try_get::<i64, _>("count")?));
            let (comparison, count) = count(&found).map_err(|error| store_error(&error))?;
            counts.add(comparison, count.unsigned_abs());
        }
        Ok(counts)
    }

    async fn listed(&self, began: i64, limit: u32) -> Result<Vec<Compared>, StoreError> {
        let mut query = QueryBuilder::new(
            "SELECT `timeframe`, `candle_close`, `symbol`, `comparison`, `incumbent`, `candidate`
             FROM `ta_bot_shadow_comparisons` WHERE `began` = ",
        );
        query
            .push_bind(began)
            .push(" AND `listed` = 1 ORDER BY `candle_close` DESC, `timeframe` DESC, `symbol` DESC LIMIT ");
        query.push_bind(limit);
        let rows = self.database.rows(query).await?;
        rows.iter().map(|found| read(began, found)).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    async fn forget(&self, began: i64) -> Result<(), StoreError> {
        loop {
            let removed = || async move {
                let mut transaction = self.database.begin().await?;
                let sql = "DELETE FROM `ta_bot_shadow_comparisons` WHERE `began` = ? AND `listed` = 0
                           ORDER BY `began`, `timeframe`, `candle_close`, `symbol` LIMIT ?";
                let query = sqlx::query(sql).bind(began).bind(REMOVED_AT_ONCE);
                let removed = query.execute(transaction.connection()).await.map(|done| done.rows_affected());
                transaction.end(removed).await
            };
            if self.database.write(REMOVED_AT_ONCE as usize, removed).await? < u64::from(REMOVED_AT_ONCE) {
                return Ok(());
            }
        }
    }
}

/// Inserts what is new and counts it.
async fn record(connection: &mut MySqlConnection, compared: &[Compared]) -> Result<(), sqlx::Error> {
    let mut alike = BTreeMap::<(i64, Comparison), Vec<&Compared>>::new();
    for one in compared {
        alike.entry((one.began, one.comparison)).or_default().push(one);
    }
    let mut new = Vec::new();
    for (of, rows) in &mut alike {
        // All replicas lock the rows in the same order.
        rows.sort_by(|one, other| key(one).cmp(&key(other)));
        let mut count = 0;
        for piece in pieces(rows, BATCH) {
            count += insert(&mut *connection, piece).await?;
        }
        new.extend((count > 0).then_some((*of, count)));
    }
    // The counts come last, because every replica that records the same shadow needs these rows.
    for ((began, comparison), count) in new {
        let sql = "INSERT INTO `ta_bot_shadow_counts` (`began`, `comparison`, `count`) VALUES (?, ?, ?)
                   ON DUPLICATE KEY UPDATE `count` = `count` + VALUES(`count`)";
        let query = sqlx::query(sql).bind(began).bind(comparison.as_str()).bind(count.cast_signed());
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn key(compared: &Compared) -> (&str, i64, &str) {
    let Job { symbol, timeframe, candle_close } = &compared.job;
    (timeframe.as_str(), candle_close.millis(), symbol.as_str())
}

/// Inserts rows and returns how many of them were new. Every value fits its column, so only duplicates are ignored.
async fn insert(connection: &mut MySqlConnection, rows: &[&Compared]) -> Result<u64, sqlx::Error> {
    let mut insert = QueryBuilder::<MySql>::new(
        "INSERT IGNORE INTO `ta_bot_shadow_comparisons` (`began`, `timeframe`, `candle_close`, `symbol`, `comparison`,
             `listed`, `incumbent`, `candidate`) ",
    );
    insert.push_values(rows, |mut values, one| {
        let (timeframe, candle_close, symbol) = key(one);
        values
            .push_bind(one.began)
            .push_bind(timeframe.to_owned())
            .push_bind(candle_close)
            .push_bind(symbol.to_owned());
        values.push_bind(one.comparison.as_str()).push_bind(i8::from(one.said.is_some()));
        values.push_bind(one.said.as_ref().map(|said| said.incumbent.to_string()));
        values.push_bind(one.said.as_ref().map(|said| said.candidate.to_string()));
    });
    Ok(insert.build().execute(connection).await?.rows_affected())
}

fn read(began: i64, found: &MySqlRow) -> Result<Compared, sqlx::Error> {
    Ok(Compared {
        began,
        job: Job {
            symbol: row::parsed(found, "symbol")?,
            timeframe: row::parsed(found, "timeframe")?,
            candle_close: row::moment(found, "candle_close")?,
        },
        comparison: row::parsed(found, "comparison")?,
        said: Some(Said { incumbent: row::json(found, "incumbent")?, candidate: row::json(found, "candidate")? }),
    })
}
