//! What happens to a module that keeps failing on a series: its evaluation is skipped, then it is backed off for some
//! candles, then it is suspended on the series. If that happens on several symbols, the module is quarantined.
//!
//! A single failure costs one evaluation and affects no other strategy. A module that fails on every candle of a series
//! would cost its timeout each time, so it is given fewer and fewer of them. The ladder of a series ends there, and the
//! module goes on with its other series. A module that fails on several symbols, or everywhere, is quarantined until a
//! person steps in.
//!
//! Candles are identified by their close, not by the order in which they arrive, because a service that catches up
//! evaluates the newest first. A repeated job therefore neither counts twice nor uses up a candle of the back-off.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::{Job, Symbol, Timeframe, Timestamp};

/// How many failed candles, and how many left-out candles, are remembered for each series.
const REMEMBERED: usize = 64;
/// How many series are remembered, which is more than are ever scheduled.
const MOST_SERIES: usize = 20_000;
/// After how many of its candles a series that gets none, while other series do, stands still: its symbol was delisted,
/// or is not scheduled any more. Replicas share the candles of a series, so a few that do not come mean nothing.
const STANDS_STILL_AFTER: i64 = 64;

/// The failure counts at which each step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From this many consecutive failures on a series on, the next candles of the series are left out: one at first,
    /// then twice as many after each further failure.
    pub back_off: u32,
    /// The most candles that are left out before the next one is evaluated.
    pub most_left_out: u32,
    /// From this many consecutive failures on a series on, the module is suspended on the series: it evaluates one
    /// candle after each `most_left_out` that are left out, until it answers.
    pub suspend: u32,
    /// If the module is suspended on series of this many symbols at the same time, it should be quarantined.
    pub quarantine_symbols: usize,
    /// From this many consecutive failures on any series on, without a success in between, the module should be
    /// quarantined.
    pub quarantine_in_all: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { back_off: 3, most_left_out: 16, suspend: 6, quarantine_symbols: 3, quarantine_in_all: 20 }
    }
}

/// The consequence of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing further: this evaluation is lost, and the next candle is evaluated.
    Skip,
    /// The next candles of the series are left out.
    BackOff {
        /// How many.
        candles: u32,
    },
    /// The module is suspended on the series: all but one of the next candles are left out, and so on until it answers.
    Suspend {
        /// How many candles are left out before the next try.
        candles: u32,
    },
    /// The module should be quarantined. Until that happens it is backed off, and each further failure asks for the
    /// quarantine again.
    Quarantine {
        /// The reason, in words.
        reason: String,
    },
}

impl Step {
    /// The name used in metrics and logs.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::BackOff { .. } => "back_off",
            Self::Suspend { .. } => "suspend",
            Self::Quarantine { .. } => "quarantine",
        }
    }
}

/// The failures of one module.
#[derive(Debug, Clone, Default)]
pub struct Ladder {
    thresholds: Thresholds,
    /// The series whose newest result is a failure.
    series: HashMap<(Symbol, Timeframe), SeriesSteps>,
    /// Consecutive failures on any series.
    in_a_row: u32,
    /// The total number of failures, used as a clock for forgetting old series.
    failures: u64,
    /// The newest candle of any series.
    newest: Option<Timestamp>,
}

/// A series on which the module fails.
#[derive(Debug, Clone, Default)]
struct SeriesSteps {
    in_a_row: u32,
    /// How many more candles are left out.
    left: u32,
    /// The failed candles that were counted.
    failed: VecDeque<Timestamp>,
    /// The candles that were left out.
    left_out: VecDeque<Timestamp>,
    /// The number of the last failure among all.
    last_failure: u64,
    /// The newest candle of the series, evaluated or left out.
    newest: Option<Timestamp>,
}

