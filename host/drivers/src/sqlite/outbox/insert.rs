//! The statements that write. All of them run within a transaction of the caller.

use std::collections::{BTreeSet, HashSet};

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use ta_bot_core::{Job, Signal, SignalId, Symbol, Timeframe, Timestamp};

use super::{DeadFilter, DeadJob, FinishedJob, job};
use crate::sqlite::database::row;

/// How many rows one statement inserts: far below SQLite's limit of 32766 values.
const BATCH: usize = 500;

/// Returns those of some jobs that count as decided because jobs or signals of their time were removed.
async fn removed(connection: &mut SqliteConnection, jobs: &[&Job]) -> Result<HashSet<Job>, sqlx::Error> {
    let asked: Vec<_> =
        jobs.iter().map(|job| (job.timeframe.as_str(), job.candle_close.millis(), job.symbol.as_str())).collect();
    let sql = "WITH asked AS MATERIALIZED (SELECT value ->> 0 AS timeframe, value ->> 1 AS candle_close, value ->> 2 AS symbol
                                           FROM json_each(?))
               SELECT timeframe, candle_close, symbol FROM asked
               WHERE EXISTS (SELECT 1 FROM begun_series b WHERE b.timeframe = asked.timeframe AND b.symbol = asked.symbol
                                 AND b.decided_to >= asked.candle_close)";
    let found = sqlx::query(sql).bind(row::to_json(&asked)?).fetch_all(connection).await?;
    found.iter().map(job).collect()
}

/// The same without those that are dead: they can still be tried again.
async fn removed_for_good(connection: &mut SqliteConnection, jobs: &[&Job]) -> Result<HashSet<Job>, sqlx::Error> {
    let mut removed = removed(&mut *connection, jobs).await?;
    let sql = "SELECT 1 FROM dead_jobs WHERE timeframe = ? AND candle_close = ? AND symbol = ?";
    for Job { timeframe, candle_close, symbol } in removed.clone() {
        let query = sqlx::query(sql).bind(timeframe.as_str()).bind(candle_close.millis()).bind(symbol.as_str());
        if query.fetch_optional(&mut *connection).await?.is_some() {
            removed.remove(&Job { symbol, timeframe, candle_close });
        }
    }
    Ok(removed)
}

/// Leaves out the signals on candles that count as decided because jobs or signals of their time were removed: nobody
/// knows any more whether they were sent.
pub(super) async fn of_kept_times<'a>(
    connection: &mut SqliteConnection,
    signals: &'a [Signal],
) -> Result<Vec<&'a Signal>, sqlx::Error> {
    let jobs: Vec<&Job> = signals.iter().map(|signal| &signal.job).collect();
    let removed = removed(connection, &jobs).await?;
    Ok(signals.iter().filter(|signal| !removed.contains(&signal.job)).collect())
}

/// Marks jobs as finished, and no longer as dead. Returns those that were not finished before.
pub(super) async fn jobs(
    connection: &mut SqliteConnection,
    finished: &[&FinishedJob],
    at: Timestamp,
) -> Result<HashSet<Job>, sqlx::Error> {
    let mut new = HashSet::with_capacity(finished.len());
    let jobs: Vec<&Job> = finished.iter().map(|done| &done.job).collect();
    let removed = removed_for_good(&mut *connection, &jobs).await?;
    let finished: Vec<&FinishedJob> = finished.iter().filter(|done| !removed.contains(&done.job)).copied().collect();
    for batch in finished.chunks(BATCH) {
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO finished_jobs (timeframe, candle_close, symbol, finished_at) ");
        insert.push_values(batch, |mut values, FinishedJob { job, .. }| {
            values.push_bind(job.timeframe.as_str()).push_bind(job.candle_close.millis());
            values.push_bind(job.symbol.as_str()).push_bind(at.millis());
        });
        insert.push(" ON CONFLICT DO NOTHING RETURNING timeframe, candle_close, symbol");
        for found in insert.build().fetch_all(&mut *connection).await? {
            new.insert(job(&found)?);
        }
        let mut revive =
            QueryBuilder::<Sqlite>::new("DELETE FROM dead_jobs WHERE (timeframe, candle_close, symbol) IN (");
        push_keys(&mut revive, batch);
        revive.push(")").build().execute(&mut *connection).await?;
    }
    Ok(new)
}

/// Returns the jobs of `late` that are not finished, each once, including what this transaction has written.
pub(super) async fn unfinished(
    connection: &mut SqliteConnection,
    late: &[&FinishedJob],
) -> Result<Vec<Job>, sqlx::Error> {
    let mut unfinished: BTreeSet<&Job> = late.iter().map(|done| &done.job).collect();
    let jobs: Vec<&Job> = late.iter().map(|done| &done.job).collect();
    for job in removed_for_good(&mut *connection, &jobs).await? {
        unfinished.remove(&job);
    }
    for batch in late.chunks(BATCH) {
        let mut select = QueryBuilder::<Sqlite>::new(
            "SELECT timeframe, candle_close, symbol FROM finished_jobs WHERE (timeframe, candle_close, symbol) IN (",
        );
        push_keys(&mut select, batch);
        for found in select.push(")").build().fetch_all(&mut *connection).await? {
            unfinished.remove(&job(&found)?);
        }
    }
    Ok(unfinished.into_iter().cloned().collect())
}

