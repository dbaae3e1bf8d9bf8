//! The tables of jobs: conditions on them, and the statements that write to them.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};
use ta_bot_engine::signals::outbox::{DeadFilter, DeadJob};

use crate::mysql::database::{
    batch::{padded, pieces},
    row,
};

/// How many jobs one condition names.
pub(in crate::mysql) const BATCH: usize = 512;

/// A job as the parts of its key, in the order of the key.
pub(in crate::mysql) type Key<'a> = (Timeframe, Timestamp, &'a Symbol);

pub(super) const fn key(job: &Job) -> Key<'_> {
    (job.timeframe, job.candle_close, &job.symbol)
}

pub(super) fn candle_close(found: &MySqlRow) -> Result<(Symbol, Timestamp), sqlx::Error> {
    Ok((row::parsed(found, "symbol")?, row::moment(found, "candle_close")?))
}

/// Adds the condition for these jobs: single points of the key.
pub(in crate::mysql) fn push_are(query: &mut QueryBuilder<MySql>, keys: &[Key<'_>]) {
    query.push("(FALSE");
    for (timeframe, close, symbol) in padded(keys) {
        query.push(" OR (`timeframe` = ").push_bind(timeframe.as_str()).push(" AND `candle_close` = ");
        query.push_bind(close.millis()).push(" AND `symbol` = ").push_bind(symbol.as_str()).push(")");
    }
    query.push(")");
}

/// Adds the condition for the series in which these jobs, or later ones, count as decided because jobs were removed.
pub(super) fn push_decided(query: &mut QueryBuilder<MySql>, keys: &[Key<'_>]) {
    query.push("(FALSE");
    for (timeframe, close, symbol) in padded(keys) {
        query.push(" OR (`timeframe` = ").push_bind(timeframe.as_str()).push(" AND `symbol` = ");
        query.push_bind(symbol.as_str()).push(" AND `decided_to` >= ").push_bind(close.millis()).push(")");
    }
    query.push(")");
}

/// Returns the queries for those of `asked` that are finished or dead. The rows of one are read by [`over`].
pub(super) fn finished(timeframe: Timeframe, asked: &[(Symbol, Timestamp)]) -> Vec<QueryBuilder<MySql>> {
    let query = |chunk: &[(Symbol, Timestamp)]| {
        let keys: Vec<Key<'_>> = chunk.iter().map(|(symbol, close)| (timeframe, *close, symbol)).collect();
        let mut query = QueryBuilder::new(
            "SELECT `symbol`, `candle_close`, CAST(0 AS SIGNED) AS `is_mark` FROM `finished_jobs` WHERE ",
        );
        push_are(&mut query, &keys);
        query.push(" UNION SELECT `symbol`, `candle_close`, 0 FROM `dead_jobs` WHERE ");
        push_are(&mut query, &keys);
        query.push(" UNION SELECT `symbol`, `decided_to`, 1 FROM `begun_series` WHERE ");
        push_decided(&mut query, &keys);
        query
    };
    asked.chunks(BATCH).map(query).collect()
}

/// Returns which of `asked` are over: those that the rows name, and those up to the mark of their series.
pub(super) fn over(
    asked: &[(Symbol, Timestamp)],
    rows: &[MySqlRow],
) -> Result<HashSet<(Symbol, Timestamp)>, sqlx::Error> {
    let (mut over, mut marks) = (HashSet::with_capacity(rows.len()), HashMap::new());
    for row in rows {
        let (symbol, close) = candle_close(row)?;
        if row.try_get::<i64, _>("is_mark")? == 1 {
            marks.insert(symbol, close);
        } else {
            over.insert((symbol, close));
        }
    }
    if !marks.is_empty() {
        over.extend(
            asked.iter().filter(|(symbol, close)| marks.get(symbol).is_some_and(|mark| close <= mark)).cloned(),
        );
    }
    Ok(over)
}

/// Stores the candle close at which each series begins, unless it is already stored.
pub(super) async fn begin(
    connection: &mut MySqlConnection,
    series: &[(Symbol, Timeframe, Timestamp)],
) -> Result<(), sqlx::Error> {
    // All replicas lock the rows in the same order.
    let mut ordered: Vec<_> =
        series.iter().map(|(symbol, timeframe, close)| (timeframe.as_str(), symbol, close)).collect();
    ordered.sort_unstable_by_key(|(timeframe, symbol, _)| (*timeframe, *symbol));
    for batch in pieces(&ordered, BATCH) {
        let mut insert =
            QueryBuilder::<MySql>::new("INSERT INTO `begun_series` (`symbol`, `timeframe`, `candle_close`) ");
        insert.push_values(batch, |mut values, (timeframe, symbol, close)| {
            values.push_bind(symbol.as_str()).push_bind(*timeframe).push_bind(close.millis());
        });
        insert.push(" ON DUPLICATE KEY UPDATE `candle_close` = `begun_series`.`candle_close`");
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Marks a job as dead, unless another replica finishes it.
///
/// The dead row is written first. Then the finished row is looked up, which waits for a commit under way. A commit
/// writes the finished row first and then removes a dead one. So whichever transaction comes second sees the other's
/// row, and no job is both.
pub(super) async fn bury(connection: &mut MySqlConnection, dead: &DeadJob) -> Result<(), sqlx::Error> {
    let keys = [key(&dead.job)];
    if was_removed(&mut *connection, &keys).await? {
        return Ok(());
    }
    let mut insert = QueryBuilder::<MySql>::new(
        "INSERT INTO `dead_jobs` (`timeframe`, `candle_close`, `symbol`, `attempts`, `reason`, `died_at`) ",
    );
    insert.push_values(keys, |mut values, (timeframe, close, symbol)| {
        values.push_bind(timeframe.as_str()).push_bind(close.millis()).push_bind(symbol.as_str());
        values.push_bind(dead.attempts).push_bind(&dead.reason).push_bind(dead.died_at.millis());
    });
    insert.push(
        " ON DUPLICATE KEY UPDATE `attempts` = VALUES(`attempts`), `reason` = VALUES(`reason`),
          `died_at` = VALUES(`died_at`), `retried_at` = NULL",
    );
    insert.build().execute(&mut *connection).await?;
    let mut finished = QueryBuilder::<MySql>::new("SELECT 1 FROM `finished_jobs` WHERE ");
    push_are(&mut finished, &keys);
    finished.push(" FOR UPDATE");
    if finished.build().fetch_optional(&mut *connection).await?.is_some() {
        revive(connection, &keys).await?;
    }
    Ok(())
}

/// Whether one of these jobs counts as decided because jobs of its time were removed. A job that is dead does not: it
/// can still be tried again.
async fn was_removed(connection: &mut MySqlConnection, keys: &[Key<'_>]) -> Result<bool, sqlx::Error> {
    let mut query = QueryBuilder::<MySql>::new("SELECT 1 FROM `begun_series` WHERE ");
    push_decided(&mut query, keys);
    query.push(" AND NOT EXISTS (SELECT 1 FROM `dead_jobs` WHERE ");
    push_are(&mut query, keys);
    Ok(query.push(")").build().fetch_optional(connection).await?.is_some())
}

/// Marks dead jobs to be tried again, except those that are already marked. Returns how many were marked.
pub(super) async fn retry(
    connection: &mut MySqlConnection,
    which: &DeadFilter,
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let mut update = QueryBuilder::<MySql>::new("UPDATE `dead_jobs` SET `retried_at` = ");
    update.push_bind(at.millis()).push(" WHERE `retried_at` IS NULL");
    if let Some(symbol) = &which.symbol {
        update.push(" AND `symbol` = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = which.timeframe {
        update.push(" AND `timeframe` = ").push_bind(timeframe.as_str());
    }
    if let Some(close) = which.candle_close {
        update.push(" AND `candle_close` = ").push_bind(close.millis());
    }
    Ok(update.build().execute(connection).await?.rows_affected())
}

/// Raises the mark of each series to the candle of its newest job here, up to which every candle counts as decided. It
/// never falls. The service looks at no candle before it, nor does a version that does not know the mark.
pub(in crate::mysql) async fn mark_decided(
    connection: &mut MySqlConnection,
    jobs: &[(Timeframe, Timestamp, Symbol)],
) -> Result<(), sqlx::Error> {
    // All replicas lock the rows in the same order.
    let mut newest = BTreeMap::new();
    for (timeframe, close, symbol) in jobs {
        let mark = newest.entry((timeframe.as_str(), symbol.as_str())).or_insert(*close);
        *mark = (*mark).max(*close);
    }
    let newest: Vec<_> = newest.into_iter().collect();
    for piece in pieces(&newest, BATCH) {
        let mut insert = QueryBuilder::<MySql>::new(
            "INSERT INTO `begun_series` (`symbol`, `timeframe`, `candle_close`, `decided_to`) ",
        );
        insert.push_values(piece, |mut values, ((timeframe, symbol), close)| {
            values.push_bind(*symbol).push_bind(*timeframe).push_bind(close.millis()).push_bind(close.millis());
        });
        insert.push(
            " ON DUPLICATE KEY UPDATE
                  `candle_close` = GREATEST(`begun_series`.`candle_close`, VALUES(`candle_close`)),
                  `decided_to` = GREATEST(COALESCE(`begun_series`.`decided_to`, VALUES(`decided_to`)), VALUES(`decided_to`))",
        );
        insert.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Removes jobs from the dead ones.
pub(super) async fn revive(connection: &mut MySqlConnection, keys: &[Key<'_>]) -> Result<(), sqlx::Error> {
    let mut delete = QueryBuilder::<MySql>::new("DELETE FROM `dead_jobs` WHERE ");
    push_are(&mut delete, keys);
    delete.build().execute(connection).await.map(drop)
}
