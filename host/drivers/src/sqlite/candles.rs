//! Candles in the embedded database.
//!
//! Each series has a number, and a candle is found by that number and its open time. So the rows are small, and a
//! window is one stretch of the table.

use std::{collections::HashMap, ops::Range};

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection, sqlite::SqliteRow};
use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::{CandleStore, Inserted, Repair, RepairEntry, Repaired, SeriesSummary},
    support::store_error::StoreError,
};

use crate::sqlite::database::{Database, row};

mod repairs;

/// How many candles one statement inserts.
const BATCH: usize = 500;

/// The embedded store of candles.
#[derive(Debug, Clone)]
pub struct SqliteCandles {
    database: Database,
}

impl SqliteCandles {
    /// Candles in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl CandleStore for SqliteCandles {
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let newest = async {
            let sql = "SELECT open_time, open, high, low, close, volume FROM candles
                       WHERE series = (SELECT id FROM series WHERE timeframe = ? AND symbol = ?) AND open_time <= ?
                       ORDER BY open_time DESC LIMIT ?";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(symbol.as_str());
            let query = query.bind(newest_open(timeframe, until)).bind(count);
            query.fetch_all(self.database.readers()).await?.iter().rev().map(candle_row).collect()
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
        let opened_after = |after: Option<Timestamp>| after.map(|after| newest_open(timeframe, after));
        let asked: Vec<_> = wanted.iter().map(|(symbol, after)| (symbol.as_str(), opened_after(*after))).collect();
        let newest = async {
            // For each series: the open time of the oldest of its newest candles, then the candles from there on.
            let sql = "SELECT asked.key AS place, c.open_time, c.open, c.high, c.low, c.close, c.volume
                       FROM json_each(?2) asked
                       CROSS JOIN series s ON s.timeframe = ?1 AND s.symbol = asked.value ->> 0
                       CROSS JOIN candles c ON c.series = s.id AND c.open_time <= ?3 AND c.open_time >=
                           (SELECT min(open_time) FROM
                               (SELECT n.open_time FROM candles n WHERE n.series = s.id AND n.open_time <= ?3
                                AND n.open_time > ifnull(asked.value ->> 1, -9223372036854775808)
                                ORDER BY n.open_time DESC LIMIT ?4))
                       ORDER BY place, c.open_time";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(row::to_json(&asked)?);
            let query = query.bind(newest_open(timeframe, until)).bind(count);
            let mut found = vec![Vec::new(); wanted.len()];
            for row in query.fetch_all(self.database.readers()).await? {
                let place: i64 = row.try_get("place")?;
                if let Some(rows) = usize::try_from(place).ok().and_then(|place| found.get_mut(place)) {
                    rows.push(candle_row(&row)?);
                }
            }
            Ok(found)
        };
        self.database.read(newest).await
    }

