//! Signals and finished jobs in the embedded database.

use async_trait::async_trait;
use sqlx::{QueryBuilder, Row as _, Sqlite, sqlite::SqliteRow};
use ta_bot_core::{Job, Signal, SignalId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    signals::{
        cursor::Cursor,
        outbox::{
            Backlog, Committed, DeadFilter, DeadJob, FinishedJob, Outbox, RetriedJob, SignalFilter, SignalState,
            StoredSignal,
            fence::{Begins, older, split},
        },
    },
    support::store_error::StoreError,
};

use crate::sqlite::{
    database::{Database, row},
    deployments::{first_behind, head},
};

mod insert;

/// The columns that [`signal`] reads.
const SIGNALS: &str =
    "SELECT sequence, signal_id, strategy, symbol, timeframe, signal_type, message, timestamp, created_at, published_at,
            expired_at, withheld_at
     FROM signals";
/// The condition for signals that wait to be sent, which is that of their index.
const WAITING: &str = "published_at IS NULL AND expired_at IS NULL AND withheld_at IS NULL";

/// The embedded outbox.
#[derive(Debug, Clone)]
pub struct SqliteOutbox {
    database: Database,
}

impl SqliteOutbox {
    /// An outbox in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }

    /// Sets columns of signals, the last of them to a moment, if they meet a condition.
    async fn mark(
        &self,
        ids: &[String],
        at: Timestamp,
        set: &'static str,
        condition: &'static str,
    ) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        let marked = async {
            let mut update = QueryBuilder::<Sqlite>::new("UPDATE signals SET ");
            update.push(set).push_bind(at.millis()).push(" WHERE ").push(condition);
            update.push(" AND signal_id IN (SELECT value FROM json_each(").push_bind(row::to_json(&ids)?).push("))");
            let mut transaction = self.database.begin().await?;
            update.build().execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.database.write(ids.len(), marked).await
    }
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn commit(&self, given: &[FinishedJob], at: Timestamp) -> Result<Committed, StoreError> {
        if given.is_empty() {
            return Ok(Committed::default());
        }
        let committed = async {
            let mut transaction = self.database.begin().await?;
            let head = head(&mut transaction).await?;
            let mut begins = Begins::new();
            for revision in older(given, head) {
                begins.extend(first_behind(&mut transaction, revision).await?.map(|from| (revision, from)));
            }
            let (current, late) = split(given, &begins);
            let mut new = insert::jobs(&mut transaction, &current, at).await?;
            // Each job is removed when it is first met, so that a job that is given twice adds its signals once.
            let signals: Vec<&Signal> =
                current.iter().filter(|done| new.remove(&done.job)).flat_map(|done| &done.signals).collect();
            let new = insert::signals(&mut transaction, &signals, at).await?;
            let outdated = insert::unfinished(&mut transaction, &late).await?;
            transaction.commit().await?;
            Ok(Committed { new, outdated })
        };
        self.database.write(given.len(), committed).await
    }

    async fn add(&self, signals: &[Signal], at: Timestamp) -> Result<Vec<SignalId>, StoreError> {
        let added = async {
            let mut transaction = self.database.begin().await?;
            let kept = insert::of_kept_times(&mut transaction, signals).await?;
            let ids = insert::signals(&mut transaction, &kept, at).await?;
            transaction.commit().await?;
            Ok(ids)
        };
        self.database.write(signals.len(), added).await
    }

    async fn unpublished(&self, limit: u32) -> Result<Vec<StoredSignal>, StoreError> {
        let waiting = async {
            let mut query = QueryBuilder::<Sqlite>::new(SIGNALS);
            query.push(" WHERE ").push(WAITING).push(" ORDER BY sequence LIMIT ").push_bind(limit);
            let rows = query.build().fetch_all(self.database.readers()).await?;
            rows.iter().map(signal).collect()
        };
        self.database.read(waiting).await
    }

