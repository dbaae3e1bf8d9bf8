//! Candles that are changed by hand, and the log of that.

use std::{collections::HashMap, ops::Range};

use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{CandleRow, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::{Repair, RepairChange, RepairEntry, RepairKind, Repaired},
    settings::config_store::Author,
};

use super::{
    candle_row,
    column_types::Columns,
    columns,
    insert::{Row, rows_of},
    push_moment,
};
use crate::mysql::database::{batch::pieces, klines::table, row};

/// How many candles are looked up and changed by one statement.
const BATCH: usize = 512;
/// The columns that follow from a candle's numbers and from its writer. Others, such as the number of trades, stay as
/// they are.
const CHANGED: [&str; 10] = [
    "open_price",
    "high_price",
    "low_price",
    "close_price",
    "volume",
    "price_change",
    "price_change_percent",
    "extracted_at",
    "extractor_version",
    "source",
];

/// What a repair needs to know of a table.
pub(super) struct Place<'a> {
    pub(super) symbol: &'a Symbol,
    pub(super) timeframe: Timeframe,
    pub(super) columns: &'a Columns,
    /// Whether the rows say when they were written.
    pub(super) is_dated: bool,
}

/// What a repair did, with the open times of the oldest and the newest candle that it changed.
struct Done {
    repaired: Repaired,
    changed: Option<(Timestamp, Timestamp)>,
}

/// Makes a repair and notes it. `put` are the rows of the candles of a replacement, ordered by open time.
pub(super) async fn make(
    connection: &mut MySqlConnection,
    place: &Place<'_>,
    repair: &Repair,
    put: &[Row],
) -> Result<Repaired, sqlx::Error> {
    let Done { repaired, changed } = match &repair.change {
        RepairChange::Replace(_) => replace(&mut *connection, place, put).await?,
        RepairChange::Delete(opened) => delete(&mut *connection, place, opened).await?,
    };
    let Some(changed) = changed else { return Ok(repaired) };
    let number = note(connection, repair, &repaired, changed).await?;
    Ok(Repaired { number: Some(number), ..repaired })
}

async fn replace(connection: &mut MySqlConnection, place: &Place<'_>, rows: &[Row]) -> Result<Done, sqlx::Error> {
    let now = Timestamp::now();
    let mut repaired = Repaired::default();
    let mut changed: Option<(Timestamp, Timestamp)> = None;
    for batch in rows.chunks(BATCH) {
        let held = held(&mut *connection, place, batch).await?;
        let is_same = |row: &Row, held: &CandleRow| held.candle == row.candle && held.check(place.timeframe).is_ok();
        let (mut new, mut other) = (Vec::new(), Vec::new());
        for row in batch {
            match held.get(&row.candle.open_time) {
                None => new.push(row),
                Some(held) if held.iter().all(|held| is_same(row, held)) => repaired.same += 1,
                Some(_) => other.push(row),
            }
        }
        let opens = || new.iter().chain(&other).map(|row| row.candle.open_time);
        if let Some((first, last)) = opens().min().zip(opens().max()) {
            changed = Some((changed.map_or(first, |(first, _)| first), last));
        }
        repaired.added += new.len() as u64;
        repaired.changed += other.len() as u64;
        rows_of(&mut *connection, place.symbol, place.timeframe, place.columns, &new, now).await?;
        update(&mut *connection, place, &other, now).await?;
    }
    Ok(Done { repaired, changed })
}

/// The rows that are stored within the time range of `batch`, by open time.
async fn held(
    connection: &mut MySqlConnection,
    place: &Place<'_>,
    batch: &[Row],
) -> Result<HashMap<Timestamp, Vec<CandleRow>>, sqlx::Error> {
    let mut held: HashMap<Timestamp, Vec<CandleRow>> = HashMap::new();
    let ([first, ..], [.., last]) = (batch, batch) else { return Ok(held) };
    let mut query = QueryBuilder::<MySql>::new("SELECT ");
    query.push(columns(place.is_dated)).push(" FROM ").push(table(place.timeframe));
    query.push(" WHERE `symbol` = ").push_bind(place.symbol.as_str()).push(" AND `timestamp` BETWEEN ");
    push_moment(&mut query, first.candle.open_time);
    query.push(" AND ");
    push_moment(&mut query, last.candle.open_time);
    for found in query.build().fetch_all(connection).await? {
        let row = candle_row(&found)?;
        held.entry(row.candle.open_time).or_default().push(row);
    }
    Ok(held)
}

