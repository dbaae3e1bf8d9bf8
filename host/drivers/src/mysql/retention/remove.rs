//! One removal, within a transaction of the caller.

use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::{retention::kind::Kind, supervision::costs::hour_of};

use crate::mysql::{
    database::{batch::padded, row},
    outbox::jobs::{BATCH, Key, mark_decided, push_are},
};

/// What to remove.
pub(super) struct Removal<'a> {
    pub(super) kind: Kind,
    pub(super) before: Timestamp,
    pub(super) limit: u32,
    /// Of signals: the first position that some reader has not seen.
    pub(super) first_unseen: Option<i64>,
    /// Of signals: the column of the position, quoted.
    pub(super) sequence: &'a str,
}

/// Adds the condition for rows of a kind that are older than a moment.
pub(super) fn push_older(query: &mut QueryBuilder<MySql>, kind: Kind, before: Timestamp) {
    let millis = before.millis();
    match kind {
        Kind::Signals => {
            query.push("`committed_at` < CAST(").push_bind(row::datetime(before));
            query.push(" AS DATETIME(3)) AND `waiting` IS NULL")
        }
        Kind::FinishedJobs => {
            let names = Timeframe::ALL.map(|timeframe| format!("'{timeframe}'")).join(", ");
            query.push("`timeframe` IN (").push(names).push(") AND `candle_close` < ").push_bind(millis)
        }
        Kind::Shadows => query.push("`candle_close` < ").push_bind(millis),
        Kind::DeadJobs => query.push("`retried_at` IS NULL AND `died_at` < ").push_bind(millis),
        Kind::Costs => query.push("`hour` < ").push_bind(hour_of(before).millis()),
        Kind::Failures => query.push("`at` < ").push_bind(millis),
        Kind::Audits | Kind::Modules | Kind::Compiled | Kind::Backtests => query.push("FALSE"),
    };
}

