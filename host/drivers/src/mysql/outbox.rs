//! Signals and finished jobs on a MySQL server that replicas share.
//!
//! Until the bus has acknowledged a signal, its row is found by `waiting` and not by its number: another replica may
//! commit a row with a smaller number later. A replica publishes what it commits itself. Another replica takes a signal
//! over only if it still waits after a while, so that relays that are woken together do not all send the same signals.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use sqlx::{MySql, MySqlConnection, QueryBuilder, Row as _, mysql::MySqlRow};
use ta_bot_core::{Job, Signal, SignalId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    signals::{
        cursor::Cursor,
        outbox::{
            Backlog, Committed, DeadFilter, DeadJob, FinishedJob, Outbox, RetriedJob, SignalFilter, SignalState,
            StoredSignal, fence::Begins,
        },
    },
    support::store_error::StoreError,
};

use crate::mysql::database::{Mysql, NAME, Schema, row, store_error};

mod fresh;
pub(super) mod jobs;
mod write;

use fresh::Fresh;

/// Tries what a commit does, and undoes it. The connection is outside a transaction afterwards if this succeeds.
pub(super) async fn try_commit(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("START TRANSACTION").execute(&mut *connection).await?;
    write::probe(connection, 0).await?;
    sqlx::raw_sql("ROLLBACK").execute(connection).await.map(drop)
}

/// How long another replica may take to publish what it committed. If clocks differ by more than this, a signal is sent
/// a second time, which the bus recognises.
const FOREIGN_PAUSE_MS: i64 = 2000;

/// The outbox on a MySQL server.
#[derive(Debug, Clone)]
pub struct MysqlOutbox {
    database: Mysql,
    fresh: Arc<Fresh>,
}

impl MysqlOutbox {
    /// An outbox in `database`.
    pub fn new(database: Mysql) -> Self {
        Self { database, fresh: Arc::default() }
    }

    /// Says what became of signals that waited.
    async fn mark(&self, ids: &[String], at: Timestamp, what: write::Ended) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        // All replicas lock the rows in the same order.
        let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        ids.sort_unstable();
        let ids = &ids;
        let marked = || async move {
            let mut transaction = self.database.begin().await?;
            let marked = write::mark(transaction.connection(), ids, at, what).await;
            transaction.end(marked).await
        };
        self.database.write(ids.len(), marked).await?;
        self.fresh.forget(ids.iter().copied());
        Ok(())
    }

    /// Adds their messages to signals that were read without them.
    async fn complete(&self, waiting: &mut [StoredSignal]) -> Result<(), StoreError> {
        for signal in &mut *waiting {
            signal.message = self.fresh.get(&signal.id).unwrap_or_default();
        }
        let missing: Vec<&mut StoredSignal> = waiting.iter_mut().filter(|signal| signal.message.is_empty()).collect();
        let ids: Vec<&str> = missing.iter().map(|signal| signal.id.as_str()).collect();
        let mut read = HashMap::with_capacity(ids.len());
        for batch in ids.chunks(jobs::BATCH) {
            let mut query = QueryBuilder::new("SELECT `signal_id`, `message` FROM `signals` WHERE `signal_id` IN (");
            write::push_list(&mut query, batch);
            query.push(")");
            for found in self.database.rows(query).await? {
                let named = || Ok((found.try_get::<String, _>("signal_id")?, found.try_get::<String, _>("message")?));
                read.extend([named().map_err(|error| store_error(&error))?]);
            }
        }
        for signal in missing {
            signal.message = read.remove(&signal.id).ok_or_else(|| StoreError::Corrupt {
                store: NAME,
                reason: format!("signal {} has no message", signal.id),
            })?;
        }
        Ok(())
    }
}

#[async_trait]
impl Outbox for MysqlOutbox {
    async fn commit(&self, finished: &[FinishedJob], at: Timestamp) -> Result<Committed, StoreError> {
        if finished.is_empty() {
            return Ok(Committed::default());
        }
        let by = self.database.instance();
        // The signals of new jobs are nearly always new. If one is not, the server refuses it, and the transaction is
        // repeated: then it asks first.
        let is_first = &AtomicBool::new(true);
        let committed = || async move {
            let mut transaction = self.database.begin().await?;
            let are_new = is_first.swap(false, Ordering::Relaxed);
            let mut begins = Begins::new();
            loop {
                match write::finished(transaction.connection(), (finished, are_new), &begins, (at, by)).await {
                    // The transaction is repeated without the late jobs. This is rare, because an entry begins behind
                    // what is stored.
                    Ok(Err(known)) => {
                        begins = known;
                        transaction = transaction.again().await?;
                    }
                    Ok(Ok(committed)) => return transaction.end(Ok(committed)).await,
                    Err(error) => return transaction.end(Err(error)).await,
                }
            }
        };
        let (committed, messages) = self.database.write(finished.len(), committed).await?;
        self.fresh.keep(messages, Instant::now());
        Ok(committed)
    }