/// Gives every row of these candles their numbers. If a candle has several rows, they are equal then, and count as one.
async fn update(
    connection: &mut MySqlConnection,
    place: &Place<'_>,
    rows: &[&Row],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let there: Vec<&str> =
        CHANGED.into_iter().filter(|name| place.columns.names().any(|column| column == name)).collect();
    for piece in pieces(rows, BATCH) {
        let mut query = QueryBuilder::<MySql>::new("UPDATE (");
        for (index, row) in piece.iter().enumerate() {
            query.push(if index == 0 { "SELECT " } else { " UNION ALL SELECT " });
            push_moment(&mut query, row.candle.open_time);
            query.push(" AS `at`");
            for name in &there {
                // The type of a bare parameter of a UNION differs between servers.
                query.push(", CAST(").push_bind(row.value(name, place.symbol, place.timeframe, now));
                query.push(" AS CHAR(100)) AS `").push(name).push("`");
            }
        }
        // The few new numbers come first, and the row of each is found by the index.
        query
            .push(") n STRAIGHT_JOIN ")
            .push(table(place.timeframe))
            .push(" k ON k.`timestamp` = n.`at` AND k.`symbol` = ");
        query.push_bind(place.symbol.as_str());
        for (index, name) in there.iter().enumerate() {
            query.push(if index == 0 { " SET " } else { ", " });
            query.push(format!("k.`{name}` = n.`{name}`"));
        }
        // The server may compare symbols without regard to case.
        query.push(" WHERE CAST(k.`symbol` AS BINARY) = CAST(").push_bind(place.symbol.as_str()).push(" AS BINARY)");
        query.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn delete(
    connection: &mut MySqlConnection,
    place: &Place<'_>,
    opened: &Range<Timestamp>,
) -> Result<Done, sqlx::Error> {
    let within = |start: &str| {
        let mut query = QueryBuilder::<MySql>::new(start);
        query
            .push(" FROM ")
            .push(table(place.timeframe))
            .push(" WHERE `symbol` = ")
            .push_bind(place.symbol.to_string());
        query.push(" AND `timestamp` >= ");
        push_moment(&mut query, opened.start);
        query.push(" AND `timestamp` < ");
        push_moment(&mut query, opened.end);
        query.push(" AND CAST(`symbol` AS BINARY) = CAST(").push_bind(place.symbol.to_string()).push(" AS BINARY)");
        query
    };
    let [first, last] = ["MIN(`timestamp`)", "MAX(`timestamp`)"].map(row::millis_of);
    let mut ends = within(&format!(
        "SELECT COUNT(DISTINCT `timestamp`) AS `candles`, {first} AS `first_open`, {last} AS `last_open`"
    ));
    let found = ends.build().fetch_one(&mut *connection).await?;
    let removed = found.try_get::<i64, _>("candles")? as u64;
    if removed == 0 {
        return Ok(Done { repaired: Repaired::default(), changed: None });
    }
    let changed = (row::moment(&found, "first_open")?, row::moment(&found, "last_open")?);
    within("DELETE").build().execute(connection).await?;
    Ok(Done { repaired: Repaired { removed, ..Repaired::default() }, changed: Some(changed) })
}

/// Notes a repair, and returns its number.
async fn note(
    connection: &mut MySqlConnection,
    repair: &Repair,
    repaired: &Repaired,
    (first, last): (Timestamp, Timestamp),
) -> Result<i64, sqlx::Error> {
    let Repair { symbol, timeframe, change, author } = repair;
    let sql = "INSERT INTO `ta_bot_candle_repairs` (`symbol`, `timeframe`, `kind`, `first_open`, `last_open`, `added`,
                                                    `changed`, `removed`, `changed_by`, `claimed_by`, `reason`, `changed_at`)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(symbol.as_str()).bind(timeframe.as_str()).bind(change.kind().as_str());
    let query = query.bind(first.millis()).bind(last.millis());
    let query = query.bind(repaired.added as i64).bind(repaired.changed as i64).bind(repaired.removed as i64);
    let query = query.bind(&author.changed_by).bind(&author.claimed_by).bind(&author.reason).bind(author.at.millis());
    Ok(query.execute(connection).await?.last_insert_id() as i64)
}

/// Starts a query for entries of the log.
pub(super) fn entries() -> QueryBuilder<MySql> {
    QueryBuilder::new(
        "SELECT `number`, `symbol`, `timeframe`, `kind`, `first_open`, `last_open`, `added`, `changed`, `removed`,
                `changed_by`, `claimed_by`, `reason`, `changed_at` FROM `ta_bot_candle_repairs`",
    )
}

/// An entry of the log.
pub(super) fn entry(found: &MySqlRow) -> Result<RepairEntry, sqlx::Error> {
    let kind: &str = found.try_get("kind")?;
    let unknown = || sqlx::Error::Decode(format!("column kind: {kind:?} is no kind of repair").into());
    let count = |column| found.try_get::<i64, _>(column).map(|count| count as u64);
    Ok(RepairEntry {
        number: found.try_get("number")?,
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        kind: RepairKind::named(kind).ok_or_else(unknown)?,
        first_open: row::moment(found, "first_open")?,
        last_open: row::moment(found, "last_open")?,
        added: count("added")?,
        changed: count("changed")?,
        removed: count("removed")?,
        author: Author {
            changed_by: found.try_get("changed_by")?,
            claimed_by: found.try_get("claimed_by")?,
            reason: found.try_get("reason")?,
            at: row::moment(found, "changed_at")?,
        },
    })
}
