//! The log of deployments on a MySQL server that replicas share.
//!
//! The row of the newest revision keeps those who add apart from those who commit jobs: the former lock it alone, the
//! latter share it. Both lock it last, when all else is written, so no two wait for each other.
//!
//! Commits are not to wait. While the row is locked alone they do; so all that is done then, the transaction's end
//! included, goes to the server in one message, and no answer is waited for: neither a slow network nor a client that
//! hangs makes that time longer. And they would wait behind one who waits for the row; so who adds does not, but tries
//! again from the beginning where somebody commits at that moment.
//!
//! Every statement behind the lock reads what is committed by then (the connections read so, see `mysql::connect`).

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

/// What to do where the newest revision is not known: nothing is committed past that.
const HEAD_IS_GONE: &str = "the only row of ta_bot_deployment_head is gone: restore a backup";

#[async_trait]
impl DeploymentStore for MysqlDeployments {
    async fn since(&self, revision: i64) -> Result<Vec<DeploymentEntry>, StoreError> {
        let entries = async {
            let mut connection = self.database.connection().await?;
            let sql =
                "SELECT `revision`, `strategy_id`, `action`, `deployment`, `decides_from`, `changed_by`, `reason`,
                           `changed_at` FROM `ta_bot_deployments` WHERE `revision` > ? ORDER BY `revision`";
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

/// The revision of the newest entry; 0 where there is none. No entry is added from then on until the transaction ends.
pub(crate) async fn locked_head(connection: &mut MySqlConnection) -> Result<i64, sqlx::Error> {
    // MariaDB does not know FOR SHARE, MySQL knows both.
    let sql = "SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 LOCK IN SHARE MODE";
    let head = sqlx::query_scalar(sql).fetch_optional(connection).await?;
    head.ok_or_else(|| sqlx::Error::Decode(HEAD_IS_GONE.into()))
}

/// The first candle close that an entry behind `revision` decides.
pub(crate) async fn first_behind(
    connection: &mut MySqlConnection,
    revision: i64,
) -> Result<Option<Timestamp>, sqlx::Error> {
    let sql = "SELECT `decides_from` FROM `ta_bot_deployments` WHERE `revision` > ? ORDER BY `revision` LIMIT 1";
    let from = sqlx::query_scalar(sql).bind(revision).fetch_optional(connection).await?;
    Ok(from.map(Timestamp::from_millis))
}

/// Inserts an entry as it would be if no job were finished from now on, or answers why not. One that is being added beside
/// it has the same revision, so one of the two is done again.
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
                   `changed_by`, `reason`, `changed_at`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(entry.revision).bind(change.strategy.as_str()).bind(change.action.as_str());
    let query = query.bind(row::to_json(&change.deployment)?).bind(entry.from.millis()).bind(&change.changed_by);
    query.bind(&change.reason).bind(change.at.millis()).execute(connection).await?;
    Ok(Ok(entry))
}

/// Locks the log, if nobody has it, makes an entry its newest one, and moves its begin behind what was finished since it was
/// inserted. Answers that, at last.
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

/// The newest candle close that is finished. Each timeframe's is at the end of its part of the key, and the server reads no
/// more than that.
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
            reason: found.try_get("reason")?,
            at: row::moment(found, "changed_at")?,
        },
    })
}