    async fn add(&self, signals: &[Signal], at: Timestamp) -> Result<Vec<SignalId>, StoreError> {
        if signals.is_empty() {
            return Ok(Vec::new());
        }
        let by = self.database.instance();
        let signals: &Vec<&Signal> = &signals.iter().collect();
        let added = || async move {
            let mut transaction = self.database.begin().await?;
            let added = async {
                let kept = write::of_kept_times(transaction.connection(), signals).await?;
                write::signals(transaction.connection(), (&kept, false), (at, by)).await
            };
            let ids = added.await;
            transaction.end(ids).await
        };
        let (new, messages) = self.database.write(signals.len(), added).await?;
        self.fresh.keep(messages, Instant::now());
        Ok(new)
    }

    async fn unpublished(&self, limit: u32) -> Result<Vec<StoredSignal>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let foreign = row::datetime(Timestamp::now().plus_millis(-FOREIGN_PAUSE_MS));
        let mut query = select_with(&schema, "'' AS `message`");
        // Without the hint the optimiser may find the order of the primary key cheaper, and read every signal there
        // ever was.
        query.push(" FORCE INDEX (`ta_bot_waiting`) WHERE `waiting` = 1 AND (`committed_by` = ");
        query.push_bind(self.database.instance()).push(" OR `committed_at` < CAST(").push_bind(foreign);
        query.push(" AS DATETIME(3))) ORDER BY ").push(&schema.sequence).push(" LIMIT ").push_bind(i64::from(limit));
        let mut waiting = signals(&self.database.rows(query).await?)?;
        self.complete(&mut waiting).await?;
        Ok(waiting)
    }

    async fn mark_published(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, write::PUBLISHED).await
    }

    async fn mark_expired(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, write::EXPIRED).await
    }

    async fn mark_withheld(&self, ids: &[String], at: Timestamp) -> Result<(), StoreError> {
        self.mark(ids, at, write::WITHHELD).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let oldest = row::millis_of("MIN(`committed_at`)");
        let mut query = QueryBuilder::new(format!("SELECT COUNT(*) AS `signals`, {oldest} AS `oldest` "));
        query.push("FROM `signals` FORCE INDEX (`ta_bot_waiting`) WHERE `waiting` = 1");
        let rows = self.database.rows(query).await?;
        let Some(row) = rows.first() else { return Ok(Backlog::default()) };
        let read = || {
            let oldest: Option<i64> = row.try_get("oldest")?;
            let signals = row.try_get::<i64, _>("signals")? as u64;
            Ok(Backlog { signals, oldest: oldest.map(Timestamp::from_millis) })
        };
        read().map_err(|error| store_error(&error))
    }

    async fn signal(&self, id: &SignalId) -> Result<Option<StoredSignal>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let mut query = select(&schema);
        query.push(" WHERE `signal_id` = ").push_bind(id.as_str());
        Ok(signals(&self.database.rows(query).await?)?.pop())
    }

    async fn signals(&self, filter: &SignalFilter) -> Result<Vec<StoredSignal>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        signals(&self.database.rows(selection(filter, &schema)).await?)
    }

    async fn unseen(&self, cursor: &Cursor, limit: u32) -> Result<Vec<StoredSignal>, StoreError> {
        let schema = self.database.read(async { Ok(self.database.schema().await?) }).await?;
        let sequence = &schema.sequence;
        let mut query = select(&schema);
        query.push(" WHERE `signal_id` IS NOT NULL AND (").push(sequence).push(" > ").push_bind(cursor.position());
        for hole in cursor.holes() {
            query.push(" OR ").push(sequence).push(" BETWEEN ").push_bind(*hole.start());
            query.push(" AND ").push_bind(*hole.end());
        }
        query.push(") ORDER BY ").push(sequence).push(" LIMIT ").push_bind(i64::from(limit));
        signals(&self.database.rows(query).await?)
    }

    async fn reader(&self, name: &str) -> Result<Option<Cursor>, StoreError> {
        let mut query = QueryBuilder::new("SELECT `cursor` FROM `ta_bot_signal_readers` WHERE `name` = ");
        query.push_bind(name);
        let rows = self.database.rows(query).await?;
        rows.first().map(|row| row::parsed(row, "cursor")).transpose().map_err(|error| store_error(&error))
    }

    async fn keep_reader(&self, name: &str, cursor: &Cursor, at: Timestamp) -> Result<(), StoreError> {
        let kept = || async move {
            let mut transaction = self.database.begin().await?;
            let sql = "INSERT INTO `ta_bot_signal_readers` (`name`, `cursor`, `updated_at`) VALUES (?, ?, ?)
                       ON DUPLICATE KEY UPDATE `cursor` = VALUES(`cursor`), `updated_at` = VALUES(`updated_at`)";
            let query = sqlx::query(sql).bind(name).bind(cursor.to_string()).bind(at.millis());
            let kept = query.execute(transaction.connection()).await.map(drop);
            transaction.end(kept).await
        };
        self.database.write(1, kept).await
    }

    async fn begin(&self, series: &[(Symbol, Timeframe, Timestamp)]) -> Result<(), StoreError> {
        if series.is_empty() {
            return Ok(());
        }
        let begun = || async move {
            let mut transaction = self.database.begin().await?;
            let begun = jobs::begin(transaction.connection(), series).await;
            transaction.end(begun).await
        };
        self.database.write(series.len(), begun).await
    }

    async fn begun(&self, timeframe: Timeframe) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let mut query = QueryBuilder::new("SELECT `symbol`, `candle_close` FROM `begun_series` WHERE `timeframe` = ");
        query.push_bind(timeframe.as_str()).push(" ORDER BY `symbol`");
        let rows = self.database.rows(query).await?;
        rows.iter().map(jobs::candle_close).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    async fn finished(
        &self,
        timeframe: Timeframe,
        asked: &[(Symbol, Timestamp)],
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let mut finished = Vec::new();
        for (query, asked) in jobs::finished(timeframe, asked).into_iter().zip(asked.chunks(jobs::BATCH)) {
            let rows = self.database.rows(query).await?;
            finished.extend(jobs::over(asked, &rows).map_err(|error| store_error(&error))?);
        }
        Ok(finished)
    }

    async fn bury(&self, dead: &DeadJob) -> Result<(), StoreError> {
        let buried = || async move {
            let mut transaction = self.database.begin().await?;
            let buried = jobs::bury(transaction.connection(), dead).await;
            transaction.end(buried).await
        };
        self.database.write(1, buried).await
    }

    async fn dead(&self, limit: u32) -> Result<Vec<DeadJob>, StoreError> {
        let mut query = QueryBuilder::new(
            "SELECT `timeframe`, `candle_close`, `symbol`, `attempts`, `reason`, `died_at`, `retried_at` FROM `dead_jobs`
             ORDER BY `died_at` DESC, `candle_close` DESC, `symbol` LIMIT ",
        );
        query.push_bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        rows.iter().map(dead_job).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    async fn retry(&self, which: &DeadFilter, at: Timestamp) -> Result<u64, StoreError> {
        let marked = || async move {
            let mut transaction = self.database.begin().await?;
            let count = jobs::retry(transaction.connection(), which, at).await;
            transaction.end(count).await
        };
        self.database.write(1, marked).await
    }

    async fn retried(&self, limit: u32) -> Result<Vec<RetriedJob>, StoreError> {
        let mut query = QueryBuilder::new(
            "SELECT `timeframe`, `candle_close`, `symbol`, `retried_at` FROM `dead_jobs` WHERE `retried_at` IS NOT NULL
             ORDER BY `retried_at`, `candle_close`, `timeframe`, `symbol` LIMIT ",
        );
        query.push_bind(i64::from(limit));
        let rows = self.database.rows(query).await?;
        let retried =
            |found: &MySqlRow| Ok(RetriedJob { job: job(found)?, retried_at: row::moment(found, "retried_at")? });
        rows.iter().map(retried).collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let by = self.database.instance();
        let probed = || async move {
            let mut transaction = self.database.begin().await?;
            let written = write::probe(transaction.connection(), by).await;
            transaction.undo(written).await
        };
        self.database.write(1, probed).await
    }
}

