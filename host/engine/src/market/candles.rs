//! The door through which candles come in.
//!
//! Everything that looks at candles reads them here: analyses, the schedule, replays, comparisons and commands. So all
//! of them see the same closed, sound candles, and a row that is none of them is left out everywhere alike. Such a row
//! counts as a candle that is missing: windows reach past it, as they reach past a gap.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ta_bot_core::{Candle, ClosedCandles, RefusedCandle, RowProblem, Symbol, Timeframe, Timestamp, closed_candles};

use crate::{
    evaluation::SeriesKey,
    market::{
        candle_store::{CandleStore, Inserted, SeriesSummary},
        clock::MarketClock,
        revisions::Revisions,
    },
    support::{metrics::Metrics, store_error::StoreError},
};

mod derive;
mod stored;

use derive::Derived;
pub use derive::Sources;

/// How long after its close a candle is waited for by default.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);
/// How many more rows than twice its length a window reaches back over.
const MORE_ROWS: u32 = 64;
/// How many refused candles of a series are remembered, so that each is counted and named once.
const MOST_REMEMBERED: usize = 20_000;

/// The candles of a store.
pub struct Candles {
    store: Arc<dyn CandleStore>,
    patience: Duration,
    metrics: Arc<Metrics>,
    clock: MarketClock,
    sources: Arc<Sources>,
    revisions: Option<Arc<Revisions>>,
    refused: Arc<Refused>,
    derived: Arc<Derived>,
}

/// The refused candles that were already counted and named, by their open times.
type Refused = Mutex<HashMap<SeriesKey, HashSet<Timestamp>>>;