impl Ladder {
    /// Creates the ladder of a module that has not failed yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, ..Self::default() }
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty() && self.in_a_row == 0
    }

    /// Whether the module may evaluate the candle. A repeated candle gets the same answer.
    pub fn admits(&mut self, job: &Job) -> bool {
        self.newest = self.newest.max(Some(job.candle_close));
        let Some(series) = self.series.get_mut(&key(job)) else { return true };
        series.newest = series.newest.max(Some(job.candle_close));
        if series.left_out.contains(&job.candle_close) {
            return false;
        }
        if series.left == 0 || series.failed.contains(&job.candle_close) {
            return true;
        }
        series.left -= 1;
        remember(&mut series.left_out, job.candle_close);
        false
    }

    /// Records that the module answered for the candle.
    pub fn succeeded(&mut self, job: &Job) {
        self.in_a_row = 0;
        self.series.remove(&key(job));
    }

    /// Records that the module failed on the candle.
    pub fn failed(&mut self, job: &Job) -> Step {
        let Some((in_a_row, left)) = self.count(job) else { return Step::Skip };
        let Thresholds { suspend, quarantine_symbols, quarantine_in_all, .. } = self.thresholds;
        let Job { symbol, timeframe, .. } = job;
        if self.in_a_row >= quarantine_in_all {
            let reason = format!("it failed {} times in a row, the last time on {symbol} {timeframe}", self.in_a_row);
            return Step::Quarantine { reason };
        }
        if in_a_row < suspend {
            return if left > 0 { Step::BackOff { candles: left } } else { Step::Skip };
        }
        let symbols = self.suspended().map(|(symbol, _)| symbol).collect::<HashSet<_>>().len();
        if symbols >= quarantine_symbols {
            let reason = format!(
                "it failed on {suspend} or more candles in a row of each of {symbols} symbols, the last time on {symbol} \
                 {timeframe}"
            );
            return Step::Quarantine { reason };
        }
        Step::Suspend { candles: left }
    }

    /// The series on which the module is suspended, except those that stand still.
    pub fn suspended(&self) -> impl Iterator<Item = &(Symbol, Timeframe)> {
        let stands_still = |timeframe: Timeframe, series: &SeriesSteps| {
            let behind = |(newest, own): (Timestamp, Timestamp)| newest.millis() - own.millis();
            self.newest.zip(series.newest).map(behind) > Some(STANDS_STILL_AFTER * timeframe.millis())
        };
        let steps = self.series.iter().filter(|(_, series)| series.in_a_row >= self.thresholds.suspend);
        steps.filter(move |((_, timeframe), series)| !stands_still(*timeframe, series)).map(|(series, _)| series)
    }

    /// Counts a failure. Returns how many there are in a row on the series, and how many of its candles are left out
    /// next; `None` if the candle was counted before.
    fn count(&mut self, job: &Job) -> Option<(u32, u32)> {
        let Thresholds { back_off, most_left_out, .. } = self.thresholds;
        self.make_room(&key(job));
        self.newest = self.newest.max(Some(job.candle_close));
        let series = self.series.entry(key(job)).or_default();
        if series.failed.contains(&job.candle_close) {
            return None;
        }
        remember(&mut series.failed, job.candle_close);
        self.failures += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
        series.last_failure = self.failures;
        series.newest = series.newest.max(Some(job.candle_close));
        series.in_a_row = series.in_a_row.saturating_add(1);
        if let Some(above) = series.in_a_row.checked_sub(back_off) {
            series.left = 1_u32.checked_shl(above).unwrap_or(most_left_out).min(most_left_out);
        }
        Some((series.in_a_row, series.left))
    }

    /// Forgets the series whose last failure is the oldest, if there is no room for another one.
    fn make_room(&mut self, key: &(Symbol, Timeframe)) {
        if self.series.len() < MOST_SERIES || self.series.contains_key(key) {
            return;
        }
        let oldest = self.series.iter().min_by_key(|(_, series)| series.last_failure).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            self.series.remove(&oldest);
        }
    }
}

fn key(job: &Job) -> (Symbol, Timeframe) {
    (job.symbol.clone(), job.timeframe)
}

/// Adds a candle, and forgets the oldest one if there are too many.
fn remember(candles: &mut VecDeque<Timestamp>, close: Timestamp) {
    if candles.len() >= REMEMBERED {
        candles.pop_front();
    }
    candles.push_back(close);
}

#[cfg(test)]
mod tests;
