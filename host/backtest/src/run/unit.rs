//! How a run is cut into units.

use std::ops::Range;

use ta_bot_core::Timestamp;
use ta_bot_engine::{
    evaluation::SeriesKey,
    market::history::{History, HistoryError, HistoryReader},
};

use super::Plan;

/// How many candles a unit has at most.
const CANDLES: usize = 4096;

/// A stretch of one series.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unit {
    /// Its number, counted from 0 in the order of series and time.
    pub(super) index: usize,
    series: SeriesKey,
    /// The candles that closed after this moment,
    from: Timestamp,
    /// and at this one or before.
    until: Timestamp,
}

/// The units of a plan. The same plan has the same units each time.
pub(super) fn units(plan: &Plan, reader: &HistoryReader<'_>) -> Vec<Unit> {
    let mut units = Vec::new();
    for series in &plan.series {
        let timeframe = series.1;
        if !plan.subjects.iter().any(|subject| subject.module.description().runs_on(timeframe)) {
            continue;
        }
        let length = reader.piece_length(timeframe).min(CANDLES) as i64 * timeframe.millis();
        let mut from = plan.from;
        while from < plan.until {
            let until = from.plus_millis(length).min(plan.until);
            units.push(Unit { index: units.len(), series: series.clone(), from, until });
            from = until;
        }
    }
    units
}

impl Unit {
    /// Reads its candles, and returns where they are in the first series of the history.
    pub(super) async fn read(&self, reader: &HistoryReader<'_>) -> Result<(History, Range<usize>), HistoryError> {
        let (symbol, timeframe) = &self.series;
        let count = (self.until.millis() - self.from.millis()) / timeframe.millis() + 1;
        let base = reader.base(symbol, *timeframe, self.until, count as u32).await?;
        let piece = base.closed_by(self.from)..base.len();
        let history = reader.with_extra(base, &piece).await?;
        Ok((history, piece))
    }
}
