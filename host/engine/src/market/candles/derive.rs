//! Completes windows and closes with candles that are made of shorter ones.
//!
//! Which candles there are does not depend on how many are asked for: a shorter window is always the end of a longer
//! one. Otherwise the window of one strategy would depend on which others run beside it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use ta_bot_core::{Candle, CandleSources, ClosedCandles, RowProblem, Symbol, Timeframe, Timestamp, derived, parts_of};

use super::{Candles, is_on_grid};
use crate::{evaluation::SeriesKey, market::revision_store::Revision, support::store_error::StoreError};

/// How many shorter candles a window of longer ones is made of at most, counted back from its end.
const MOST_SHORTER: i64 = 4_000;
/// How many candles are tried together at least.
const TRIED_TOGETHER: usize = 64;
/// How many candles before the end of a shorter series the newest longer one is looked for.
const LOOKED_BACK: i64 = 8;

/// Which timeframe candles are made of.
pub struct Sources {
    rule: CandleSources,
    scheduled: Box<dyn Fn() -> Vec<Timeframe> + Send + Sync>,
}

impl Sources {
    /// By this rule, with the timeframes that `scheduled` returns at the moment.
    pub fn new(rule: CandleSources, scheduled: impl Fn() -> Vec<Timeframe> + Send + Sync + 'static) -> Self {
        Self { rule, scheduled: Box::new(scheduled) }
    }

    /// No candles are made.
    pub fn none() -> Self {
        Self::new(CandleSources::Listed(BTreeMap::new()), Vec::new)
    }

    fn of(&self, timeframe: Timeframe) -> Option<Timeframe> {
        self.rule.source_of(timeframe, &(self.scheduled)())
    }
}

type Closes = Vec<(Symbol, Timestamp)>;

/// The candles that were made of shorter ones, as they were last given to a reader.
#[derive(Default)]
pub(super) struct Derived(Mutex<HashMap<SeriesKey, BTreeMap<Timestamp, Candle>>>);

/// What a window says about candles that were made before.
#[derive(Debug, Default, PartialEq)]
struct Compared {
    /// How many are made for the first time.
    new: u64,
    /// Those that have other numbers now, or that are gone, with what is there now.
    changed: Vec<(Candle, Option<Candle>)>,
}

impl Derived {
    /// Compares a window with what was made before, and remembers what it has of made candles.
    fn compare(&self, series: &SeriesKey, closed: &ClosedCandles) -> Compared {
        let [Some(oldest), Some(newest)] = [closed.candles.first(), closed.candles.last()] else {
            return Compared::default();
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if closed.derived.is_none() && !all.contains_key(series) {
            return Compared::default();
        }
        let known = all.entry(series.clone()).or_default();
        let now = |open: &Timestamp| {
            let place = closed.candles.binary_search_by_key(open, |candle| candle.open_time);
            place.ok().map(|place| closed.candles[place])
        };
        let covered = oldest.open_time..=newest.open_time;
        let changed = known.range(covered.clone()).map(|(open, old)| (*old, now(open)));
        let changed = changed.filter(|(old, now)| *now != Some(*old)).collect();
        let opens = closed.derived.iter().flat_map(|derived| &derived.open_times);
        let made: Vec<Candle> = opens.filter_map(now).collect();
        let new = made.iter().filter(|candle| !known.contains_key(&candle.open_time)).count() as u64;
        // The others have their own rows now.
        known.retain(|open, _| !covered.contains(open));
        known.extend(made.iter().map(|candle| (candle.open_time, *candle)));
        while known.len() > MOST_SHORTER as usize {
            known.pop_first();
        }
        Compared { new, changed }
    }
}

impl Candles {
    /// The timeframe that candles of `timeframe` are made of if they are missing; `None` if they are not made.
    pub fn source_of(&self, timeframe: Timeframe) -> Option<Timeframe> {
        self.sources.of(timeframe)
    }

    /// Makes candles that are missing among the newest `count`, or whose rows are unfinished.
    pub(super) async fn complete(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
        closed: &mut ClosedCandles,
    ) -> Result<(), StoreError> {
        let window = Window { timeframe, end: timeframe.open_of(until), count: count as usize };
        if window.is_whole(&closed.candles) {
            return Ok(());
        }
        let Some((source, parts)) =
            self.source_of(timeframe).and_then(|source| Some((source, parts_of(timeframe, source)?)))
        else {
            return Ok(());
        };
        let mut tried = HashSet::new();
        let mut made = Vec::new();
        loop {
            let missing = window.missing(closed, &made, parts, &tried);
            let (Some(&newest), Some(&oldest)) = (missing.first(), missing.last()) else { break };
            let end = timeframe.close_of(newest);
            let asked = (end.millis() - oldest.millis()) / source.millis();
            let shorter = self.own(symbol, source, end, asked as u32).await?;
            self.note(symbol, source, &shorter.refused);
            let shorter = shorter.candles;
            made.extend(missing.iter().filter_map(|open| derived(timeframe, source, *open, &shorter)));
            tried.extend(missing);
            // Nothing older is there.
            if (shorter.len() as i64) < asked && shorter.first().is_none_or(|first| first.open_time > oldest) {
                break;
            }
        }
        if !made.is_empty() {
            closed.complete(source, made, window.count);
        }
        Ok(())
    }

    /// Counts candles that are made for the first time, and notes those that have changed since they were made.
    pub(super) fn note_derived(&self, symbol: &Symbol, timeframe: Timeframe, closed: &ClosedCandles) {
        let Compared { new, changed } = self.derived.compare(&(symbol.clone(), timeframe), closed);
        if new > 0 {
            self.metrics.inputs.candles_derived.with_label_values(&[timeframe.as_str()]).inc_by(new);
        }
        for (old, new) in changed {
            let revision = Revision { symbol: symbol.clone(), timeframe, old, new, noticed_at: Timestamp::now() };
            if let Some(revisions) = &self.revisions {
                revisions.note(revision);
            }
        }
    }

