//! One removal, within a transaction of the caller.

use sqlx::{SqliteConnection, sqlite::SqliteRow};
use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_engine::{retention::kind::Kind, supervision::costs::hour_of};

use crate::sqlite::database::row;

/// The candle of a removed row, by which the mark of its series rises.
type Removed = (Timeframe, Timestamp, Symbol);

/// Removes the oldest rows of a kind, and returns how many. Of signals only those before `first_unseen` go.
pub(super) async fn remove(
    connection: &mut SqliteConnection,
    kind: Kind,
    before: Timestamp,
    limit: u32,
    first_unseen: Option<i64>,
) -> Result<u64, sqlx::Error> {
    let removed = match kind {
        Kind::Signals => {
            let sql = "DELETE FROM signals WHERE sequence IN
                           (SELECT sequence FROM signals WHERE created_at < ?1 AND sequence < ?2
                                AND NOT (published_at IS NULL AND expired_at IS NULL AND withheld_at IS NULL)
                            ORDER BY created_at LIMIT ?3)
                       RETURNING timeframe, timestamp AS candle_close, symbol";
            let query = sqlx::query(sql).bind(before.millis()).bind(first_unseen.unwrap_or(i64::MAX)).bind(limit);
            let found = query.fetch_all(&mut *connection).await?;
            mark_decided(&mut *connection, &found).await?
        }
        Kind::FinishedJobs => finished_jobs(&mut *connection, before, limit).await?,
        Kind::DeadJobs => {
            let sql = "DELETE FROM dead_jobs WHERE (timeframe, candle_close, symbol) IN
                           (SELECT timeframe, candle_close, symbol FROM dead_jobs
                            WHERE died_at < ? AND retried_at IS NULL ORDER BY died_at LIMIT ?)
                       RETURNING timeframe, candle_close, symbol";
            let found = sqlx::query(sql).bind(before.millis()).bind(limit).fetch_all(&mut *connection).await?;
            mark_decided(&mut *connection, &found).await?
        }
        Kind::Costs => {
            let sql = "DELETE FROM costs WHERE (hour, strategy, module, symbol) IN
                           (SELECT hour, strategy, module, symbol FROM costs WHERE hour < ? ORDER BY hour LIMIT ?)";
            let query = sqlx::query(sql).bind(hour_of(before).millis()).bind(limit);
            query.execute(&mut *connection).await?.rows_affected()
        }
        Kind::Failures => {
            // Bundles are stored in the order in which evaluations fail, more or less.
            let sql = "DELETE FROM failures WHERE at < ? AND sequence IN
                           (SELECT sequence FROM failures ORDER BY sequence LIMIT ?)";
            sqlx::query(sql).bind(before.millis()).bind(limit).execute(&mut *connection).await?.rows_affected()
        }
        Kind::Shadows => shadows(&mut *connection, before, limit).await?,
        Kind::Audits => audits(&mut *connection, before, limit).await?,
        Kind::Modules | Kind::Compiled | Kind::Backtests => 0,
    };
    if removed > 0 {
        let sql = "INSERT INTO retention (kind, removed_to) VALUES (?1, ?2)
                   ON CONFLICT (kind) DO UPDATE SET removed_to = max(removed_to, ?2)";
        sqlx::query(sql).bind(kind.as_str()).bind(before.millis()).execute(connection).await?;
    }
    Ok(removed)
}

/// The newest jobs of a timeframe stay: the next entry of the log of deployments begins behind them.
async fn finished_jobs(connection: &mut SqliteConnection, before: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for timeframe in Timeframe::ALL {
        let left = i64::from(limit) - removed as i64;
        if left <= 0 {
            break;
        }
        let sql = "DELETE FROM finished_jobs WHERE (timeframe, candle_close, symbol) IN
                       (SELECT timeframe, candle_close, symbol FROM finished_jobs
                        WHERE timeframe = ?1 AND candle_close <
                              min(?2, (SELECT max(candle_close) FROM finished_jobs WHERE timeframe = ?1))
                        ORDER BY candle_close, symbol LIMIT ?3)
                   RETURNING timeframe, candle_close, symbol";
        let query = sqlx::query(sql).bind(timeframe.as_str()).bind(before.millis()).bind(left);
        let found = query.fetch_all(&mut *connection).await?;
        removed += mark_decided(&mut *connection, &found).await?;
    }
    Ok(removed)
}

async fn shadows(connection: &mut SqliteConnection, before: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
    let sql = "SELECT DISTINCT began FROM shadow_counts ORDER BY began";
    let shadows: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut *connection).await?;
    let mut removed = 0;
    for began in shadows {
        for timeframe in Timeframe::ALL {
            let left = i64::from(limit) - removed as i64;
            if left <= 0 {
                return Ok(removed);
            }
            let sql = "DELETE FROM shadow_comparisons WHERE (began, timeframe, candle_close, symbol) IN
                           (SELECT began, timeframe, candle_close, symbol FROM shadow_comparisons
                            WHERE began = ? AND timeframe = ? AND candle_close < ? ORDER BY candle_close, symbol LIMIT ?)";
            let query = sqlx::query(sql).bind(began).bind(timeframe.as_str()).bind(before.millis()).bind(left);
            removed += query.execute(&mut *connection).await?.rows_affected();
        }
    }
    Ok(removed)
}

/// The newest entry of each history stays: its versions go on from there, also after a deletion.
async fn audits(connection: &mut SqliteConnection, before: Timestamp, limit: u32) -> Result<u64, sqlx::Error> {
    let sql = "DELETE FROM strategy_config_audit WHERE id IN
                   (SELECT id FROM strategy_config_audit entry WHERE changed_at < ?1 AND version <
                        (SELECT max(version) FROM strategy_config_audit newest
                         WHERE newest.strategy_id = entry.strategy_id AND newest.symbol = entry.symbol)
                    ORDER BY id LIMIT ?2)";
    let of_levels = sqlx::query(sql).bind(before.millis()).bind(limit).execute(&mut *connection).await?.rows_affected();
    let sql = "DELETE FROM app_config_audit WHERE version IN
                   (SELECT version FROM app_config_audit
                    WHERE changed_at < ?1 AND version < (SELECT max(version) FROM app_config_audit)
                    ORDER BY version LIMIT ?2)";
    let left = i64::from(limit).saturating_sub(of_levels as i64);
    let of_settings = sqlx::query(sql).bind(before.millis()).bind(left).execute(connection).await?.rows_affected();
    Ok(of_levels + of_settings)
}

/// Raises the mark of each series to the newest of these candles, up to which every candle counts as decided. It never
/// falls. The service looks at no candle before it. Returns how many rows there are.
async fn mark_decided(connection: &mut SqliteConnection, removed: &[SqliteRow]) -> Result<u64, sqlx::Error> {
    for found in removed {
        let (timeframe, close, symbol): Removed =
            (row::parsed(found, "timeframe")?, row::moment(found, "candle_close")?, row::parsed(found, "symbol")?);
        let sql = "INSERT INTO begun_series (timeframe, symbol, candle_close, decided_to) VALUES (?1, ?2, ?3, ?3)
                   ON CONFLICT (timeframe, symbol) DO UPDATE
                       SET candle_close = max(candle_close, ?3), decided_to = max(coalesce(decided_to, ?3), ?3)";
        let query = sqlx::query(sql).bind(timeframe.as_str()).bind(symbol.as_str()).bind(close.millis());
        query.execute(&mut *connection).await?;
    }
    Ok(removed.len() as u64)
}