/// Starts a query for the columns of a signal.
fn select(schema: &Schema) -> QueryBuilder<MySql> {
    select_with(schema, "`message`")
}

/// Starts a query for the columns of a signal, with this one for its message.
fn select_with(schema: &Schema, message: &str) -> QueryBuilder<MySql> {
    let [close, created, published, expired, withheld] =
        ["`timestamp`", "`committed_at`", "`published_at`", "`expired_at`", "`withheld_at`"].map(row::millis_of);
    QueryBuilder::new(format!(
        "SELECT CAST({} AS SIGNED) AS `position`, `signal_id`, `strategy`, `symbol`, `timeframe`, {message},
                CAST(`signal_type` AS CHAR) AS `action`, {close} AS `close`, {created} AS `committed`,
                {published} AS `published`, {expired} AS `expired`, {withheld} AS `withheld`
         FROM `signals`",
        schema.sequence
    ))
}

/// Adds only the requested conditions, so that each of them can use its index. Rows of the older service, which have no
/// id, are left out.
fn selection(filter: &SignalFilter, schema: &Schema) -> QueryBuilder<MySql> {
    let mut query = select(schema);
    query.push(" WHERE `signal_id` IS NOT NULL");
    if let Some(strategy) = &filter.strategy {
        query.push(" AND `strategy` = ").push_bind(strategy.as_str());
    }
    if let Some(symbol) = &filter.symbol {
        query.push(" AND `symbol` = ").push_bind(symbol.as_str());
    }
    if let Some(timeframe) = filter.timeframe {
        query.push(" AND `timeframe` = ").push_bind(timeframe.as_str());
    }
    if let Some(action) = filter.action {
        query.push(" AND `signal_type` = ").push_bind(action.as_str());
    }
    if let Some(state) = filter.state {
        query.push(" AND ").push(condition(state));
    }
    if let Some(since) = filter.since {
        query.push(" AND `timestamp` >= ").push_bind(row::datetime(since));
    }
    if let Some(until) = filter.until {
        query.push(" AND `timestamp` < ").push_bind(row::datetime(until));
    }
    if let Some(before) = filter.before {
        query.push(" AND ").push(&schema.sequence).push(" < ").push_bind(before);
    }
    query.push(" ORDER BY ").push(&schema.sequence).push(" DESC LIMIT ").push_bind(i64::from(filter.limit));
    query
}

