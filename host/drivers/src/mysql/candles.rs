//! Candles in the Data Extractor's tables: one table for each timeframe, in which a candle is found by symbol and open
//! time.
//!
//! The tables belong to another service. Only the documented columns are read, whatever other columns exist; prices are
//! decimals there and become the nearest `f64`. A missing number becomes NaN, which no check of candles lets pass. Rows
//! whose symbol is not a valid one here are skipped.

use std::{collections::HashMap, ops::Range};

use async_trait::async_trait;
use sqlx::{MySql, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::{CandleStore, Inserted, Repair, RepairChange, RepairEntry, Repaired, SeriesSummary},
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, klines::table, row, store_error};

mod column_types;
mod insert;
mod of_many;
mod repairs;

use column_types::Columns;

/// Candles on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlCandles {
    database: Mysql,
}

impl MysqlCandles {
    /// Candles in `database`.
    pub const fn new(database: Mysql) -> Self {
        Self { database }
    }

    /// The columns of the table of a timeframe.
    async fn columns_of(&self, timeframe: Timeframe) -> Result<Columns, StoreError> {
        let read = async {
            let mut connection = self.database.connection().await?;
            let columns = Columns::read(&mut connection, timeframe).await;
            connection.end(columns)
        };
        self.database.read(read).await
    }