impl Removal<'_> {
    /// Removes the oldest rows, and returns how many.
    pub(super) async fn make(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let removed = match self.kind {
            Kind::Signals => self.signals(&mut *connection).await?,
            Kind::FinishedJobs => self.finished_jobs(&mut *connection).await?,
            Kind::DeadJobs => self.dead_jobs(&mut *connection).await?,
            Kind::Costs => self.costs(&mut *connection).await?,
            Kind::Failures => self.failures(&mut *connection).await?,
            Kind::Shadows => self.shadows(&mut *connection).await?,
            Kind::Audits | Kind::Modules | Kind::Compiled | Kind::Backtests => 0,
        };
        if removed > 0 {
            let sql = "INSERT INTO `ta_bot_retention` (`kind`, `removed_to`) VALUES (?, ?)
                       ON DUPLICATE KEY UPDATE `removed_to` = GREATEST(`removed_to`, VALUES(`removed_to`))";
            sqlx::query(sql).bind(self.kind.as_str()).bind(self.before.millis()).execute(connection).await?;
        }
        Ok(removed)
    }

    async fn signals(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let close = row::millis_of("`timestamp`");
        let mut select = QueryBuilder::<MySql>::new(format!(
            "SELECT CAST({} AS SIGNED) AS `position`, `timeframe`, `symbol`, {close} AS `candle_close`
             FROM `signals` FORCE INDEX (`ta_bot_committed`) WHERE `committed_at` < CAST(",
            self.sequence
        ));
        select.push_bind(row::datetime(self.before)).push(" AS DATETIME(3)) AND `waiting` IS NULL AND ");
        select.push(self.sequence).push(" < ").push_bind(self.first_unseen.unwrap_or(i64::MAX));
        select.push(" ORDER BY `committed_at` LIMIT ").push_bind(i64::from(self.limit));
        let found = select.build().fetch_all(&mut *connection).await?;
        let jobs = found.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        mark_decided(&mut *connection, &jobs).await?;
        let positions: Vec<i64> = found.iter().map(|row| row.try_get("position")).collect::<Result<_, _>>()?;
        let start = format!("DELETE FROM `signals` WHERE `waiting` IS NULL AND {} IN (", self.sequence);
        delete(connection, &start, &positions).await
    }

    /// The newest jobs of a timeframe stay: the next entry of the log of deployments begins behind them.
    async fn finished_jobs(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let mut removed = 0;
        for timeframe in Timeframe::ALL {
            let left = i64::from(self.limit) - removed as i64;
            if left <= 0 {
                break;
            }
            // Asked for by itself, so that the server knows both ends of the range beforehand.
            let newest = sqlx::query_scalar("SELECT MAX(`candle_close`) FROM `finished_jobs` WHERE `timeframe` = ?");
            let newest: Option<i64> = newest.bind(timeframe.as_str()).fetch_one(&mut *connection).await?;
            let Some(newest) = newest else { continue };
            let sql = "SELECT `timeframe`, `candle_close`, `symbol` FROM `finished_jobs`
                       WHERE `timeframe` = ? AND `candle_close` < ? ORDER BY `candle_close`, `symbol` LIMIT ?";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(self.before.millis().min(newest));
            let found = query.bind(left).fetch_all(&mut *connection).await?;
            let jobs = found.iter().map(job).collect::<Result<Vec<_>, _>>()?;
            mark_decided(&mut *connection, &jobs).await?;
            removed += delete_jobs(&mut *connection, "DELETE FROM `finished_jobs` WHERE ", &jobs).await?;
        }
        Ok(removed)
    }

    async fn dead_jobs(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let sql =
            "SELECT `timeframe`, `candle_close`, `symbol` FROM `dead_jobs` WHERE `died_at` < ? AND `retried_at` IS NULL
                   ORDER BY `died_at` LIMIT ?";
        let query = sqlx::query(sql).bind(self.before.millis()).bind(i64::from(self.limit));
        let found = query.fetch_all(&mut *connection).await?;
        let jobs = found.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        mark_decided(&mut *connection, &jobs).await?;
        // An operator may have asked for one of them to be tried again meanwhile.
        delete_jobs(connection, "DELETE FROM `dead_jobs` WHERE `retried_at` IS NULL AND ", &jobs).await
    }

    async fn costs(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let sql = "DELETE FROM `ta_bot_costs` WHERE `hour` < ? ORDER BY `hour`, `strategy`, `module`, `symbol` LIMIT ?";
        let query = sqlx::query(sql).bind(hour_of(self.before).millis()).bind(i64::from(self.limit));
        Ok(query.execute(connection).await?.rows_affected())
    }

    /// Bundles are stored in the order in which evaluations fail, more or less, so only the first ones are looked at.
    async fn failures(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let sql = "SELECT `sequence`, `at` FROM `ta_bot_failures` ORDER BY `sequence` LIMIT ?";
        let found = sqlx::query(sql).bind(i64::from(self.limit)).fetch_all(&mut *connection).await?;
        let mut old = Vec::with_capacity(found.len());
        for bundle in &found {
            if row::moment(bundle, "at")? < self.before {
                old.push(bundle.try_get("sequence")?);
            }
        }
        delete(connection, "DELETE FROM `ta_bot_failures` WHERE `sequence` IN (", &old).await
    }

    async fn shadows(&self, connection: &mut MySqlConnection) -> Result<u64, sqlx::Error> {
        let sql = "SELECT DISTINCT `began` FROM `ta_bot_shadow_counts` ORDER BY `began`";
        let shadows: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
        let mut removed = 0;
        for began in shadows {
            for timeframe in Timeframe::ALL {
                let left = i64::from(self.limit) - removed as i64;
                if left <= 0 {
                    return Ok(removed);
                }
                let sql = "DELETE FROM `ta_bot_shadow_comparisons` WHERE `began` = ? AND `timeframe` = ? AND `candle_close` < ?
                           ORDER BY `began`, `timeframe`, `candle_close`, `symbol` LIMIT ?";
                let query = sqlx::query(sql).bind(began).bind(timeframe.as_str()).bind(self.before.millis()).bind(left);
                removed += query.execute(&mut *connection).await?.rows_affected();
            }
        }
        Ok(removed)
    }
}

fn job(found: &MySqlRow) -> Result<(Timeframe, Timestamp, Symbol), sqlx::Error> {
    Ok((row::parsed(found, "timeframe")?, row::moment(found, "candle_close")?, row::parsed(found, "symbol")?))
}

async fn delete(connection: &mut MySqlConnection, start: &str, numbers: &[i64]) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for batch in numbers.chunks(BATCH) {
        let mut delete = QueryBuilder::<MySql>::new(start);
        let mut list = delete.separated(", ");
        for number in padded(batch) {
            list.push_bind(number);
        }
        removed += delete.push(")").build().execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed)
}

async fn delete_jobs(
    connection: &mut MySqlConnection,
    start: &str,
    jobs: &[(Timeframe, Timestamp, Symbol)],
) -> Result<u64, sqlx::Error> {
    let keys: Vec<Key<'_>> = jobs.iter().map(|(timeframe, close, symbol)| (*timeframe, *close, symbol)).collect();
    let mut removed = 0;
    for batch in keys.chunks(BATCH) {
        let mut delete = QueryBuilder::<MySql>::new(start);
        push_are(&mut delete, batch);
        removed += delete.build().execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed)
}
