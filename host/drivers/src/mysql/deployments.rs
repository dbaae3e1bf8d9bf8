//! The log of deployments on a MySQL server that replicas share.
//!
//! The row of the newest revision separates processes that add an entry from processes that commit jobs: the former
//! lock the row exclusively, the latter share the lock. Both lock it last, after everything else is written, so no two
//! of them wait for each other.
//!
//! Commits should not have to wait. They do wait while the row is locked exclusively, so everything that is done under
//! that lock, including the end of the transaction, goes to the server in one message without waiting for an answer:
//! neither a slow network nor a client that hangs makes the lock last longer. Commits would also wait behind a process
//! that waits for the row. So a process that adds an entry does not wait for it, but starts again from the beginning if
//! another process commits at that moment.
//!
//! Every statement after the lock reads what is committed when it runs (the connections are set up to read so, see
//! `mysql::database::connect`).

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{DeploymentChange, DeploymentEntry, StrategyId, Timeframe, Timestamp};
use ta_bot_engine::{
    deployments::log::{DeploymentStore, LogHead},
    support::store_error::{StoreError, WriteError},
};

use crate::mysql::database::{Mysql, row};

/// The log on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlDeployments {
    database: Mysql,
}

impl MysqlDeployments {
    /// The log in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }
}

/// The error if the newest revision is not known: nothing is committed without it.
const HEAD_IS_GONE: &str = "the only row of ta_bot_deployment_head is gone: restore a backup";

#[async_trait]
impl DeploymentStore for MysqlDeployments {
    async fn since(&self, revision: i64) -> Result<Vec<DeploymentEntry>, StoreError> {
        let entries = async {
            let mut connection = self.database.connection().await?;
            let sql =
                "SELECT `revision`, `strategy_id`, `action`, `deployment`, `decides_from`, `changed_by`, `claimed_by`,
                           `reason`, `changed_at` FROM `ta_bot_deployments` WHERE `revision` > ? ORDER BY `revision`";
            let rows = sqlx::query(sql).bind(revision).fetch_all(&mut *connection).await;
            Ok(connection.end(rows)?.iter().map(entry).collect::<Result<_, _>>()?)
        };
        self.database.read(entries).await
    }

    async fn add(
        &self,
        change: &DeploymentChange,
        expected: i64,
        seen: Option<Timestamp>,
    ) -> Result<DeploymentEntry, WriteError> {
        let added = || async move {
            let mut transaction = self.database.begin().await?;
            match insert(transaction.connection(), change, expected, seen).await {
                Ok(Ok(entry)) => {
                    let rows = transaction.end_with(place_behind_all(entry.revision)).await?;
                    let from = row::moment(rows.last().ok_or(sqlx::Error::RowNotFound)?, "decides_from")?;
                    Ok(Ok(DeploymentEntry { from, ..entry }))
                }
                refused_or_failed => transaction.end(refused_or_failed).await,
            }
        };
        self.database.write(1, added).await?
    }
}

/// Returns the revision of the newest entry, or 0 if there is none. From then on no entry is added until the
/// transaction ends.
pub(crate) async fn locked_head(connection: &mut MySqlConnection) -> Result<i64, sqlx::Error> {
    // MariaDB does not know FOR SHARE; MySQL knows both.
    let sql = "SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 LOCK IN SHARE MODE";
    let head = sqlx::query_scalar(sql).fetch_optional(connection).await?;
    head.ok_or_else(|| sqlx::Error::Decode(HEAD_IS_GONE.into()))
}

/// Returns the first candle close that an entry after `revision` matters for: the first that it decides, or every one
/// if it brings parameters, since what the store of settings holds of them may have been used for older candles
/// already.
pub(crate) async fn first_behind(
    connection: &mut MySqlConnection,
    revision: i64,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let sql = "SELECT MIN(IF(JSON_CONTAINS_PATH(`deployment`, 'one', '$.parameters'), 0, `decides_from`))
               FROM `ta_bot_deployments` WHERE `revision` > ?";
    let from: Option<i64> = sqlx::query_scalar(sql).bind(revision).fetch_one(connection).await?;
    Ok(from.map(Timestamp::from_millis))
}