    async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let newest = async {
            let sql = "SELECT s.symbol, (SELECT max(c.open_time) FROM candles c
                                         WHERE c.series = s.id AND c.open_time <= ?2) AS open_time
                       FROM series s WHERE s.timeframe = ?1 AND s.first_open <= ?2
                       AND s.symbol IN (SELECT value FROM json_each(?3)) ORDER BY s.symbol";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(newest_open(timeframe, until));
            let query = query.bind(row::to_json(&symbols)?);
            let rows = query.fetch_all(self.database.readers()).await?;
            rows.iter().map(|found| named_close(found, timeframe)).collect()
        };
        self.database.read(newest).await
    }

    async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let opened_after: Vec<_> =
            after.iter().map(|(symbol, after)| (symbol.as_str(), newest_open(timeframe, *after))).collect();
        let closed = async {
            // A cross join keeps the order: from the request to its series, and from there to its stretch of candles.
            let sql = "SELECT s.symbol, c.open_time
                       FROM json_each(?2) asked
                       CROSS JOIN series s ON s.timeframe = ?1 AND s.symbol = asked.value ->> 0
                       CROSS JOIN candles c ON c.series = s.id AND c.open_time > asked.value ->> 1
                       WHERE c.open_time <= ?3 ORDER BY s.symbol, c.open_time";
            let query = sqlx::query(sql).bind(timeframe.as_str());
            let query = query.bind(row::to_json(&opened_after)?).bind(newest_open(timeframe, until));
            let rows = query.fetch_all(self.database.readers()).await?;
            rows.iter().map(|found| named_close(found, timeframe)).collect()
        };
        self.database.read(closed).await
    }

    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError> {
        let mut ordered: Vec<Candle> = candles.to_vec();
        ordered.sort_by_key(|candle| candle.open_time);
        let inserted = async {
            let mut inserted = Inserted::default();
            if ordered.is_empty() {
                return Ok(inserted);
            }
            let mut transaction = self.database.begin().await?;
            let mut series = SeriesIds::get_or_make(&mut transaction, symbol, timeframe).await?;
            for batch in ordered.chunks(BATCH) {
                series.insert(&mut transaction, batch, &mut inserted).await?;
            }
            series.save(&mut transaction, inserted.new).await?;
            transaction.commit().await?;
            Ok(inserted)
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
            let sql = "SELECT open_time, open, high, low, close, volume FROM candles
                       WHERE series = (SELECT id FROM series WHERE timeframe = ? AND symbol = ?)
                       AND open_time >= ? AND open_time < ? ORDER BY open_time LIMIT ?";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(symbol.as_str());
            let query = query.bind(opened.start.millis()).bind(opened.end.millis()).bind(limit);
            query.fetch_all(self.database.readers()).await?.iter().map(candle_row).collect()
        };
        self.database.read(found).await
    }

    /// The file is this service's own.
    fn owner(&self) -> Option<&'static str> {
        None
    }

    async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError> {
        let repaired = async {
            let mut transaction = self.database.begin().await?;
            let repaired = repairs::make(&mut transaction, repair).await?;
            // A repair without a number has changed nothing, and what was made on the way to it goes again.
            if repaired.number.is_some() {
                transaction.commit().await?;
            }
            Ok(repaired)
        };
        self.database.write(repair.change.most_rows(), repaired).await
    }

    async fn repairs_after(&self, number: i64, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.database.read(repairs::after(self.database.readers(), number, limit)).await
    }

    async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.database.read(repairs::newest(self.database.readers(), limit)).await
    }

    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        let series = async {
            let sql = "SELECT symbol, timeframe, candles, first_open, last_open FROM series WHERE candles > 0";
            let rows = sqlx::query(sql).fetch_all(self.database.readers()).await?;
            let mut series = rows.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
            series.sort_by(|a, b| (&a.symbol, a.timeframe).cmp(&(&b.symbol, b.timeframe)));
            Ok(series)
        };
        self.database.read(series).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }
}

/// The open time of the newest candle that is closed at `until`, in milliseconds.
fn newest_open(timeframe: Timeframe, until: Timestamp) -> i64 {
    until.millis().saturating_sub(timeframe.millis())
}

/// The symbol and the close time of a row with an open time.
fn named_close(found: &SqliteRow, timeframe: Timeframe) -> Result<(Symbol, Timestamp), sqlx::Error> {
    Ok((row::parsed(found, "symbol")?, timeframe.close_of(row::moment(found, "open_time")?)))
}

/// The embedded store does not say when a row was written: candles are imported only when they have closed.
fn candle_row(found: &SqliteRow) -> Result<CandleRow, sqlx::Error> {
    candle(found).map(CandleRow::undated)
}

fn candle(found: &SqliteRow) -> Result<Candle, sqlx::Error> {
    Ok(Candle {
        open_time: row::moment(found, "open_time")?,
        open: found.try_get("open")?,
        high: found.try_get("high")?,
        low: found.try_get("low")?,
        close: found.try_get("close")?,
        volume: found.try_get("volume")?,
    })
}

