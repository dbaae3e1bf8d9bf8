//! The newest candles of each series, kept in memory in front of a store.
//!
//! A candle that closes costs its series one small read, and a storm of closes costs one read for all of them: readers
//! that arrive at the same time are served together.
//!
//! The cache is exact. A closed candle does not change, so a stretch without a gap can only grow at its newer end, and
//! the store is asked whether it has grown whenever another candle may have closed. If there is a gap, or if the
//! market is younger than the window, an older candle may still come: such series are read whole each time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use tokio::sync::oneshot;

use crate::{
    market::candle_store::{CandleStore, Inserted, SeriesSummary},
    support::store_error::StoreError,
};

/// How many series are kept. A candle takes 48 bytes, so with the longest built-in window all series take 50 MB.
const MOST_SERIES: usize = 4_000;
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

/// Candles that follow each other without a gap, oldest first.
struct Kept {
    candles: Vec<Candle>,
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

    /// The newest `count` kept candles of a series that had closed by `until`, and the close time from which the
    /// store has to be asked.
    fn known(&self, series: &(Symbol, Timeframe), until: Timestamp, count: usize) -> Option<(Vec<Candle>, Timestamp)> {
        let mut kept = lock(&self.kept);
        let found = kept.get_mut(series)?;
        let newest = series.1.close_of(found.candles.last()?.open_time);
        let closed = found.candles.partition_point(|candle| series.1.close_of(candle.open_time) <= until);
        // A window older than what is kept has to come from the store.
        let from = closed.checked_sub(count)?;
        found.used = self.uses.fetch_add(1, Ordering::Relaxed);
        Some((found.candles[from..closed].to_vec(), newest))
    }

    /// Keeps a window if it can be relied on: it must have the requested length and no gap.
    fn keep(&self, series: &(Symbol, Timeframe), candles: &[Candle], count: usize) {
        let length = series.1.millis();
        let gap = |pair: &[Candle]| pair[1].open_time.millis() - pair[0].open_time.millis() != length;
        let mut kept = lock(&self.kept);
        if candles.len() < count || candles.windows(2).any(gap) {
            kept.remove(series);
            return;
        }
        let used = self.uses.fetch_add(1, Ordering::Relaxed);
        // A shorter or older window does not replace one that serves longer requests.
        let better = kept.get(series).is_none_or(|before| {
            let (old, new) = (before.candles.last(), candles.last());
            candles.len() >= before.candles.len() && new.map(|c| c.open_time) >= old.map(|c| c.open_time)
        });
        if better {
            kept.insert(series.clone(), Kept { candles: candles.to_vec(), used });
        }
        if kept.len() > MOST_SERIES {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(series, _)| series.clone());
            oldest.map(|series| kept.remove(&series));
        }
    }
}

#[async_trait]
impl CandleStore for CandleCache {
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Candle>, StoreError> {
        let series = (symbol.clone(), timeframe);
        let wanted = count as usize;
        let mut candles = Vec::new();
        let mut after = None;
        if let Some((known, newest)) = self.known(&series, until, wanted) {
            if until < timeframe.close_of(newest) {
                return Ok(known);
            }
            (candles, after) = (known, Some(newest));
        }
        candles.extend(self.reads.read(symbol.clone(), after, Together { timeframe, until, count }).await?);
        let surplus = candles.len().saturating_sub(wanted);
        candles.drain(..surplus);
        self.keep(&series, &candles, wanted);
        // The kept stretch now has a gap behind it. Only the store knows whether the gap has been filled.
        if after.is_some() && lock(&self.kept).get(&series).is_none() {
            return self.reads.read(symbol.clone(), None, Together { timeframe, until, count }).await;
        }
        Ok(candles)
    }

    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<Candle>>, StoreError> {
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

type Waiter = oneshot::Sender<Result<Vec<Candle>, StoreError>>;
type Readers = Vec<((Symbol, Option<Timestamp>), Waiter)>;

/// Collects reads that are served together.
struct Reads {
    store: Arc<dyn CandleStore>,
    waiting: Mutex<HashMap<Together, Readers>>,
}

impl Reads {
    /// The candles of one series, read together with those of other series.
    async fn read(
        self: &Arc<Self>,
        symbol: Symbol,
        after: Option<Timestamp>,
        what: Together,
    ) -> Result<Vec<Candle>, StoreError> {
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
                Ok(found) => found.into_iter().zip(&mut answers).for_each(|(candles, answer)| {
                    let _ = answer.send(Ok(candles));
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