/// Inserts an entry as it would be if no job were finished from now on, or returns the conflict that prevents it. An
/// entry that is added at the same time has the same revision, so one of the two transactions is repeated.
async fn insert(
    connection: &mut MySqlConnection,
    change: &DeploymentChange,
    expected: i64,
    seen: Option<Timestamp>,
) -> Result<Result<DeploymentEntry, WriteError>, sqlx::Error> {
    let place = place(&mut *connection, &change.strategy).await?;
    if place.current != expected {
        return Ok(Err(WriteError::Conflict { expected, current: place.current }));
    }
    let entry = place.entry(change, seen);
    let sql = "INSERT INTO `ta_bot_deployments` (`revision`, `strategy_id`, `action`, `deployment`, `decides_from`,
                   `changed_by`, `claimed_by`, `reason`, `changed_at`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(entry.revision).bind(change.strategy.as_str()).bind(change.action.as_str());
    let query = query.bind(row::to_json(&change.deployment)?).bind(entry.from.millis()).bind(&change.changed_by);
    let query = query.bind(&change.claimed_by);
    query.bind(&change.reason).bind(change.at.millis()).execute(connection).await?;
    Ok(Ok(entry))
}

/// The statements that lock the log, if nobody else has locked it, make an entry its newest one, move the entry's begin
/// behind what was finished since it was inserted, and finally select that begin.
fn place_behind_all(revision: i64) -> String {
    format!(
        "SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 FOR UPDATE NOWAIT;
         UPDATE `ta_bot_deployment_head` SET `revision` = {revision} WHERE `id` = 1;
         UPDATE `ta_bot_deployments` SET `decides_from` = GREATEST(`decides_from`, COALESCE({} + 1, 0))
             WHERE `revision` = {revision};
         SELECT `decides_from` FROM `ta_bot_deployments` WHERE `revision` = {revision}",
        newest_finished()
    )
}

async fn place(connection: &mut MySqlConnection, strategy: &StrategyId) -> Result<LogHead, sqlx::Error> {
    let mut query = QueryBuilder::<MySql>::new("SELECT head.`revision`, ");
    query.push("(SELECT MAX(`revision`) FROM `ta_bot_deployments` WHERE `strategy_id` = ");
    query.push_bind(strategy.as_str()).push(") AS `current`, ");
    query.push(
        "(SELECT `decides_from` FROM `ta_bot_deployments` WHERE `revision` = head.`revision`) AS `newest_from`, ",
    );
    query.push(newest_finished()).push(" AS `finished` FROM `ta_bot_deployment_head` head WHERE head.`id` = 1");
    let found = query.build().fetch_optional(connection).await?;
    let found = found.ok_or_else(|| sqlx::Error::Decode(HEAD_IS_GONE.into()))?;
    let number = |column| found.try_get::<Option<i64>, _>(column);
    Ok(LogHead {
        head: found.try_get("revision")?,
        current: number("current")?.unwrap_or(0),
        newest_from: number("newest_from")?.map(Timestamp::from_millis),
        decided: number("finished")?.map(Timestamp::from_millis),
    })
}

/// The expression for the newest finished candle close. Each timeframe's newest one is at the end of its part of the
/// key, and the server reads no more than that.
fn newest_finished() -> String {
    let parts = Timeframe::ALL.map(|timeframe| {
        format!("SELECT MAX(`candle_close`) AS `newest` FROM `finished_jobs` WHERE `timeframe` = '{timeframe}'")
    });
    format!("(SELECT MAX(`newest`) FROM ({}) AS `each_timeframe`)", parts.join(" UNION ALL "))
}

fn entry(found: &MySqlRow) -> Result<DeploymentEntry, sqlx::Error> {
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