fn push_keys(query: &mut QueryBuilder<Sqlite>, jobs: &[&FinishedJob]) {
    query.push_values(jobs, |mut values, FinishedJob { job, .. }| {
        values.push_bind(job.timeframe.as_str()).push_bind(job.candle_close.millis());
        values.push_bind(job.symbol.as_str());
    });
}

/// Inserts signals that are not stored yet, and returns their ids.
pub(super) async fn signals(
    connection: &mut SqliteConnection,
    signals: &[&Signal],
    at: Timestamp,
) -> Result<Vec<SignalId>, sqlx::Error> {
    let mut ids = Vec::with_capacity(signals.len());
    for batch in signals.chunks(BATCH) {
        let mut insert = insert_signals(batch, at)?;
        let mut new: HashSet<String> =
            insert.build_query_scalar().fetch_all(&mut *connection).await?.into_iter().collect();
        ids.extend(batch.iter().filter(|signal| new.remove(signal.id.as_str())).map(|signal| signal.id.clone()));
    }
    Ok(ids)
}

fn insert_signals(batch: &[&Signal], at: Timestamp) -> Result<QueryBuilder<Sqlite>, sqlx::Error> {
    let texts = batch.iter().map(|signal| {
        let metadata = row::to_json(&signal.message["metadata"])?;
        Ok((signal, metadata, row::to_json(&*signal.message_at(at))?, row::to_json(&signal.provenance)?))
    });
    let texts = texts.collect::<Result<Vec<_>, sqlx::Error>>()?;
    let mut insert = QueryBuilder::new(
        "INSERT INTO signals (signal_id, symbol, timeframe, period, signal_type, confidence, strategy, metadata,
         timestamp, message, provenance, created_at, withheld_at) ",
    );
    insert.push_values(texts, |mut values, (signal, metadata, message, provenance)| {
        let Job { symbol, timeframe, candle_close } = &signal.job;
        values.push_bind(signal.id.as_str()).push_bind(symbol.as_str()).push_bind(timeframe.as_str());
        values.push_bind(timeframe.as_str()).push_bind(signal.action.as_str()).push_bind(signal.confidence);
        values.push_bind(signal.strategy.as_str()).push_bind(metadata).push_bind(candle_close.millis());
        values.push_bind(message).push_bind(provenance).push_bind(at.millis());
        values.push_bind(signal.is_withheld.then(|| at.millis()));
    });
    insert.push(" ON CONFLICT (signal_id) DO NOTHING RETURNING signal_id");
    Ok(insert)
}

/// Stores the candle close at which each series begins, unless it is already stored.
pub(super) async fn begun(
    connection: &mut SqliteConnection,
    series: &[(Symbol, Timeframe, Timestamp)],
) -> Result<(), sqlx::Error> {
    for batch in series.chunks(BATCH) {
        let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO begun_series (symbol, timeframe, candle_close) ");
        insert.push_values(batch, |mut values, (symbol, timeframe, close)| {
            values.push_bind(symbol.as_str()).push_bind(timeframe.as_str()).push_bind(close.millis());
        });
        insert.push(" ON CONFLICT DO NOTHING").build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Marks a job as dead, unless another replica finished it, or jobs of its time were removed and it is not among the
/// dead ones.
pub(super) async fn dead(connection: &mut SqliteConnection, dead: &DeadJob) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO dead_jobs (timeframe, candle_close, symbol, attempts, reason, died_at)
               SELECT ?1, ?2, ?3, ?4, ?5, ?6
               WHERE NOT EXISTS (SELECT 1 FROM finished_jobs WHERE timeframe = ?1 AND candle_close = ?2 AND symbol = ?3)
                 AND (NOT EXISTS (SELECT 1 FROM begun_series WHERE timeframe = ?1 AND symbol = ?3 AND decided_to >= ?2)
                      OR EXISTS (SELECT 1 FROM dead_jobs WHERE timeframe = ?1 AND candle_close = ?2 AND symbol = ?3))
               ON CONFLICT (timeframe, candle_close, symbol)
                   DO UPDATE SET attempts = ?4, reason = ?5, died_at = ?6, retried_at = NULL";
    let Job { symbol, timeframe, candle_close } = &dead.job;
    let query = sqlx::query(sql).bind(timeframe.as_str()).bind(candle_close.millis()).bind(symbol.as_str());
    let query = query.bind(dead.attempts).bind(&dead.reason).bind(dead.died_at.millis());
    query.execute(connection).await.map(drop)
}

/// Marks dead jobs to be tried again, except those that are already marked. Returns how many were marked.
pub(super) async fn retry(
    connection: &mut SqliteConnection,
    which: &DeadFilter,
    at: Timestamp,
) -> Result<u64, sqlx::Error> {
    let mut update = QueryBuilder::<Sqlite>::new("UPDATE dead_jobs SET retried_at = ");
    update.push_bind(at.millis()).push(" WHERE retried_at IS NULL");
    if let Some(symbol) = &which.symbol {
        update.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = which.timeframe {
        update.push(" AND timeframe = ").push_bind(timeframe.as_str());
    }
    if let Some(close) = which.candle_close {
        update.push(" AND candle_close = ").push_bind(close.millis());
    }
    Ok(update.build().execute(connection).await?.rows_affected())
}
