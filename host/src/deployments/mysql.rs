//! The log of deployments on a MySQL server that replicas share.
//!
//! The row of the newest revision keeps those who add apart from those who commit jobs: the former lock it, the latter
//! lock it too but share it. Who adds locks it first and no row that a commit writes, and a commit locks it last, so no
//! two wait for each other, and nobody holds it for longer than a few statements take. (One whose connection hangs then
//! makes commits wait with all that they wrote, until they or the server give up, see `mysql::connect`.) Every statement
//! behind that reads what is committed by then (the connections read so, see there).

use async_trait::async_trait;
use sqlx::{Executor as _, MySql, MySqlConnection, QueryBuilder, Row as _, SqlSafeStr as _, mysql::MySqlRow};
use ta_bot_core::{DeploymentChange, DeploymentEntry, StrategyId, Timeframe, Timestamp};

use super::{DeploymentStore, Place};
use crate::{
    mysql::{Mysql, row},
    store::{StoreError, WriteError},
};

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

const LOCK_SHARED: &str = "SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 LOCK IN SHARE MODE";
const LOCK_ALONE: &str = "SELECT `revision` FROM `ta_bot_deployment_head` WHERE `id` = 1 FOR UPDATE";
const INSERT: &str = "INSERT INTO `ta_bot_deployments` (`revision`, `strategy_id`, `action`, `deployment`,
    `decides_from`, `changed_by`, `reason`, `changed_at`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const SET_HEAD: &str = "UPDATE `ta_bot_deployment_head` SET `revision` = ? WHERE `id` = 1";

/// How the newest revision is locked until the transaction ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock {
    /// Together with others: no entry is added meanwhile.
    Shared,
    /// Alone: no job is committed meanwhile.
    Exclusive,
}

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
            let added = add(transaction.connection(), change, expected, seen).await;
            transaction.end(added).await
        };
        self.database.write(1, added).await?
    }
}

/// The revision of the newest entry, locked; 0 where there is none.
pub(crate) async fn head(connection: &mut MySqlConnection, lock: Lock) -> Result<i64, sqlx::Error> {
    let sql = match lock {
        // MariaDB does not know FOR SHARE, MySQL knows both.
        Lock::Shared => LOCK_SHARED,
        Lock::Exclusive => LOCK_ALONE,
    };
    let head = sqlx::query_scalar(sql).fetch_optional(connection).await?;
    let gone = "the only row of ta_bot_deployment_head is gone: restore a backup";
    head.ok_or_else(|| sqlx::Error::Decode(gone.into()))
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

/// Adds an entry, or answers why not.
async fn add(
    connection: &mut MySqlConnection,
    change: &DeploymentChange,
    expected: i64,
    seen: Option<Timestamp>,
) -> Result<Result<DeploymentEntry, WriteError>, sqlx::Error> {
    prepare(&mut *connection, &change.strategy).await?;
    let head = head(&mut *connection, Lock::Exclusive).await?;
    let place = place(&mut *connection, head, &change.strategy).await?;
    if place.current != expected {
        return Ok(Err(WriteError::Conflict { expected, current: place.current }));
    }
    let entry = place.entry(change, seen);
    insert(connection, &entry).await?;
    Ok(Ok(entry))
}

/// Has the server know each statement before the first of them takes the lock: commits wait from then on, and a connection
/// on which nothing was added yet would go to the server twice for each.
async fn prepare(connection: &mut MySqlConnection, strategy: &StrategyId) -> Result<(), sqlx::Error> {
    place(&mut *connection, 0, strategy).await?;
    for sql in [LOCK_ALONE, INSERT, SET_HEAD] {
        connection.prepare(sql.into_sql_str()).await?;
    }
    Ok(())
}

async fn place(connection: &mut MySqlConnection, head: i64, strategy: &StrategyId) -> Result<Place, sqlx::Error> {
    let mut query = QueryBuilder::<MySql>::new("SELECT (SELECT MAX(`revision`) FROM `ta_bot_deployments` ");
    query.push("WHERE `strategy_id` = ").push_bind(strategy.as_str()).push(") AS `current`, ");
    query.push("(SELECT `decides_from` FROM `ta_bot_deployments` WHERE `revision` = ").push_bind(head);
    query.push(") AS `newest_from`, ");
    // Each timeframe's newest is at the end of its part of the key, and the server reads no more than that.
    query.push("(SELECT MAX(`newest`) FROM (");
    let mut parts = query.separated(" UNION ALL ");
    for timeframe in Timeframe::ALL {
        parts.push("SELECT MAX(`candle_close`) AS `newest` FROM `finished_jobs` WHERE `timeframe` = ");
        parts.push_bind_unseparated(timeframe.as_str());
    }
    query.push(") AS `each_timeframe`) AS `decided`");
    let found = query.build().fetch_one(connection).await?;
    let number = |column| found.try_get::<Option<i64>, _>(column);
    Ok(Place {
        head,
        current: number("current")?.unwrap_or(0),
        newest_from: number("newest_from")?.map(Timestamp::from_millis),
        decided: number("decided")?.map(Timestamp::from_millis),
    })
}

async fn insert(connection: &mut MySqlConnection, entry: &DeploymentEntry) -> Result<(), sqlx::Error> {
    let DeploymentEntry { revision, from, change } = entry;
    let query = sqlx::query(INSERT).bind(revision).bind(change.strategy.as_str()).bind(change.action.as_str());
    let query = query.bind(row::to_json(&change.deployment)?).bind(from.millis()).bind(&change.changed_by);
    query.bind(&change.reason).bind(change.at.millis()).execute(&mut *connection).await?;
    sqlx::query(SET_HEAD).bind(revision).execute(connection).await.map(drop)
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