    async fn mark_published(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, "expired_at = NULL, withheld_at = NULL, published_at = ", "published_at IS NULL").await
    }

    async fn mark_expired(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, "expired_at = ", WAITING).await
    }

    async fn mark_withheld(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, "withheld_at = ", WAITING).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let waiting = async {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT count(*), min(created_at) FROM signals WHERE ");
            let query = query.push(WAITING).build_query_as();
            let (signals, oldest): (u64, Option<i64>) = query.fetch_one(self.database.readers()).await?;
            Ok(Backlog { signals, oldest: oldest.map(Timestamp::from_millis) })
        };
        self.database.read(waiting).await
    }

    async fn signal(&self, id: &SignalId) -> Result<Option<StoredSignal>, StoreError> {
        let found = async {
            let mut query = QueryBuilder::<Sqlite>::new(SIGNALS);
            query.push(" WHERE signal_id = ").push_bind(id.as_str());
            let row = query.build().fetch_optional(self.database.readers()).await?;
            row.as_ref().map(signal).transpose()
        };
        self.database.read(found).await
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<StoredSignal>, StoreError> {
        let found = async {
            let rows = selection(filter).build().fetch_all(self.database.readers()).await?;
            rows.iter().map(signal).collect()
        };
        self.database.read(found).await
    }

    async fn unseen(&self, cursor: &Cursor, limit: u32) -> Result<Vec<StoredSignal>, StoreError> {
        let found = async {
            let mut query = QueryBuilder::<Sqlite>::new(SIGNALS);
            query.push(" WHERE sequence > ").push_bind(cursor.position());
            for hole in cursor.holes() {
                query.push(" OR sequence BETWEEN ").push_bind(*hole.start()).push(" AND ").push_bind(*hole.end());
            }
            query.push(" ORDER BY sequence LIMIT ").push_bind(limit);
            let rows = query.build().fetch_all(self.database.readers()).await?;
            rows.iter().map(signal).collect()
        };
        self.database.read(found).await
    }

    async fn reader(&self, name: &str) -> Result<Option<Cursor>, StoreError> {
        let found = async {
            let query = sqlx::query("SELECT cursor FROM signal_readers WHERE name = ?").bind(name);
            let row = query.fetch_optional(self.database.readers()).await?;
            row.map(|row| row::parsed(&row, "cursor")).transpose()
        };
        self.database.read(found).await
    }

    async fn keep_reader(&self, name: &str, cursor: &Cursor, at: Timestamp) -> Result<(), StoreError> {
        let kept = async {
            let mut transaction = self.database.begin().await?;
            let sql = "INSERT INTO signal_readers (name, cursor, updated_at) VALUES (?1, ?2, ?3)
                       ON CONFLICT (name) DO UPDATE SET cursor = ?2, updated_at = ?3";
            let query = sqlx::query(sql).bind(name).bind(cursor.to_string()).bind(at.millis());
            query.execute(&mut *transaction).await?;
            transaction.commit().await
        };
        self.database.write(1, kept).await
    }

    async fn begin(&self, series: &[(Symbol, Timeframe, Timestamp)]) -> Result<(), StoreError> {
        let begun = async {
            let mut transaction = self.database.begin().await?;
            insert::begun(&mut transaction, series).await?;
            transaction.commit().await
        };
        self.database.write(series.len(), begun).await
    }

    async fn begun(&self, timeframe: Timeframe) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let begun = async {
            let sql = "SELECT symbol, candle_close FROM begun_series WHERE timeframe = ? ORDER BY symbol";
            let rows = sqlx::query(sql).bind(timeframe.as_str()).fetch_all(self.database.readers()).await?;
            rows.iter().map(candle_close).collect()
        };
        self.database.read(begun).await
    }

    async fn finished(
        &self,
        timeframe: Timeframe,
        jobs: &[(Symbol, Timestamp)],
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let asked: Vec<_> = jobs.iter().map(|(symbol, close)| (symbol.as_str(), close.millis())).collect();
        let finished = async {
            // Looked up job by job: the key begins with the time, so that commits append. A stretch of time of one
            // series can't be read without those of all others.
            let sql = "WITH asked AS MATERIALIZED (SELECT value ->> 0 AS symbol, value ->> 1 AS close FROM json_each(?2))
                       SELECT symbol, close AS candle_close FROM asked
                       WHERE EXISTS (SELECT 1 FROM finished_jobs f
                                     WHERE f.timeframe = ?1 AND f.candle_close = asked.close AND f.symbol = asked.symbol)
                          OR EXISTS (SELECT 1 FROM dead_jobs d
                                     WHERE d.timeframe = ?1 AND d.candle_close = asked.close AND d.symbol = asked.symbol)
                          OR EXISTS (SELECT 1 FROM begun_series b
                                     WHERE b.timeframe = ?1 AND b.symbol = asked.symbol AND b.decided_to >= asked.close)";
            let query = sqlx::query(sql).bind(timeframe.as_str()).bind(row::to_json(&asked)?);
            query.fetch_all(self.database.readers()).await?.iter().map(candle_close).collect()
        };
        self.database.read(finished).await
    }

    async fn bury(&self, dead: &DeadJob) -> Result<(), StoreError> {
        let buried = async {
            let mut transaction = self.database.begin().await?;
            insert::dead(&mut transaction, dead).await?;
            transaction.commit().await
        };
        self.database.write(1, buried).await
    }

    async fn dead(&self, limit: u32) -> Result<Vec<DeadJob>, StoreError> {
        let dead = async {
            let sql = "SELECT timeframe, candle_close, symbol, attempts, reason, died_at, retried_at FROM dead_jobs
                       ORDER BY died_at DESC, candle_close DESC, symbol LIMIT ?";
            let rows = sqlx::query(sql).bind(limit).fetch_all(self.database.readers()).await?;
            rows.iter().map(dead_job).collect()
        };
        self.database.read(dead).await
    }

    async fn retry(&self, which: &DeadFilter, at: Timestamp) -> Result<u64, StoreError> {
        let marked = async {
            let mut transaction = self.database.begin().await?;
            let count = insert::retry(&mut transaction, which, at).await?;
            transaction.commit().await?;
            Ok(count)
        };
        self.database.write(1, marked).await
    }

    async fn retried(&self, limit: u32) -> Result<Vec<RetriedJob>, StoreError> {
        let retried = async {
            let sql = "SELECT timeframe, candle_close, symbol, retried_at FROM dead_jobs WHERE retried_at IS NOT NULL
                       ORDER BY retried_at, candle_close, timeframe, symbol LIMIT ?";
            let rows = sqlx::query(sql).bind(limit).fetch_all(self.database.readers()).await?;
            let retried = |found| Ok(RetriedJob { job: job(found)?, retried_at: row::moment(found, "retried_at")? });
            rows.iter().map(retried).collect()
        };
        self.database.read(retried).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    /// Writes a page that a commit would not change, since only what is committed reaches the disk.
    async fn probe(&self) -> Result<(), StoreError> {
        self.database.ping().await?;
        self.database.write(1, self.database.rewrite_version()).await
    }
}