impl Candles {
    /// The candles of `store`, of which none are made of shorter ones.
    pub fn new(store: Arc<dyn CandleStore>, patience: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            patience,
            metrics,
            clock: MarketClock::default(),
            sources: Arc::new(Sources::none()),
            revisions: None,
            refused: Arc::default(),
            derived: Arc::default(),
        }
    }

    /// These candles, and those that can be made of shorter ones if they are missing.
    #[must_use]
    pub fn derived_from(self, sources: Sources) -> Self {
        Self { sources: Arc::new(sources), ..self }
    }

    /// The clock of the market.
    pub const fn clock(&self) -> &MarketClock {
        &self.clock
    }

    /// These candles, waited for by another clock.
    #[must_use]
    pub fn on(self, clock: MarketClock) -> Self {
        Self { clock, ..self }
    }

    /// These candles. If the own row of a candle that was made of shorter ones comes later with other numbers, that is
    /// noted in `revisions`.
    #[must_use]
    pub fn noting(self, revisions: Arc<Revisions>) -> Self {
        Self { revisions: Some(revisions), ..self }
    }

    /// The same candles, read through another store, such as a cache in front of this one. What was already named is
    /// not named again.
    #[must_use]
    pub fn through(&self, store: Arc<dyn CandleStore>) -> Self {
        Self {
            store,
            patience: self.patience,
            metrics: Arc::clone(&self.metrics),
            clock: self.clock.clone(),
            sources: Arc::clone(&self.sources),
            revisions: self.revisions.clone(),
            refused: Arc::clone(&self.refused),
            derived: Arc::clone(&self.derived),
        }
    }

    /// Whether a candle that closed at `close` is still waited for if its row is missing or unfinished.
    pub fn is_awaited(&self, close: Timestamp) -> bool {
        self.clock.now() < close.plus_millis(self.patience.as_millis() as i64)
    }

    /// The newest `count` candles that had closed at `until`, oldest first. A candle that has no row or an unfinished
    /// one is made of shorter candles if all of them are there. Beside the candles are those that have nothing but
    /// unusable rows, as far as the window reaches; there are none of those in most windows.
    ///
    /// A window reaches past unusable rows, but over no more than as many rows as it has candles, and some.
    pub async fn newest(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<ClosedCandles, StoreError> {
        let mut closed = self.own(symbol, timeframe, until, count).await?;
        self.complete(symbol, timeframe, until, count, &mut closed).await?;
        self.note_derived(symbol, timeframe, &closed);
        self.note(symbol, timeframe, &closed.refused);
        Ok(closed)
    }

    /// Has the newest candles of a symbol read from the store by whoever looks at them next, whatever is in memory.
    pub fn expire(&self, symbol: &Symbol) {
        self.store.expire(symbol);
    }

    /// The newest `count` candles that have rows of their own.
    async fn own(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<ClosedCandles, StoreError> {
        let furthest = count.saturating_mul(2).saturating_add(MORE_ROWS);
        // One more than is wanted, see below.
        let mut asked = count.saturating_add(1);
        loop {
            let mut rows = self.store.newest_closed(symbol, timeframe, until, asked).await?;
            let are_all = rows.len() < asked as usize;
            if let Some(oldest) = rows.first().map(|row| row.candle.open_time).filter(|_| !are_all) {
                // The oldest candle of what was read may have more rows, and another one of them may be the one to use.
                rows.retain(|row| row.candle.open_time != oldest);
            }
            let mut closed = closed_candles(timeframe, rows);
            let there = closed.candles.len() as u32;
            if there >= count || are_all || asked == furthest {
                let surplus = there.saturating_sub(count) as usize;
                closed.candles.drain(..surplus);
                return Ok(closed);
            }
            asked = asked.saturating_add(2 * (count - there)).min(furthest);
        }
    }

    /// The rows as they are stored, for replays of signals that were made before rows were checked. A candle that is
    /// stored twice comes once.
    pub async fn as_stored(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Candle>, StoreError> {
        let mut rows = self.store.newest_closed(symbol, timeframe, until, count).await?;
        rows.dedup_by_key(|row| row.candle.open_time);
        Ok(rows.into_iter().map(|row| row.candle).collect())
    }

    /// For each symbol, the newest candle whose time was over at `until`, as symbol and close time, sorted by symbol. A
    /// symbol without one is left out. Its row may be unusable: an analysis finds that out, and waits for a better one.
    /// A candle without a row counts if all the shorter ones that it is made of have theirs.
    pub async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let newest = self.store.newest_closes(timeframe, symbols, until).await?;
        let mut closes = Vec::with_capacity(newest.len());
        for (symbol, close) in newest {
            if is_on_grid(timeframe, close) {
                closes.push((symbol, close));
            } else if let Some(candle) = self.newest(&symbol, timeframe, until, 1).await?.candles.last() {
                closes.push((symbol, timeframe.close_of(candle.open_time)));
            }
        }
        self.replace_by_derived(timeframe, symbols, until, &mut closes).await?;
        Ok(closes)
    }

    /// The candles of `timeframe` whose time was over at `until`, see [`CandleStore::closed_between`]. As in
    /// [`newest_closes`](Self::newest_closes), their rows may be unusable.
    pub async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        let mut closes = self.store.closed_between(timeframe, after, until).await?;
        closes.retain(|(_, close)| is_on_grid(timeframe, *close));
        self.add_derived(timeframe, after, until, &mut closes).await?;
        Ok(closes)
    }

    /// Inserts candles of one series, see [`CandleStore::insert`].
    pub async fn insert(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        candles: &[Candle],
    ) -> Result<Inserted, StoreError> {
        self.store.insert(symbol, timeframe, candles).await
    }

    /// A summary of each stored series, sorted by symbol and timeframe.
    pub async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        self.store.series().await
    }

    /// Checks that the store answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Counts candles that are refused for the first time, and names the newest of them. An unfinished candle that is
    /// still waited for is not one of them.
    fn note(&self, symbol: &Symbol, timeframe: Timeframe, refused: &[RefusedCandle]) {
        if refused.is_empty() {
            return;
        }
        let is_over = |candle: &&RefusedCandle| !matches!(candle.problem, RowProblem::Unfinished { close, .. } if self.is_awaited(close));
        let new: Vec<&RefusedCandle> = {
            let mut known = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let known = known.entry((symbol.clone(), timeframe)).or_default();
            if known.len() > MOST_REMEMBERED {
                known.clear();
            }
            refused.iter().filter(is_over).filter(|candle| known.insert(candle.open_time)).collect()
        };
        for candle in &new {
            self.metrics.inputs.candles_refused.with_label_values(&[candle.problem.code()]).inc();
        }
        let Some(newest) = new.last() else { return };
        let RefusedCandle { open_time: opened, problem } = newest;
        let candles = new.len();
        tracing::warn!(%symbol, %timeframe, candles, %opened, %problem, "candles are left out; the newest is named here");
    }
}

fn is_on_grid(timeframe: Timeframe, close: Timestamp) -> bool {
    timeframe.open_of(close) == close
}

#[cfg(test)]
mod tests;
