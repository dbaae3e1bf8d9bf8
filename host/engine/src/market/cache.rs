//! The newest rows of each series, kept in memory in front of a store.
//!
//! A candle that closes costs its series one small read, and a storm of closes costs one read for all of them: readers
//! that arrive at the same time are served together.
//!
//! The newest three rows are read again at each close of their series and whenever somebody asks for that, because a
//! writer may complete or correct them after the close. Between two closes, what a shorter timeframe's candles look at
//! of a longer one comes from memory. What is older is used as long as nothing can come of it: a stretch without a gap
//! in which every row is a closed candle. A window with a gap or with an unusable row, and one that is longer than its
//! market is old, are read whole each time.
//!
//! What is kept is compared with whatever is read of it later, and all of it with the store in the background. A candle
//! that changed is noted, see `comparison`.

use std::{
    collections::HashMap,
    ops::Range,
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
    evaluation::SeriesKey,
    market::{
        candle_store::{CandleStore, Inserted, Repair, RepairEntry, Repaired, SeriesSummary},
        revisions::Revisions,
    },
    support::store_error::StoreError,
};

mod comparison;
mod repairs;

use comparison::Stretch;

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
    kept: Mutex<HashMap<SeriesKey, Kept>>,
    /// Counts the uses of kept series, which orders them in time.
    uses: AtomicU64,
    revisions: Arc<Revisions>,
}

/// Rows of one series, oldest first.
struct Kept {
    rows: Vec<CandleRow>,
    /// The first of the rows that can be relied on, see [`whole_from`].
    whole_from: usize,
    /// The length of the longest window that was asked for.
    longest: usize,
    /// The count of uses at its last use.
    used: u64,
    /// The count of uses when rows were last taken in.
    changed: u64,
    /// The count of uses when the read began that brought the newest rows.
    read: u64,
    /// Only a read that began after this count of uses is new enough to be used without asking the store.
    stale_until: u64,
}

/// What is known of a window.
enum Known {
    /// All of it.
    Whole(Vec<CandleRow>),
    /// The rows of candles that closed by this moment. The store has to be asked for the others.
    Until(Vec<CandleRow>, Timestamp),
}

impl CandleCache {
    /// Creates an empty cache in front of `store`. Kept candles that turn out to have changed are noted in `revisions`.
    pub fn new(store: Arc<dyn CandleStore>, revisions: Arc<Revisions>) -> Self {
        Self {
            reads: Arc::new(Reads { store, waiting: Mutex::default() }),
            kept: Mutex::default(),
            uses: AtomicU64::new(0),
            revisions,
        }
    }

    /// The next count of uses.
    fn now(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    /// The kept rows of a window that need not be read again.
    fn known(&self, series: &SeriesKey, until: Timestamp, count: usize) -> Option<Known> {
        let mut kept = lock(&self.kept);
        let found = kept.get_mut(series)?;
        let whole = &found.rows[found.whole_from..];
        let closed = whole.partition_point(|row| close_of(series.1, row) <= until);
        // A window older than what is kept has to come from the store.
        let from = closed.checked_sub(count)?;
        let settled = closed.checked_sub(REREAD)?;
        let after = close_of(series.1, whole.get(settled.checked_sub(1)?)?);
        found.used = self.now();
        let next_close = series.1.close_of(close_of(series.1, &whole[closed - 1]));
        let is_sound = |row: &CandleRow| row.check(series.1).is_ok();
        if until < next_close && found.read > found.stale_until && whole[settled..closed].iter().all(is_sound) {
            return Some(Known::Whole(whole[from..closed].to_vec()));
        }
        Some(Known::Until(whole[from.min(settled)..settled].to_vec(), after))
    }

    /// Keeps the rows of a stretch, in place of what was kept of it, for windows of `count` rows.
    fn keep(&self, series: &SeriesKey, stretch: &Stretch<'_>, count: usize) {
        let now = self.now();
        let mut kept = lock(&self.kept);
        let new =
            || Kept { rows: Vec::new(), whole_from: 0, longest: count, used: now, changed: 0, read: 0, stale_until: 0 };
        let known = kept.entry(series.clone()).or_insert_with(new);
        known.used = now;
        known.longest = count.max(known.longest);
        self.take_in(series, known, stretch);
        if known.rows.is_empty() {
            kept.remove(series);
        }
        if kept.len() > MOST_SERIES {
            let oldest = kept.iter().min_by_key(|(_, kept)| kept.used).map(|(series, _)| series.clone());
            oldest.map(|series| kept.remove(&series));
        }
    }
}

fn close_of(timeframe: Timeframe, row: &CandleRow) -> Timestamp {
    timeframe.close_of(row.candle.open_time)
}

/// The first of the newest rows of which nothing can come any more, apart from the very newest: there is no gap between
/// them, no second row of a candle, and each is a closed candle.
fn whole_from(timeframe: Timeframe, rows: &[CandleRow]) -> usize {
    let settled = rows.len().saturating_sub(REREAD);
    let follows = |row: &CandleRow, next: &CandleRow| next.candle.open_time == close_of(timeframe, row);
    let is_broken = |index: &usize| {
        let (row, next) = (&rows[*index], rows.get(index + 1));
        next.is_some_and(|next| !follows(row, next)) || (*index < settled && row.check(timeframe).is_err())
    };
    (0..rows.len()).rev().find(is_broken).map_or(0, |broken| broken + 1)
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
        let began = self.now();
        let known = self.known(&series, until, wanted);
        if let Some(Known::Whole(rows)) = known {
            return Ok(rows);
        }
        if let Some(Known::Until(mut rows, after)) = known {
            let together = Together { timeframe, until, count: count.max(REREAD as u32) };
            let read = self.reads.read(symbol.clone(), Some(after), together).await?;
            self.keep(&series, &Stretch::new(&read, Some(after), together, began), wanted);
            rows.extend(read);
            // Otherwise a row has disappeared, or more have come than were read. Only the store knows the window then.
            if rows.len() >= wanted && whole_from(timeframe, &rows) == 0 {
                let surplus = rows.len() - wanted;
                rows.drain(..surplus);
                return Ok(rows);
            }
        }
        let began = self.now();
        let together = Together { timeframe, until, count };
        let rows = self.reads.read(symbol.clone(), None, together).await?;
        self.keep(&series, &Stretch::new(&rows, None, together, began), wanted);
        Ok(rows)
    }

    fn expire(&self, symbol: &Symbol) {
        let now = self.now();
        let mut kept = lock(&self.kept);
        kept.iter_mut().filter(|((of, _), _)| of == symbol).for_each(|(_, kept)| kept.stale_until = now);
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

    async fn opened_within(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
        limit: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        self.reads.store.opened_within(symbol, timeframe, opened, limit).await
    }

    fn owner(&self) -> Option<&'static str> {
        self.reads.store.owner()
    }

    async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError> {
        self.reads.store.repair(repair).await
    }

    async fn repairs_after(&self, number: i64, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.reads.store.repairs_after(number, limit).await
    }

    async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.reads.store.newest_repairs(limit).await
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