/// Adds only the requested conditions, so that each of them can use its index.
fn selection(filter: &SignalFilter) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(SIGNALS);
    query.push(" WHERE TRUE");
    if let Some(strategy) = &filter.strategy {
        query.push(" AND strategy = ").push_bind(strategy.as_str());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND symbol = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = filter.timeframe {
        query.push(" AND timeframe = ").push_bind(timeframe.as_str());
    }
    if let Some(action) = filter.action {
        query.push(" AND signal_type = ").push_bind(action.as_str());
    }
    if let Some(state) = filter.state {
        query.push(" AND ").push(condition(state));
    }
    if let Some(since) = filter.since {
        query.push(" AND timestamp >= ").push_bind(since.millis());
    }
    if let Some(until) = filter.until {
        query.push(" AND timestamp < ").push_bind(until.millis());
    }
    if let Some(before) = filter.before {
        query.push(" AND sequence < ").push_bind(before);
    }
    query.push(" ORDER BY sequence DESC LIMIT ").push_bind(filter.limit);
    query
}

/// The condition for signals in a state.
const fn condition(state: SignalState) -> &'static str {
    match state {
        SignalState::Waiting => WAITING,
        SignalState::Published => "published_at IS NOT NULL",
        SignalState::Expired => "published_at IS NULL AND expired_at IS NOT NULL",
        SignalState::Withheld => "published_at IS NULL AND expired_at IS NULL AND withheld_at IS NOT NULL",
    }
}

fn signal(found: &SqliteRow) -> Result<StoredSignal, sqlx::Error> {
    Ok(StoredSignal {
        sequence: found.try_get("sequence")?,
        id: found.try_get("signal_id")?,
        strategy: row::parsed(found, "strategy")?,
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        action: found.try_get("signal_type")?,
        message: found.try_get("message")?,
        candle_close: row::moment(found, "timestamp")?,
        created_at: row::moment(found, "created_at")?,
        published_at: found.try_get::<Option<i64>, _>("published_at")?.map(Timestamp::from_millis),
        expired_at: found.try_get::<Option<i64>, _>("expired_at")?.map(Timestamp::from_millis),
        withheld_at: found.try_get::<Option<i64>, _>("withheld_at")?.map(Timestamp::from_millis),
    })
}

fn candle_close(found: &SqliteRow) -> Result<(Symbol, Timestamp), sqlx::Error> {
    Ok((row::parsed(found, "symbol")?, row::moment(found, "candle_close")?))
}

fn job(found: &SqliteRow) -> Result<Job, sqlx::Error> {
    let (symbol, candle_close) = candle_close(found)?;
    Ok(Job { symbol, timeframe: row::parsed(found, "timeframe")?, candle_close })
}

fn dead_job(found: &SqliteRow) -> Result<DeadJob, sqlx::Error> {
    Ok(DeadJob {
        job: job(found)?,
        attempts: found.try_get("attempts")?,
        reason: found.try_get("reason")?,
        died_at: row::moment(found, "died_at")?,
        retried_at: found.try_get::<Option<i64>, _>("retried_at")?.map(Timestamp::from_millis),
    })
}