    /// The entries of the log of repairs that a query finds.
    async fn repairs(&self, query: QueryBuilder<MySql>) -> Result<Vec<RepairEntry>, StoreError> {
        let rows = self.database.rows(query).await?;
        rows.iter().map(repairs::entry).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    /// The symbols and close times that `queries` find, each once, in order.
    async fn closes(
        &self,
        timeframe: Timeframe,
        queries: Vec<QueryBuilder<MySql>>,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let closes = async {
            let mut closes = Vec::new();
            let mut connection = self.database.connection().await?;
            for mut query in queries {
                let rows = query.build().fetch_all(&mut *connection).await;
                match rows.and_then(|rows| named_closes(&rows, timeframe)) {
                    Ok(found) => closes.extend(found),
                    failed => return connection.end(failed),
                }
            }
            closes.sort_unstable();
            closes.dedup();
            connection.end(Ok(closes))
        };
        self.database.read(closes).await
    }
}

#[async_trait]
impl CandleStore for MysqlCandles {
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let newest = async {
            let columns = columns(self.database.schema().await?.is_dated(timeframe));
            let mut query = QueryBuilder::new("");
            push_newest(&mut query, &columns, (symbol, timeframe), until, count);
            let mut connection = self.database.connection().await?;
            let rows = query.build().fetch_all(&mut *connection).await;
            Ok(connection.end(rows)?.iter().rev().map(candle_row).collect::<Result<_, _>>()?)
        };
        self.database.read(newest).await
    }

    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<CandleRow>>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let plan = of_many::Plan::new(timeframe, wanted, until, count);
        let mut found: HashMap<Symbol, Vec<CandleRow>> = HashMap::new();
        // Each query has a time limit of its own, because the number of queries depends on the caller.
        for mut query in plan.queries(&columns(schema.is_dated(timeframe))) {
            let read = async {
                let mut connection = self.database.connection().await?;
                let rows = query.build().fetch_all(&mut *connection).await;
                let rows = connection.end(rows)?;
                Ok(rows.iter().filter_map(|row| named_row(row).transpose()).collect::<Result<Vec<_>, sqlx::Error>>()?)
            };
            for (symbol, row) in self.database.read(read).await? {
                found.entry(symbol).or_default().push(row);
            }
        }
        Ok(plan.answer(wanted, found))
    }

    async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        self.closes(timeframe, of_many::newest(timeframe, symbols, until)).await
    }

    async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        self.closes(timeframe, of_many::closes(timeframe, after, until)).await
    }

    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError> {
        if candles.is_empty() {
            return Ok(Inserted::default());
        }
        let columns = &self.columns_of(timeframe).await?;
        let rows = &rows(columns, candles)?;
        let inserted = || async move {
            let mut transaction = self.database.begin().await?;
            let inserted = insert::all(transaction.connection(), symbol, timeframe, columns, rows).await;
            transaction.end(inserted).await
        };
        self.database.write(candles.len(), inserted).await
    }

    async fn opened_within(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
        limit: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let found = async {
            let columns = columns(self.database.schema().await?.is_dated(timeframe));
            let mut query = QueryBuilder::new("SELECT ");
            query.push(columns).push(" FROM ").push(table(timeframe));
            query.push(" WHERE `symbol` = ").push_bind(symbol.as_str()).push(" AND `timestamp` >= ");
            push_moment(&mut query, opened.start);
            query.push(" AND `timestamp` < ");
            push_moment(&mut query, opened.end);
            query.push(" ORDER BY `timestamp` LIMIT ").push_bind(i64::from(limit));
            let mut connection = self.database.connection().await?;
            let rows = query.build().fetch_all(&mut *connection).await;
            Ok(connection.end(rows)?.iter().map(candle_row).collect::<Result<_, _>>()?)
        };
        self.database.read(found).await
    }

    fn owner(&self) -> Option<&'static str> {
        Some("the Data Extractor")
    }

    async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError> {
        let Repair { symbol, timeframe, change, .. } = repair;
        let columns = &self.columns_of(*timeframe).await?;
        let put = match change {
            RepairChange::Replace(candles) => rows(columns, candles)?,
            RepairChange::Delete(_) => Vec::new(),
        };
        let is_dated = self.database.read(async { Ok(self.database.schema().await?) }).await?.is_dated(*timeframe);
        let (place, put) = (&repairs::Place { symbol, timeframe: *timeframe, columns, is_dated }, &put);
        let repaired = || async move {
            let mut transaction = self.database.begin().await?;
            let repaired = repairs::make(transaction.connection(), place, repair, put).await;
            transaction.end(repaired).await
        };
        self.database.write(repair.change.most_rows(), repaired).await
    }

    async fn repairs_after(&self, number: i64, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        let mut query = repairs::entries();
        query
            .push(" WHERE `number` > ")
            .push_bind(number)
            .push(" ORDER BY `number` LIMIT ")
            .push_bind(i64::from(limit));
        self.repairs(query).await
    }

    async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        let mut query = repairs::entries();
        query.push(" ORDER BY `number` DESC LIMIT ").push_bind(i64::from(limit));
        self.repairs(query).await
    }

    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        let series = async {
            let mut query = series();
            let mut connection = self.database.connection().await?;
            let rows = query.build().fetch_all(&mut *connection).await;
            let rows = connection.end(rows)?;
            let mut series = rows.iter().filter_map(|row| summary(row).transpose()).collect::<Result<Vec<_>, _>>()?;
            series.sort_by(|a, b| (&a.symbol, a.timeframe).cmp(&(&b.symbol, b.timeframe)));
            Ok(series)
        };
        self.database.count(series).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }
}

/// The rows of candles, by open time. Returns an error if a column can't hold a number.
fn rows(columns: &Columns, candles: &[Candle]) -> Result<Vec<insert::Row>, StoreError> {
    let mut rows = candles.iter().map(|candle| insert::Row::new(columns, candle)).collect::<Result<Vec<_>, _>>()?;
    rows.sort_by_key(|row| row.candle.open_time);
    Ok(rows)
}

/// The open time of the newest candle that is closed at `until`.
const fn newest_open(timeframe: Timeframe, until: Timestamp) -> Timestamp {
    Timestamp::from_millis(until.millis().saturating_sub(timeframe.millis()))
}

/// The columns of a row, under the names that [`candle_row`] reads. `is_dated` says whether the table has the column
/// `extracted_at`.
fn columns(is_dated: bool) -> String {
    let number = |name: &str| format!(", CAST(`{name}` AS DOUBLE) AS `{name}`");
    let numbers: String = ["open_price", "high_price", "low_price", "close_price", "volume"].map(number).concat();
    let extracted = if is_dated { row::millis_of("`extracted_at`") } else { "CAST(NULL AS SIGNED)".to_owned() };
    format!("{} AS `opened`{numbers}, {extracted} AS `extracted`", row::millis_of("`timestamp`"))
}

