//! Compares a change with what is stored.

use std::collections::BTreeMap;

use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp, closed_candles};

use super::{CandleChange, reach::Changed};
use crate::{
    evaluation::SeriesKey,
    market::{
        candle_store::{RepairChange, RepairEntry},
        candles::Candles,
    },
    support::store_error::StoreError,
};

/// What a change does to the candles of a series.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) added: u64,
    pub(super) changed: u64,
    pub(super) removed: u64,
    pub(super) same: u64,
    pub(super) kept: u64,
    /// Every candle that strategies see otherwise, oldest first.
    pub(super) changes: Vec<CandleChange>,
}

impl Comparison {
    /// Compares with the rows that are stored now.
    pub(super) async fn read(
        candles: &Candles,
        symbol: &Symbol,
        timeframe: Timeframe,
        change: &RepairChange,
    ) -> Result<Self, StoreError> {
        match change {
            RepairChange::Delete(opened) => {
                let rows = candles.opened_within(symbol, timeframe, opened.clone()).await?;
                Ok(Self::of_deletion(timeframe, rows))
            }
            RepairChange::Replace(new) => {
                let ([first, ..], [.., last]) = (new.as_slice(), new.as_slice()) else { return Ok(Self::default()) };
                let opened = first.open_time..last.open_time.plus_millis(1);
                let rows = candles.opened_within(symbol, timeframe, opened).await?;
                Ok(Self::of_replacement(timeframe, rows, new))
            }
        }
    }

    fn of_deletion(timeframe: Timeframe, rows: Vec<CandleRow>) -> Self {
        let removed = rows.chunk_by(|one, other| one.candle.open_time == other.candle.open_time).count() as u64;
        let gone = |old: Candle| CandleChange { open_time: old.open_time, old: Some(old), new: None };
        let changes = closed_candles(timeframe, rows).candles.into_iter().map(gone).collect();
        Self { removed, changes, ..Self::default() }
    }

    fn of_replacement(timeframe: Timeframe, rows: Vec<CandleRow>, new: &[Candle]) -> Self {
        let mut stored: BTreeMap<Timestamp, Vec<CandleRow>> = BTreeMap::new();
        for row in rows {
            stored.entry(row.candle.open_time).or_default().push(row);
        }
        let mut comparison = Self::default();
        for candle in new {
            let open_time = candle.open_time;
            let rows = stored.remove(&open_time).unwrap_or_default();
            let is_same = |row: &CandleRow| row.candle == *candle && row.check(timeframe).is_ok();
            match rows.as_slice() {
                [] => comparison.added += 1,
                rows if rows.iter().all(is_same) => {
                    comparison.same += 1;
                    continue;
                }
                _ => comparison.changed += 1,
            }
            let old = closed_candles(timeframe, rows).candles.pop();
            if old != Some(*candle) {
                comparison.changes.push(CandleChange { open_time, old, new: Some(*candle) });
            }
        }
        comparison.kept = stored.len() as u64;
        comparison
    }

    /// What a repair that was made may have changed: every candle from the first to the last that it did change. Where
    /// those two are gone, windows reached over their places.
    pub(super) async fn of_entry(candles: &Candles, entry: &RepairEntry) -> Result<Self, StoreError> {
        let RepairEntry { symbol, timeframe, first_open, last_open, .. } = entry;
        let rows = candles.opened_within(symbol, *timeframe, *first_open..last_open.plus_millis(1)).await?;
        let mut changes: Vec<CandleChange> = closed_candles(*timeframe, rows)
            .candles
            .into_iter()
            .map(|candle| CandleChange { open_time: candle.open_time, old: Some(candle), new: Some(candle) })
            .collect();
        for open_time in [*first_open, *last_open] {
            if let Err(place) = changes.binary_search_by_key(&open_time, |change| change.open_time) {
                changes.insert(place, CandleChange { open_time, old: None, new: None });
            }
        }
        Ok(Self { changes, ..Self::default() })
    }

    /// The candles of a series around those that change, with as many after the last one as any window holds.
    pub(super) async fn stretches(
        &self,
        candles: &Candles,
        (symbol, timeframe): &SeriesKey,
        longest: usize,
    ) -> Result<Changed, StoreError> {
        let ([first, ..], [.., last]) = (self.changes.as_slice(), self.changes.as_slice()) else {
            return Ok(Changed::default());
        };
        let mut opens: Vec<Timestamp> = Vec::new();
        let mut from = first.open_time;
        loop {
            let (rows, next) = candles.page(symbol, *timeframe, from..Timestamp::from_millis(i64::MAX)).await?;
            let closed = closed_candles(*timeframe, rows).candles;
            opens.extend(closed.into_iter().map(|candle| candle.open_time));
            let after = opens.len() - opens.partition_point(|open| *open <= last.open_time);
            match next {
                Some(next) if after <= longest => from = next,
                _ => break,
            }
        }
        Ok(self.changed(*timeframe, opens))
    }

    /// `opens` are the open times as they are without the change.
    fn changed(&self, timeframe: Timeframe, opens: Vec<Timestamp>) -> Changed {
        let place = |opens: &[Timestamp], change: &CandleChange| opens.binary_search(&change.open_time).ok();
        let with_old = self.changes.iter().filter(|change| change.old.is_some());
        let before: Vec<usize> = with_old.filter_map(|change| place(&opens, change)).collect();
        // A candle that is neither before nor after is one that is gone already.
        let comes = |change: &&CandleChange| change.old.is_none();
        let goes = |change: &&CandleChange| change.old.is_some() && change.new.is_none();
        let mut then = opens.clone();
        let gone: Vec<Timestamp> = self.changes.iter().filter(goes).map(|change| change.open_time).collect();
        then.retain(|open| gone.binary_search(open).is_err());
        then.extend(self.changes.iter().filter(comes).map(|change| change.open_time));
        then.sort_unstable();
        let after: Vec<usize> = self.changes.iter().filter(comes).filter_map(|change| place(&then, change)).collect();
        Changed { timeframe: Some(timeframe), before: (opens, before), after: (then, after) }
    }

    /// The candles of a longer timeframe that are made of these, because they have no usable rows of their own.
    /// `longest` is how many candles any window holds. Of a series without rows it is not known which candles there
    /// are, so each counts as one that is there.
    pub(super) async fn made_of_it(
        &self,
        candles: &Candles,
        (symbol, longer): &SeriesKey,
        longest: usize,
    ) -> Result<Changed, StoreError> {
        let mut opens: Vec<Timestamp> = self.changes.iter().map(|change| longer.open_of(change.open_time)).collect();
        opens.dedup();
        let ([first, ..], [.., last]) = (opens.as_slice(), opens.as_slice()) else { return Ok(Changed::default()) };
        let (first, last) = (*first, *last);
        let rows = candles.opened_within(symbol, *longer, first..last.plus_millis(1)).await?;
        let own = closed_candles(*longer, rows).candles;
        opens.retain(|open| own.binary_search_by_key(open, |candle| candle.open_time).is_err());
        let length = longer.millis();
        let place = |open: &Timestamp| ((open.millis() - first.millis()) / length) as usize;
        let all = 0..=place(&last) + longest;
        let grid = all.map(|index| first.plus_millis(index as i64 * length)).collect();
        let places = opens.iter().map(place).collect();
        Ok(Changed { timeframe: Some(*longer), before: (grid, places), ..Changed::default() })
    }
}