    /// Adds to `closes` those candles that shorter ones make complete, of the symbols in `after`, after the times given
    /// beside them. Both lists are sorted.
    pub(super) async fn add_derived(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
        closes: &mut Closes,
    ) -> Result<(), StoreError> {
        let Some(source) = self.source_of(timeframe) else { return Ok(()) };
        let mut there: HashMap<&Symbol, i64> = HashMap::new();
        for (symbol, _) in closes.iter() {
            *there.entry(symbol).or_default() += 1;
        }
        let end = timeframe.open_of(until);
        let lacks_some = |(symbol, after): &&(Symbol, Timestamp)| {
            (end.millis() - after.millis()) / timeframe.millis() > there.get(symbol).copied().unwrap_or(0)
        };
        let lacking: Closes = after.iter().filter(lacks_some).cloned().collect();
        if lacking.is_empty() {
            return Ok(());
        }
        let made = self.completed_by(timeframe, source, &lacking, end).await?;
        closes.extend(made);
        closes.sort();
        closes.dedup();
        Ok(())
    }

    /// Puts closes of candles that shorter ones make complete in the place of older ones.
    pub(super) async fn replace_by_derived(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
        newest: &mut Closes,
    ) -> Result<(), StoreError> {
        let Some(source) = self.source_of(timeframe) else { return Ok(()) };
        let end = timeframe.open_of(until);
        let mut known: BTreeMap<Symbol, Timestamp> = newest.drain(..).collect();
        let behind: Vec<Symbol> =
            symbols.iter().filter(|symbol| known.get(symbol).is_none_or(|close| *close < end)).cloned().collect();
        if !behind.is_empty() {
            let shorter = self.store.newest_closes(source, &behind, until).await?;
            let after = shorter.into_iter().filter_map(|(symbol, close)| {
                let newest = timeframe.open_of(close);
                let after = newest.plus_millis(-LOOKED_BACK * timeframe.millis());
                let after = known.get(&symbol).map_or(after, |known| after.max(*known));
                (newest > after).then_some((symbol, after))
            });
            let after: Closes = after.collect();
            // The closes of each symbol are in order, so its newest one is kept.
            known.extend(self.completed_by(timeframe, source, &after, end).await?);
        }
        newest.extend(known);
        Ok(())
    }

    /// The candles whose shorter ones are all there. As everywhere with closes, rows may turn out to be unusable.
    async fn completed_by(
        &self,
        timeframe: Timeframe,
        source: Timeframe,
        after: &[(Symbol, Timestamp)],
        end: Timestamp,
    ) -> Result<Closes, StoreError> {
        if after.is_empty() {
            return Ok(Closes::new());
        }
        let mut shorter = self.store.closed_between(source, after, end).await?;
        shorter.retain(|(_, close)| is_on_grid(source, *close));
        shorter.dedup();
        let slot = |(symbol, close): &(Symbol, Timestamp)| (symbol.clone(), timeframe.open_of(close.plus_millis(-1)));
        let parts = parts_of(timeframe, source);
        let whole = shorter.chunk_by(|one, other| slot(one) == slot(other));
        let whole = whole.filter(|shorter| Some(shorter.len() as i64) == parts);
        Ok(whole.map(|shorter| slot(&shorter[0])).map(|(symbol, open)| (symbol, timeframe.close_of(open))).collect())
    }
}

/// The newest candles of a series that had closed by a moment.
struct Window {
    timeframe: Timeframe,
    /// When the newest of them closed, if it is there.
    end: Timestamp,
    count: usize,
}

impl Window {
    /// Whether nothing is missing.
    fn is_whole(&self, candles: &[Candle]) -> bool {
        let [Some(oldest), Some(newest)] = [candles.first(), candles.last()] else { return self.count == 0 };
        let length = newest.open_time.millis() - oldest.open_time.millis();
        candles.len() == self.count
            && self.timeframe.close_of(newest.open_time) == self.end
            && length == (self.count as i64 - 1) * self.timeframe.millis()
    }

    /// The open times of the next candles to try, newest first.
    fn missing(
        &self,
        closed: &ClosedCandles,
        made: &[Candle],
        parts: i64,
        tried: &HashSet<Timestamp>,
    ) -> Vec<Timestamp> {
        let mut there: Vec<Timestamp> = closed.candles.iter().chain(made).map(|candle| candle.open_time).collect();
        there.sort_unstable();
        let furthest = self.end.plus_millis(-(MOST_SHORTER / parts) * self.timeframe.millis());
        let oldest = there.len().checked_sub(self.count).map_or(furthest, |surplus| furthest.max(there[surplus]));
        // A row that is wrong makes a hole. One that is only unfinished has its candle made.
        let wrong = closed.refused.iter().filter(|refused| !matches!(refused.problem, RowProblem::Unfinished { .. }));
        let wrong: HashSet<Timestamp> = wrong.map(|refused| refused.open_time).collect();
        let lacking = self.count.saturating_sub(there.len()).max(TRIED_TOGETHER);
        let opens = std::iter::successors(Some(self.end), |open| Some(open.plus_millis(-self.timeframe.millis())));
        opens
            .skip(1)
            .take_while(|open| *open >= oldest)
            .filter(|open| there.binary_search(open).is_err() && !wrong.contains(open) && !tried.contains(open))
            .take(lacking)
            .collect()
    }
}

#[cfg(test)]
mod tests;
