//! The newest rows of each series, kept in memory in front of a store.
//!
//! A candle that closes costs its series one small read, and a storm of closes costs one read for all of them: readers
//! that arrive at the same time are served together.
//!
//! The newest three rows are read again each time, because a writer may complete or correct them after the close.
//! What is older is kept only if nothing can still come of it: a stretch without a gap in which every row is a closed
//! candle. A series with a gap or with an unusable row, and a market that is younger than the window, are read whole
//! each time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};
use tokio::sync::oneshot;

use crate::{
    market::candle_store::{CandleStore, Inserted, SeriesSummary},
    support::store_error::StoreError,
};

/// How many series are kept. A row takes 64 bytes, so with the longest built-in window all series take 64 MB.
const MOST_SERIES: usize = 4_000;
/// How many of the newest rows of a window are read again each time.
const REREAD: usize = 3;
/// How long readers are gathered before one read serves them.
const GATHER: Duration = Duration::from_millis(2);
/// How many series one read covers.
const SERIES_AT_ONCE: usize = 500;

/// A store of candles with a cache in front of it.
pub struct CandleCache {
    reads: Arc<Reads>,
    kept: Mutex<HashMap<(Symbol, Timeframe), Kept>>,
    /// Counts the uses of kept series.
    uses: AtomicU64,
}

/// Rows that follow each other without a gap, oldest first.
struct Kept {
    rows: Vec<CandleRow>,
    /// The length of the longest window that was asked for.
    longest: usize,
    /// The count of uses at its last use.
    used: u64,
}

impl CandleCache {
    /// Creates an empty cache in front of `store`.
    pub fn new(store: Arc<dyn CandleStore>) -> Self {
        Self {
            reads: Arc::new(Reads { store, waiting: Mutex::default() }),
            kept: Mutex::default(),
            uses: AtomicU64::new(0),
        }
    }

    /// The kept rows of a window that need not be read again, and the close after which the store has to be asked.
    fn known(
        &self,
        series: &(Symbol, Timeframe),
        until: Timestamp,
        count: usize,
    ) -> Option<(Vec<CandleRow>, Timestamp)> {
        let mut kept = lock(&self.kept);
        let found = kept.get_mut(series)?;
        let closed = found.rows.partition_point(|row| close_of(series, row) <= until);
        // A window older than what is kept has to come from the store.
        let from = closed.checked_sub(count)?;
        let settled = closed.checked_sub(REREAD)?;
        let after = close_of(series, found.rows.get(settled.checked_sub(1)?)?);
        found.used = self.uses.fetch_add(1, Ordering::Relaxed);
        Some((found.rows[from.min(settled)..settled].to_vec(), after))
    }

    /// Keeps a window if it can be relied on, and forgets the series otherwise. Returns whether it is kept.
    fn keep(&self, series: &(Symbol, Timeframe), window: &[CandleRow], count: usize) -> bool {
        let mut kept = lock(&self.kept);
        let (Some(oldest), true) = (window.first(), is_reliable(series.1, window, count)) else {
            kept.remove(series);
            return false;
        };
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        let known = kept.entry(series.clone()).or_insert(Kept { rows: Vec::new(), longest: count, used });
        known.longest = count.max(known.longest);
        // What was kept of the stretch that the window covers gives way to what was read.
        let newest = window.last().map(|row| row.candle.open_time);
        let before = known.rows.partition_point(|row| row.candle.open_time < oldest.candle.open_time);
        let behind = known.rows.partition_point(|row| Some(row.candle.open_time) <= newest);
        let meet = |one: Option<&CandleRow>, other: Option<&CandleRow>| {
            one.zip(other).is_none_or(|(one, other)| follows(series.1, one, other))
        };
        let joins =
            meet(known.rows[..before].last(), window.first()) && meet(window.last(), known.rows[behind..].first());
        if joins {
            known.rows.splice(before..behind, window.iter().copied());
        } else if behind == known.rows.len() {
            known.rows = window.to_vec();
        }
        let surplus = known.rows.len().saturating_sub(known.longest);
        known.rows.drain(..surplus);
        if kept.len() > MOST_SERIES {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(series, _)| series.clone());
            oldest.map(|series| kept.remove(&series));
        }
        true
    }
}

fn close_of(series: &(Symbol, Timeframe), row: &CandleRow) -> Timestamp {
    series.1.close_of(row.candle.open_time)
}

