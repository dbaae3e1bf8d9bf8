//! The log of deployments in the embedded database.

use async_trait::async_trait;
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use ta_bot_core::{DeploymentChange, DeploymentEntry, StrategyId, Timeframe, Timestamp};
use ta_bot_engine::{
    deployments::log::{DeploymentStore, LogHead},
    support::store_error::{StoreError, WriteError},
};

use crate::sqlite::database::{Database, row};

/// The embedded log.
#[derive(Debug, Clone)]
pub struct SqliteDeployments {
    database: Database,
}

impl SqliteDeployments {
    /// The log in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl DeploymentStore for SqliteDeployments {
    async fn since(&self, revision: i64) -> Result<Vec<DeploymentEntry>, StoreError> {
        let entries = async {
            let sql = "SELECT revision, strategy_id, action, deployment, decides_from, changed_by, claimed_by, reason,
                              changed_at
                       FROM deployments WHERE revision > ? ORDER BY revision";
            let rows = sqlx::query(sql).bind(revision).fetch_all(self.database.readers()).await?;
            rows.iter().map(entry).collect()
        };
        self.database.read(entries).await
    }

    async fn add(
        &self,
        change: &DeploymentChange,
        expected: i64,
        seen: Option<Timestamp>,
    ) -> Result<DeploymentEntry, WriteError> {
        let added = async {
            // The transaction has the right to write from its start, so nothing else is committed meanwhile.
            let mut transaction = self.database.begin().await?;
            let place = place(&mut transaction, &change.strategy).await?;
            if place.current != expected {
                return Ok(Err(WriteError::Conflict { expected, current: place.current }));
            }
            let entry = place.entry(change, seen);
            insert(&mut transaction, &entry).await?;
            transaction.commit().await?;
            Ok(Ok(entry))
        };
        self.database.write(1, added).await?
    }
}

/// Returns the revision of the newest entry, or 0 if there is none.
pub(crate) async fn head(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let head = sqlx::query_scalar("SELECT revision FROM deployment_head").fetch_optional(connection).await?;
    head.ok_or_else(|| row::undecodable("deployment_head.revision", "its only row is gone: restore a backup"))
}

/// Returns the first candle close that an entry after `revision` matters for: the first that it decides, or every one
/// if it brings parameters, since what the store of settings holds of them may have been used for older candles
/// already.
pub(crate) async fn first_behind(
    connection: &mut SqliteConnection,
    revision: i64,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let sql = "SELECT MIN(IIF(json_type(deployment, '$.parameters') IS NULL, decides_from, 0)) FROM deployments
               WHERE revision > ?";
    let from: Option<i64> = sqlx::query_scalar(sql).bind(revision).fetch_one(connection).await?;
    Ok(from.map(Timestamp::from_millis))
}

async fn place(connection: &mut SqliteConnection, strategy: &StrategyId) -> Result<LogHead, sqlx::Error> {
    let head = head(&mut *connection).await?;
    // Each timeframe's newest close is at the end of its part of the key.
    let sql = "SELECT (SELECT COALESCE(MAX(revision), 0) FROM deployments WHERE strategy_id = ?) AS current,
                      (SELECT decides_from FROM deployments WHERE revision = ?) AS newest_from,
                      (SELECT MAX((SELECT MAX(candle_close) FROM finished_jobs WHERE timeframe = asked.value))
                       FROM json_each(?) asked) AS decided";
    let timeframes = row::to_json(&Timeframe::ALL.map(Timeframe::as_str))?;
    let query = sqlx::query(sql).bind(strategy.as_str()).bind(head).bind(timeframes);
    let found = query.fetch_one(connection).await?;
    let moment = |column| Ok::<_, sqlx::Error>(found.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis));
    Ok(LogHead {
        head,
        current: found.try_get("current")?,
        newest_from: moment("newest_from")?,
        decided: moment("decided")?,
    })
}

async fn insert(connection: &mut SqliteConnection, entry: &DeploymentEntry) -> Result<(), sqlx::Error> {
    let DeploymentEntry { revision, from, change } = entry;
    let sql = "INSERT INTO deployments
                   (revision, strategy_id, action, deployment, decides_from, changed_by, claimed_by, reason, changed_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(revision).bind(change.strategy.as_str()).bind(change.action.as_str());
    let query = query.bind(row::to_json(&change.deployment)?).bind(from.millis()).bind(&change.changed_by);
    let query = query.bind(&change.claimed_by);
    query.bind(&change.reason).bind(change.at.millis()).execute(&mut *connection).await?;
    let sql = "UPDATE deployment_head SET revision = ?";
    sqlx::query(sql).bind(revision).execute(connection).await.map(drop)
}

fn entry(found: &SqliteRow) -> Result<DeploymentEntry, sqlx::Error> {
    Ok(DeploymentEntry {
        revision: found.try_get("revision")?,
        from: row::moment(found, "decides_from")?,
        change: DeploymentChange {
            strategy: row::parsed(found, "strategy_id")?,
            action: row::parsed(found, "action")?,
            deployment: row::json(found, "deployment")?,
            changed_by: found.try_get("changed_by")?,
            claimed_by: found.try_get("claimed_by")?,
            reason: found.try_get("reason")?,
            at: row::moment(found, "changed_at")?,
        },
    })
}