fn summary(found: &SqliteRow) -> Result<SeriesSummary, sqlx::Error> {
    Ok(SeriesSummary {
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        candles: found.try_get("candles")?,
        first_open: row::moment(found, "first_open")?,
        last_open: row::moment(found, "last_open")?,
    })
}

/// A series while candles are inserted into it.
struct SeriesIds {
    id: i64,
    /// The open times of its oldest and its newest candle.
    range: Option<(Timestamp, Timestamp)>,
}

impl SeriesIds {
    async fn get_or_make(
        connection: &mut SqliteConnection,
        symbol: &Symbol,
        timeframe: Timeframe,
    ) -> Result<Self, sqlx::Error> {
        let sql = "INSERT INTO series (timeframe, symbol) VALUES (?, ?)
                   ON CONFLICT (timeframe, symbol) DO UPDATE SET candles = candles
                   RETURNING id, first_open, last_open";
        let query = sqlx::query_as(sql).bind(timeframe.as_str()).bind(symbol.as_str());
        let (id, first, last): (i64, Option<i64>, Option<i64>) = query.fetch_one(connection).await?;
        let range = first.zip(last);
        Ok(Self { id, range: range.map(|(a, b)| (Timestamp::from_millis(a), Timestamp::from_millis(b))) })
    }

    /// Inserts the candles that are not stored yet. `batch` must be ordered by open time.
    async fn insert(
        &mut self,
        connection: &mut SqliteConnection,
        batch: &[Candle],
        inserted: &mut Inserted,
    ) -> Result<(), sqlx::Error> {
        let mut held = self.held(connection, batch).await?;
        let mut new = Vec::with_capacity(batch.len());
        for candle in batch {
            match held.get(&candle.open_time) {
                None => {
                    held.insert(candle.open_time, *candle);
                    new.push(candle);
                }
                Some(held) if held == candle => inserted.same += 1,
                Some(_) => inserted.different += 1,
            }
        }
        let (Some(oldest), Some(newest)) = (new.first(), new.last()) else { return Ok(()) };
        let (first, last) = self.range.unwrap_or((oldest.open_time, newest.open_time));
        self.range = Some((first.min(oldest.open_time), last.max(newest.open_time)));
        inserted.new += new.len() as u64;
        let mut insert =
            QueryBuilder::<Sqlite>::new("INSERT INTO candles (series, open_time, open, high, low, close, volume) ");
        insert.push_values(new, |mut values, candle| {
            values.push_bind(self.id).push_bind(candle.open_time.millis());
            for number in [candle.open, candle.high, candle.low, candle.close, candle.volume] {
                values.push_bind(number);
            }
        });
        insert.build().execute(connection).await.map(drop)
    }

    /// Returns the candles that are stored already within the time range of `batch`.
    async fn held(
        &self,
        connection: &mut SqliteConnection,
        batch: &[Candle],
    ) -> Result<HashMap<Timestamp, Candle>, sqlx::Error> {
        let (Some((first, last)), [oldest, ..], [.., newest]) = (self.range, batch, batch) else {
            return Ok(HashMap::new());
        };
        if newest.open_time < first || oldest.open_time > last {
            return Ok(HashMap::new());
        }
        let sql = "SELECT open_time, open, high, low, close, volume FROM candles
                   WHERE series = ? AND open_time BETWEEN ? AND ?";
        let query = sqlx::query(sql).bind(self.id).bind(oldest.open_time.millis()).bind(newest.open_time.millis());
        let rows = query.fetch_all(connection).await?;
        rows.iter().map(|found| candle(found).map(|candle| (candle.open_time, candle))).collect()
    }

    async fn save(&self, connection: &mut SqliteConnection, new: u64) -> Result<(), sqlx::Error> {
        let sql = "UPDATE series SET candles = candles + ?, first_open = ?, last_open = ? WHERE id = ?";
        let (first, last) = self.range.map(|(first, last)| (first.millis(), last.millis())).unzip();
        let query = sqlx::query(sql).bind(new as i64).bind(first).bind(last).bind(self.id);
        query.execute(connection).await.map(drop)
    }
}