/// Adds a timestamp to compare the column `timestamp` with.
fn push_moment(query: &mut QueryBuilder<MySql>, moment: Timestamp) {
    query.push("CAST(").push_bind(row::datetime(moment)).push(" AS DATETIME(3))");
}

/// Adds the query for the newest candles of a symbol, newest first.
fn push_newest(
    query: &mut QueryBuilder<MySql>,
    columns: &str,
    (symbol, timeframe): (&Symbol, Timeframe),
    until: Timestamp,
    count: u32,
) {
    query.push("SELECT `symbol`, ").push(columns).push(" FROM ").push(table(timeframe));
    query.push(" WHERE `symbol` = ").push_bind(symbol.as_str().to_owned()).push(" AND `timestamp` <= ");
    push_moment(query, newest_open(timeframe, until));
    query.push(" ORDER BY `timestamp` DESC LIMIT ").push_bind(i64::from(count));
}

/// Counts every table. InnoDB keeps no counts, so this reads one index of each table.
fn series() -> QueryBuilder<MySql> {
    let mut query = QueryBuilder::new("");
    for (index, timeframe) in Timeframe::ALL.into_iter().enumerate() {
        query.push(if index == 0 { "" } else { " UNION ALL " });
        query.push("SELECT `symbol`, '").push(timeframe.as_str()).push("' AS `timeframe`, COUNT(*) AS `candles`, ");
        query.push(row::millis_of("MIN(`timestamp`)")).push(" AS `first_open`, ");
        query.push(row::millis_of("MAX(`timestamp`)")).push(" AS `last_open` FROM ").push(table(timeframe));
        query.push(" GROUP BY `symbol`");
    }
    query
}

/// The symbols and close times of rows, without rows whose symbol is not valid or that have no candle.
fn named_closes(rows: &[MySqlRow], timeframe: Timeframe) -> Result<Vec<(Symbol, Timestamp)>, sqlx::Error> {
    let named = |row: &MySqlRow| {
        let opened: Option<i64> = row.try_get("opened")?;
        let close = opened.map(|millis| timeframe.close_of(Timestamp::from_millis(millis)));
        Ok(symbol(row)?.zip(close))
    };
    rows.iter().filter_map(|row| named(row).transpose()).collect()
}

fn symbol(row: &MySqlRow) -> Result<Option<Symbol>, sqlx::Error> {
    Ok(row.try_get::<&str, _>("symbol")?.parse().ok())
}

/// A row with its symbol; `None` if the symbol is not a valid one. The server may compare symbols without regard to
/// case, and then it finds such rows.
fn named_row(found: &MySqlRow) -> Result<Option<(Symbol, CandleRow)>, sqlx::Error> {
    let Some(symbol) = symbol(found)? else { return Ok(None) };
    Ok(Some((symbol, candle_row(found)?)))
}

fn candle_row(found: &MySqlRow) -> Result<CandleRow, sqlx::Error> {
    let number = |column| Ok::<_, sqlx::Error>(found.try_get::<Option<f64>, _>(column)?.unwrap_or(f64::NAN));
    let candle = Candle {
        open_time: row::moment(found, "opened")?,
        open: number("open_price")?,
        high: number("high_price")?,
        low: number("low_price")?,
        close: number("close_price")?,
        volume: number("volume")?,
    };
    let extracted: Option<i64> = found.try_get("extracted")?;
    Ok(CandleRow { candle, extracted_at: extracted.map(Timestamp::from_millis) })
}

fn summary(found: &MySqlRow) -> Result<Option<SeriesSummary>, sqlx::Error> {
    let Some(symbol) = symbol(found)? else { return Ok(None) };
    Ok(Some(SeriesSummary {
        symbol,
        timeframe: row::parsed(found, "timeframe")?,
        candles: found.try_get::<i64, _>("candles")? as u64,
        first_open: row::moment(found, "first_open")?,
        last_open: row::moment(found, "last_open")?,
    }))
}
