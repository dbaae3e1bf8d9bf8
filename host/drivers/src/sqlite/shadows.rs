//! What shadows would have changed, in the embedded database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use ta_bot_core::Job;
use ta_bot_engine::{
    deployments::shadow_store::{Compared, Counts, Said, ShadowStore},
    evaluation::comparison::Comparison,
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

/// How many rows one transaction removes, so that others can write in between.
const REMOVED_AT_ONCE: u32 = 5000;

/// The embedded store of comparisons.
#[derive(Debug, Clone)]
pub struct SqliteShadows {
    database: Database,
}

impl SqliteShadows {
    /// Comparisons in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ShadowStore for SqliteShadows {
    async fn record(&self, compared: &[Compared]) -> Result<(), StoreError> {
        let recorded = async {
            let mut transaction = self.database.begin().await?;
            let mut new = BTreeMap::<(i64, Comparison), i64>::new();
            for one in compared {
                *new.entry((one.began, one.comparison)).or_default() += insert(&mut transaction, one).await? as i64;
            }
            for ((began, comparison), count) in new {
                let sql = "INSERT INTO shadow_counts (began, comparison, count) VALUES (?, ?, ?)
                           ON CONFLICT (began, comparison) DO UPDATE SET count = count + excluded.count";
                let query = sqlx::query(sql).bind(began).bind(comparison.as_str()).bind(count);
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        self.database.write(compared.len(), recorded).await
    }

    async fn counts(&self, began: i64) -> Result<Counts, StoreError> {
        let counts = async {
            let sql = "SELECT comparison, count FROM shadow_counts WHERE began = ?";
            let mut counts = Counts::default();
            for found in sqlx::query(sql).bind(began).fetch_all(self.database.readers()).await? {
                counts.add(row::parsed(&found, "comparison")?, found.try_get::<i64, _>("count")?.unsigned_abs());
            }
            Ok(counts)
        };
        self.database.read(counts).await
    }

    async fn listed(&self, began: i64, limit: u32) -> Result<Vec<Compared>, StoreError> {
        let listed = async {
            let sql = "SELECT timeframe, candle_close, symbol, comparison, incumbent, candidate
                       FROM shadow_comparisons WHERE began = ? AND listed = 1
                       ORDER BY candle_close DESC, timeframe DESC, symbol DESC LIMIT ?";
            let rows = sqlx::query(sql).bind(began).bind(limit).fetch_all(self.database.readers()).await?;
            rows.iter().map(|found| read(began, found)).collect()
        };
        self.database.read(listed).await
    }

    async fn forget(&self, began: i64) -> Result<(), StoreError> {
        loop {
            let removed = async {
                let mut transaction = self.database.begin().await?;
                let sql = "DELETE FROM shadow_comparisons WHERE (began, timeframe, candle_close, symbol) IN
                               (SELECT began, timeframe, candle_close, symbol FROM shadow_comparisons
                                WHERE began = ? AND listed = 0 LIMIT ?)";
                let query = sqlx::query(sql).bind(began).bind(REMOVED_AT_ONCE);
                let removed = query.execute(&mut *transaction).await?.rows_affected();
                transaction.commit().await.map(|()| removed)
            };
            if self.database.write(REMOVED_AT_ONCE as usize, removed).await? < u64::from(REMOVED_AT_ONCE) {
                return Ok(());
            }
        }
    }
}

/// Inserts a comparison. Returns 1 if it was new, else 0.
async fn insert(connection: &mut SqliteConnection, compared: &Compared) -> Result<u64, sqlx::Error> {
    let Compared { began, job, comparison, said } = compared;
    let sql = "INSERT INTO shadow_comparisons
                   (began, timeframe, candle_close, symbol, comparison, listed, incumbent, candidate)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let query = sqlx::query(sql).bind(began).bind(job.timeframe.as_str()).bind(job.candle_close.millis());
    let query = query.bind(job.symbol.as_str()).bind(comparison.as_str()).bind(said.is_some());
    let query = query.bind(said.as_ref().map(|said| said.incumbent.to_string()));
    let query = query.bind(said.as_ref().map(|said| said.candidate.to_string()));
    Ok(query.execute(connection).await?.rows_affected())
}

fn read(began: i64, found: &SqliteRow) -> Result<Compared, sqlx::Error> {
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
