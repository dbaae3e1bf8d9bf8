//! The tables of jobs: their conditions, and the statements that write.

use std::collections::BTreeMap;

use sqlx::{MySql, MySqlConnection, QueryBuilder, mysql::MySqlRow};
use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};

use super::super::DeadJob;
use crate::mysql::row;

/// How many jobs one condition names. (From 1000 values on MariaDB makes a table of an IN.)
pub(super) const BATCH: usize = 500;

/// A job by the parts of its key, in the order of the key.
pub(super) type Key<'a> = (Timeframe, Timestamp, &'a Symbol);

pub(super) const fn key(job: &Job) -> Key<'_> {
    (job.timeframe, job.candle_close, &job.symbol)
}

pub(super) fn candle_close(found: &MySqlRow) -> Result<(Symbol, Timestamp), sqlx::Error> {
    Ok((row::parsed(found, "symbol")?, row::moment(found, "candle_close")?))
}

/// The condition for these jobs: points of the key, those that share a close or a symbol together.
pub(super) fn push_are(query: &mut QueryBuilder<MySql>, keys: &[Key<'_>]) {
    let (mut by_close, mut by_symbol) = (BTreeMap::new(), BTreeMap::new());
    for (timeframe, close, symbol) in keys.iter().copied() {
        by_close.entry((timeframe, close)).or_insert_with(Vec::new).push(symbol);
        by_symbol.entry((timeframe, symbol)).or_insert_with(Vec::new).push(close);
    }
    query.push("(FALSE");
    if by_close.len() <= by_symbol.len() {
        for ((timeframe, close), symbols) in by_close {
            query.push(" OR (`timeframe` = ").push_bind(timeframe.as_str()).push(" AND `candle_close` = ");
            query.push_bind(close.millis()).push(" AND `symbol` IN (");
            let mut list = query.separated(", ");
            for symbol in symbols {
                list.push_bind(symbol.as_str());
            }
            query.push("))");
        }
    } else {
        for ((timeframe, symbol), closes) in by_symbol {
            query.push(" OR (`timeframe` = ").push_bind(timeframe.as_str()).push(" AND `symbol` = ");
            query.push_bind(symbol.as_str()).push(" AND `candle_close` IN (");
            let mut list = query.separated(", ");
            for close in closes {
                list.push_bind(close.millis());
            }
            query.push("))");
        }
    }
    query.push(")");
}

/// The queries for those of `asked` that are finished or dead.
pub(super) fn finished(timeframe: Timeframe, asked: &[(Symbol, Timestamp)]) -> Vec<QueryBuilder<MySql>> {
    let query = |chunk: &[(Symbol, Timestamp)]| {
        let keys: Vec<Key<'_>> = chunk.iter().map(|(symbol, close)| (timeframe, *close, symbol)).collect();
        let mut query = QueryBuilder::new("SELECT `symbol`, `candle_close` FROM `finished_jobs` WHERE ");
        push_are(&mut query, &keys);
        query.push(" UNION SELECT `symbol`, `candle_close` FROM `dead_jobs` WHERE ");
        push_are(&mut query, &keys);
        query
    };
    asked.chunks(BATCH).map(query).collect()
}

/// Remembers where series begin, unless that is known.
pub(super) async fn begin(
    connection: &mut MySqlConnection,
    series: &[(Symbol, Timeframe, Timestamp)],
) -> Result<(), sqlx::Error> {
    // All lock in the same order.
    let mut ordered: Vec<_> =
        series.iter().map(|(symbol, timeframe, close)| (timeframe.as_str(), symbol, close)).collect();
    ordered.sort_unstable_by_key(|(timeframe, symbol, _)| (*timeframe, *symbol));
    for batch in ordered.chunks(BATCH) {
        let mut insert =
            QueryBuilder::<MySql>::new("INSERT INTO `begun_series` (`symbol`, `timeframe`, `candle_close`) ");
        insert.push_values(batch, |mut values, (timeframe, symbol, close)| {
            values.push_bind(symbol.as_str()).push_bind(*timeframe).push_bind(close.millis());
        });
        insert.push(" ON DUPLICATE KEY UPDATE `candle_close` = `begun_series`.`candle_close`");
        insert.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Gives a job up, unless another replica finishes it.
///
/// The dead row comes first, then the look for a finished one, which waits for a commit under way. A commit writes the
/// finished row first and then removes a dead one. So whoever comes second sees the other, and no job is both.
pub(super) async fn bury(connection: &mut MySqlConnection, dead: &DeadJob) -> Result<(), sqlx::Error> {
    let keys = [key(&dead.job)];
    let mut insert = QueryBuilder::<MySql>::new(
        "INSERT INTO `dead_jobs` (`timeframe`, `candle_close`, `symbol`, `attempts`, `reason`, `died_at`) ",
    );
    insert.push_values(keys, |mut values, (timeframe, close, symbol)| {
        values.push_bind(timeframe.as_str()).push_bind(close.millis()).push_bind(symbol.as_str());
        values.push_bind(dead.attempts).push_bind(&dead.reason).push_bind(dead.died_at.millis());
    });
    insert.push(
        " ON DUPLICATE KEY UPDATE `attempts` = VALUES(`attempts`), `reason` = VALUES(`reason`),
          `died_at` = VALUES(`died_at`)",
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

/// Removes dead jobs.
pub(super) async fn revive(connection: &mut MySqlConnection, keys: &[Key<'_>]) -> Result<(), sqlx::Error> {
    let mut delete = QueryBuilder::<MySql>::new("DELETE FROM `dead_jobs` WHERE ");
    push_are(&mut delete, keys);
    delete.build().persistent(false).execute(connection).await.map(drop)
}