/// The condition for signals in a state.
const fn condition(state: SignalState) -> &'static str {
    match state {
        SignalState::Waiting => "`waiting` = 1",
        SignalState::Published => "`published_at` IS NOT NULL",
        SignalState::Expired => "`published_at` IS NULL AND `expired_at` IS NOT NULL",
        SignalState::Withheld => "`published_at` IS NULL AND `expired_at` IS NULL AND `withheld_at` IS NOT NULL",
    }
}

fn signals(rows: &[MySqlRow]) -> Result<Vec<StoredSignal>, StoreError> {
    rows.iter().map(signal).collect::<Result<_, _>>().map_err(|error| store_error(&error))
}

fn signal(found: &MySqlRow) -> Result<StoredSignal, sqlx::Error> {
    Ok(StoredSignal {
        sequence: found.try_get("position")?,
        id: found.try_get("signal_id")?,
        strategy: row::parsed(found, "strategy")?,
        symbol: row::parsed(found, "symbol")?,
        timeframe: row::parsed(found, "timeframe")?,
        action: found.try_get("action")?,
        message: found.try_get("message")?,
        candle_close: row::moment(found, "close")?,
        created_at: row::moment(found, "committed")?,
        published_at: found.try_get::<Option<i64>, _>("published")?.map(Timestamp::from_millis),
        expired_at: found.try_get::<Option<i64>, _>("expired")?.map(Timestamp::from_millis),
        withheld_at: found.try_get::<Option<i64>, _>("withheld")?.map(Timestamp::from_millis),
    })
}

fn job(found: &MySqlRow) -> Result<Job, sqlx::Error> {
    let (symbol, candle_close) = jobs::candle_close(found)?;
    Ok(Job { symbol, timeframe: row::parsed(found, "timeframe")?, candle_close })
}

fn dead_job(found: &MySqlRow) -> Result<DeadJob, sqlx::Error> {
    Ok(DeadJob {
        job: job(found)?,
        attempts: found.try_get("attempts")?,
        reason: found.try_get("reason")?,
        died_at: row::moment(found, "died_at")?,
        retried_at: found.try_get::<Option<i64>, _>("retried_at")?.map(Timestamp::from_millis),
    })
}
