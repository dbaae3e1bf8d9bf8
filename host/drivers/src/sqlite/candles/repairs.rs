//! Candles that are changed by hand, and the log of that.

use std::ops::Range;

use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use ta_bot_core::{Candle, Timestamp};
use ta_bot_engine::{
    market::candle_store::{Repair, RepairChange, RepairEntry, RepairKind, Repaired},
    settings::config_store::Author,
};

use super::{BATCH, SeriesIds};
use crate::sqlite::database::row;

/// What a repair did, with the open times of the oldest and the newest candle that it changed.
struct Done {
    repaired: Repaired,
    changed: Option<(Timestamp, Timestamp)>,
}

/// Makes a repair and notes it.
pub(super) async fn make(connection: &mut SqliteConnection, repair: &Repair) -> Result<Repaired, sqlx::Error> {
    let series = SeriesIds::get_or_make(&mut *connection, &repair.symbol, repair.timeframe).await?;
    let Done { repaired, changed } = match &repair.change {
        RepairChange::Replace(candles) => replace(&mut *connection, &series, candles).await?,
        RepairChange::Delete(opened) => delete(&mut *connection, &series, opened).await?,
    };
    let Some(changed) = changed else { return Ok(repaired) };
    let sql = "UPDATE series SET candles = (SELECT count(*) FROM candles WHERE series = ?1),
                   first_open = (SELECT min(open_time) FROM candles WHERE series = ?1),
                   last_open = (SELECT max(open_time) FROM candles WHERE series = ?1)
               WHERE id = ?1";
    sqlx::query(sql).bind(series.id).execute(&mut *connection).await?;
    let number = note(connection, repair, &repaired, changed).await?;
    Ok(Repaired { number: Some(number), ..repaired })
}

async fn replace(
    connection: &mut SqliteConnection,
    series: &SeriesIds,
    candles: &[Candle],
) -> Result<Done, sqlx::Error> {
    let mut ordered: Vec<Candle> = candles.to_vec();
    ordered.sort_by_key(|candle| candle.open_time);
    let mut repaired = Repaired::default();
    let mut changed: Option<(Timestamp, Timestamp)> = None;
    for batch in ordered.chunks(BATCH) {
        let held = series.held(&mut *connection, batch).await?;
        let mut put = Vec::with_capacity(batch.len());
        for candle in batch {
            match held.get(&candle.open_time) {
                Some(held) if held == candle => {
                    repaired.same += 1;
                    continue;
                }
                Some(_) => repaired.changed += 1,
                None => repaired.added += 1,
            }
            put.push(candle);
        }
        let (Some(first), Some(last)) = (put.first(), put.last()) else { continue };
        changed = Some((changed.map_or(first.open_time, |(first, _)| first), last.open_time));
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO candles (series, open_time, open, high, low, close, volume) ");
        insert.push_values(put, |mut values, candle| {
            values.push_bind(series.id).push_bind(candle.open_time.millis());
            for number in [candle.open, candle.high, candle.low, candle.close, candle.volume] {
                values.push_bind(number);
            }
        });
        insert.push(
            " ON CONFLICT (series, open_time) DO UPDATE SET open = excluded.open, high = excluded.high,
              low = excluded.low, close = excluded.close, volume = excluded.volume",
        );
        insert.build().execute(&mut *connection).await?;
    }
    Ok(Done { repaired, changed })
}

async fn delete(
    connection: &mut SqliteConnection,
    series: &SeriesIds,
    opened: &Range<Timestamp>,
) -> Result<Done, sqlx::Error> {
    let within = "series = ? AND open_time >= ? AND open_time < ?";
    let sql = format!("SELECT min(open_time), max(open_time) FROM candles WHERE {within}");
    let ends = sqlx::query_as(sqlx::AssertSqlSafe(sql));
    let ends = ends.bind(series.id).bind(opened.start.millis()).bind(opened.end.millis());
    let (first, last): (Option<i64>, Option<i64>) = ends.fetch_one(&mut *connection).await?;
    let sql = format!("DELETE FROM candles WHERE {within}");
    let delete = sqlx::query(sqlx::AssertSqlSafe(sql));
    let delete = delete.bind(series.id).bind(opened.start.millis()).bind(opened.end.millis());
    let removed = delete.execute(connection).await?.rows_affected();
    let changed = first.zip(last).map(|(first, last)| (Timestamp::from_millis(first), Timestamp::from_millis(last)));
    Ok(Done { repaired: Repaired { removed, ..Repaired::default() }, changed })
}

/// Notes a repair, and returns its number.
async fn note(
    connection: &mut SqliteConnection,
    repair: &Repair,
    repaired: &Repaired,
    (first, last): (Timestamp, Timestamp),
) -> Result<i64, sqlx::Error> {
    let Repair { symbol, timeframe, change, author } = repair;
    let sql = "INSERT INTO candle_repairs (symbol, timeframe, kind, first_open, last_open, added, changed, removed,
                                           changed_by, claimed_by, reason, changed_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number";
    let query = sqlx::query_scalar(sql).bind(symbol.as_str()).bind(timeframe.as_str()).bind(change.kind().as_str());
    let query = query.bind(first.millis()).bind(last.millis());
    let query = [repaired.added, repaired.changed, repaired.removed]
        .into_iter()
        .fold(query, |query, count| query.bind(count as i64));
    let query = query.bind(&author.changed_by).bind(&author.claimed_by).bind(&author.reason).bind(author.at.millis());
    query.fetch_one(connection).await
}

const ENTRIES: &str = "SELECT number, symbol, timeframe, kind, first_open, last_open, added, changed, removed,
                              changed_by, claimed_by, reason, changed_at FROM candle_repairs";

/// The repairs with a greater number, the earliest first.
pub(super) async fn after(pool: &SqlitePool, number: i64, limit: u32) -> Result<Vec<RepairEntry>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
    query.push(" WHERE number > ").push_bind(number).push(" ORDER BY number LIMIT ").push_bind(limit);
    query.build().fetch_all(pool).await?.iter().map(entry).collect()
}

/// The newest repairs, newest first.
pub(super) async fn newest(pool: &SqlitePool, limit: u32) -> Result<Vec<RepairEntry>, sqlx::Error> {
    let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
    query.push(" ORDER BY number DESC LIMIT ").push_bind(limit);
    query.build().fetch_all(pool).await?.iter().map(entry).collect()
}

fn entry(found: &SqliteRow) -> Result<RepairEntry, sqlx::Error> {
    let kind: &str = found.try_get("kind")?;
    let unknown = || sqlx::Error::Decode(format!("column kind: {kind:?} is no kind of repair").into());
    Ok(RepairEntry {
        number: found.try_get("number")?,
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        kind: RepairKind::named(kind).ok_or_else(unknown)?,
        first_open: row::moment(found, "first_open")?,
        last_open: row::moment(found, "last_open")?,
        added: found.try_get("added")?,
        changed: found.try_get("changed")?,
        removed: found.try_get("removed")?,
        author: Author {
            changed_by: found.try_get("changed_by")?,
            claimed_by: found.try_get("claimed_by")?,
            reason: found.try_get("reason")?,
            at: row::moment(found, "changed_at")?,
        },
    })
}