/// Whether nothing can come of the rows any more, apart from the newest ones.
fn is_reliable(timeframe: Timeframe, window: &[CandleRow], count: usize) -> bool {
    let settled = &window[..window.len().saturating_sub(REREAD)];
    window.len() >= count
        && follow_each_other(timeframe, window)
        && settled.iter().all(|row| row.check(timeframe).is_ok())
}

/// Whether there is no gap between the rows, and no second row of a candle.
fn follow_each_other(timeframe: Timeframe, rows: &[CandleRow]) -> bool {
    rows.windows(2).all(|pair| follows(timeframe, &pair[0], &pair[1]))
}

fn follows(timeframe: Timeframe, one: &CandleRow, other: &CandleRow) -> bool {
    other.candle.open_time == timeframe.close_of(one.candle.open_time)
}

#[async_trait]
impl CandleStore for CandleCache {
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let series = (symbol.clone(), timeframe);
        let wanted = count as usize;
        if let Some((mut rows, after)) = self.known(&series, until, wanted) {
            let together = Together { timeframe, until, count: count.max(REREAD as u32) };
            rows.extend(self.reads.read(symbol.clone(), Some(after), together).await?);
            // Otherwise a row has disappeared, or more have come than were read. Only the store knows the window then.
            if self.keep(&series, &rows, wanted) {
                let surplus = rows.len() - wanted;
                rows.drain(..surplus);
                return Ok(rows);
            }
        }
        let rows = self.reads.read(symbol.clone(), None, Together { timeframe, until, count }).await?;
        self.keep(&series, &rows, wanted);
        Ok(rows)
    }

    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<CandleRow>>, StoreError> {
        self.reads.store.newest_closed_of(timeframe, wanted, until, count).await
    }

    async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        self.reads.store.newest_closes(timeframe, symbols, until).await
    }

    async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        self.reads.store.closed_between(timeframe, after, until).await
    }

    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError> {
        self.reads.store.insert(symbol, timeframe, candles).await
    }

    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        self.reads.store.series().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.reads.store.ping().await
    }
}

/// What reads must have in common to be served together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Together {
    timeframe: Timeframe,
    until: Timestamp,
    count: u32,
}

type Waiter = oneshot::Sender<Result<Vec<CandleRow>, StoreError>>;
type Readers = Vec<((Symbol, Option<Timestamp>), Waiter)>;

/// Collects reads that are served together.
struct Reads {
    store: Arc<dyn CandleStore>,
    waiting: Mutex<HashMap<Together, Readers>>,
}

impl Reads {
    /// The rows of one series, read together with those of other series.
    async fn read(
        self: &Arc<Self>,
        symbol: Symbol,
        after: Option<Timestamp>,
        what: Together,
    ) -> Result<Vec<CandleRow>, StoreError> {
        let (sender, answer) = oneshot::channel();
        let first = {
            let mut waiting = lock(&self.waiting);
            let readers = waiting.entry(what).or_default();
            readers.push(((symbol, after), sender));
            readers.len() == 1
        };
        if first {
            // This is a task of its own: the first reader may go away while the others still wait.
            tokio::spawn(Arc::clone(self).serve(what));
        }
        let gone = |_| StoreError::Unavailable { store: "candles", reason: "the read was given up".to_owned() };
        answer.await.map_err(gone)?
    }

    async fn serve(self: Arc<Self>, what: Together) {
        tokio::time::sleep(GATHER).await;
        let readers = lock(&self.waiting).remove(&what).unwrap_or_default();
        let (wanted, answers): (Vec<_>, Vec<_>) = readers.into_iter().unzip();
        let mut answers = answers.into_iter();
        for some in wanted.chunks(SERIES_AT_ONCE) {
            let read = self.store.newest_closed_of(what.timeframe, some, what.until, what.count).await;
            // The reader may have gone away.
            match read {
                Ok(found) => found.into_iter().zip(&mut answers).for_each(|(rows, answer)| {
                    let _ = answer.send(Ok(rows));
                }),
                Err(error) => answers.by_ref().take(some.len()).for_each(|answer| {
                    let _ = answer.send(Err(error.clone()));
                }),
            }
        }
    }
}

/// A poisoned lock is fine: what is kept is only replaced as a whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
