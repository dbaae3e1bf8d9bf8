//! What happens to a module that keeps failing: its evaluation is skipped, then it is backed off for some candles, then
//! it is quarantined.
//!
//! A single failure costs one evaluation and affects no other strategy. A module that fails on every candle of a series
//! would cost its timeout each time, so it is given fewer and fewer of them. A module that fails persistently is
//! quarantined until a person steps in.
//!
//! Candles are identified by their close, not by the order in which they arrive, because a service that catches up
//! evaluates the newest first. A repeated job therefore neither counts twice nor uses up a candle of the back-off.

use std::collections::{HashMap, VecDeque};

use crate::{Job, Symbol, Timeframe, Timestamp};

/// How many failed candles, and how many left-out candles, are remembered for each series.
const REMEMBERED: usize = 64;
/// How many series are remembered, which is more than are ever scheduled.
const MOST_SERIES: usize = 20_000;

/// The failure counts at which each step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From this many consecutive failures on a series on, the next candles of the series are left out: one at first,
    /// then twice as many after each further failure.
    pub back_off: u32,
    /// The most candles that are left out before the next one is evaluated.
    pub most_left_out: u32,
    /// From this many consecutive failures on a series on, the module should be quarantined.
    pub quarantine: u32,
    /// The same for failures on any series, without a success in between.
    pub quarantine_in_all: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { back_off: 3, most_left_out: 16, quarantine: 6, quarantine_in_all: 20 }
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
    newest: u64,
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
        let Some(series) = self.series.get_mut(&key(job)) else { return true };
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
        let Thresholds { back_off, most_left_out, quarantine, quarantine_in_all } = self.thresholds;
        self.make_room(&key(job));
        let series = self.series.entry(key(job)).or_default();
        if series.failed.contains(&job.candle_close) {
            return Step::Skip;
        }
        remember(&mut series.failed, job.candle_close);
        self.failures += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
        series.newest = self.failures;
        series.in_a_row = series.in_a_row.saturating_add(1);
        if let Some(above) = series.in_a_row.checked_sub(back_off) {
            series.left = 1_u32.checked_shl(above).unwrap_or(most_left_out).min(most_left_out);
        }
        let Job { symbol, timeframe, .. } = job;
        if series.in_a_row >= quarantine {
            let reason = format!("it failed on {} candles of {symbol} {timeframe} in a row", series.in_a_row);
            return Step::Quarantine { reason };
        }
        if self.in_a_row >= quarantine_in_all {
            let reason = format!("it failed {} times in a row, the last time on {symbol} {timeframe}", self.in_a_row);
            return Step::Quarantine { reason };
        }
        if series.left > 0 { Step::BackOff { candles: series.left } } else { Step::Skip }
    }

    /// Forgets the series whose last failure is the oldest, if there is no room for another one.
    fn make_room(&mut self, key: &(Symbol, Timeframe)) {
        if self.series.len() < MOST_SERIES || self.series.contains_key(key) {
            return;
        }
        let oldest = self.series.iter().min_by_key(|(_, series)| series.newest).map(|(key, _)| key.clone());
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn job(symbol: &str, index: i64) -> Job {
        let candle_close = Timestamp::from_millis(index * Timeframe::M15.millis());
        Job { symbol: symbol.parse().unwrap(), timeframe: Timeframe::M15, candle_close }
    }

    /// Lets the module fail on every admitted candle of BTCUSDT until it should be quarantined. Returns the candles
    /// that were admitted, and the steps taken.
    fn looked_at(ladder: &mut Ladder, closes: impl IntoIterator<Item = i64>) -> (Vec<i64>, Vec<Step>) {
        let (mut seen, mut steps) = (Vec::new(), Vec::new());
        for close in closes {
            if !ladder.admits(&job("BTCUSDT", close)) {
                continue;
            }
            seen.push(close);
            steps.push(ladder.failed(&job("BTCUSDT", close)));
            if let Some(Step::Quarantine { .. }) = steps.last() {
                break;
            }
        }
        (seen, steps)
    }

    #[test]
    fn a_module_that_fails_on_a_series_is_skipped_then_backed_off_then_to_be_quarantined() {
        let mut ladder = Ladder::default();
        let (seen, steps) = looked_at(&mut ladder, 0..1000);
        assert_eq!(seen, [0, 1, 2, 4, 7, 12]);
        let back_off = |candles| Step::BackOff { candles };
        assert_eq!(steps[..5], [Step::Skip, Step::Skip, back_off(1), back_off(2), back_off(4)]);
        let Step::Quarantine { reason } = &steps[5] else { panic!("{steps:?}") };
        assert_eq!(reason, "it failed on 6 candles of BTCUSDT 15m in a row");
        // The module's other series are not affected.
        assert!((13..40).all(|close| ladder.admits(&job("ETHUSDT", close))));
    }

    #[test]
    fn where_the_quarantine_waits_it_is_asked_for_again_and_back_off_has_an_end() {
        let mut ladder = Ladder::default();
        let mut seen = Vec::new();
        let mut asked = 0;
        for close in 0..200 {
            if ladder.admits(&job("BTCUSDT", close)) {
                seen.push(close);
                asked += usize::from(matches!(ladder.failed(&job("BTCUSDT", close)), Step::Quarantine { .. }));
            }
        }
        let pauses: Vec<i64> = seen.windows(2).map(|pair| pair[1] - pair[0] - 1).collect();
        assert_eq!(pauses[..9], [0, 0, 1, 2, 4, 8, 16, 16, 16]);
        assert_eq!(asked, seen.len() - 5);
    }

    #[test]
    fn a_success_on_the_series_begins_anew() {
        let mut ladder = Ladder::default();
        for close in 0..5 {
            ladder.failed(&job("BTCUSDT", close));
        }
        assert!(!ladder.admits(&job("BTCUSDT", 5)));
        ladder.succeeded(&job("BTCUSDT", 6));
        assert!(ladder.is_empty());
        let (seen, _) = looked_at(&mut ladder, 7..1000);
        assert_eq!(seen, [7, 8, 9, 11, 14, 19]);
    }

    #[test]
    fn failures_everywhere_are_enough_and_one_success_is_enough_against_them() {
        let mut ladder = Ladder::default();
        let fails = |ladder: &mut Ladder, index: i64| ladder.failed(&job(&format!("COIN{index}"), 0));
        let steps: Vec<Step> = (0..20).map(|index| fails(&mut ladder, index)).collect();
        assert!(steps[..19].iter().all(|step| *step == Step::Skip), "{steps:?}");
        let Step::Quarantine { reason } = &steps[19] else { panic!("{steps:?}") };
        assert_eq!(reason, "it failed 20 times in a row, the last time on COIN19 15m");

        let mut ladder = Ladder::default();
        for index in 0..200 {
            if index % 19 == 18 {
                ladder.succeeded(&job("BTCUSDT", index));
            }
            assert_eq!(fails(&mut ladder, index), Step::Skip, "{index}");
        }
    }

    #[test]
    fn a_candle_that_comes_again_counts_once_and_gets_the_same_answer() {
        let mut ladder = Ladder::default();
        for close in [0, 0, 1, 1, 1, 2] {
            assert!(ladder.admits(&job("BTCUSDT", close)));
            ladder.failed(&job("BTCUSDT", close));
        }
        // One candle is left out: the first one to arrive.
        assert!((0..5).all(|_| !ladder.admits(&job("BTCUSDT", 7))));
        assert!((0..5).all(|_| ladder.admits(&job("BTCUSDT", 3))));
        assert!(ladder.admits(&job("BTCUSDT", 2)), "it was looked at before");
        assert!(!ladder.admits(&job("BTCUSDT", 7)));
    }

    #[test]
    fn the_order_of_candles_does_not_matter() {
        let (seen, steps) = looked_at(&mut Ladder::default(), (0..1000).rev());
        assert_eq!(seen, [999, 998, 997, 995, 992, 987]);
        assert!(matches!(steps[5], Step::Quarantine { .. }));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut ladder = Ladder::default();
        for index in 0..MOST_SERIES as i64 + 10 {
            ladder.failed(&job(&format!("COIN{index}"), 0));
        }
        assert_eq!(ladder.series.len(), MOST_SERIES);
        assert!(!ladder.series.contains_key(&key(&job("COIN9", 0))));
        assert!(ladder.series.contains_key(&key(&job("COIN10", 0))));
        let mut ladder = Ladder::default();
        for close in 0..10_000 {
            if ladder.admits(&job("BTCUSDT", close)) {
                ladder.failed(&job("BTCUSDT", close));
            }
        }
        let series = &ladder.series[&key(&job("BTCUSDT", 0))];
        assert!(series.failed.len() <= REMEMBERED && series.left_out.len() <= REMEMBERED);
    }

    #[test]
    fn thresholds_of_any_size_do_no_harm() {
        for thresholds in [
            Thresholds { back_off: 0, most_left_out: 0, quarantine: 0, quarantine_in_all: 0 },
            Thresholds { back_off: 0, most_left_out: 3, quarantine: u32::MAX, quarantine_in_all: u32::MAX },
            Thresholds { back_off: u32::MAX, most_left_out: u32::MAX, quarantine: 1, quarantine_in_all: 1 },
        ] {
            let mut ladder = Ladder::new(thresholds);
            for close in 0..200 {
                if ladder.admits(&job("BTCUSDT", close)) {
                    ladder.failed(&job("BTCUSDT", close));
                }
            }
        }
    }

    proptest! {
        /// Whatever happens, in any order: a series is evaluated again after at most `most_left_out` candles, and
        /// quarantine is never requested before its threshold.
        #[test]
        fn no_series_is_left_out_for_good(
            events in prop::collection::vec((0..3_i64, 0..60_i64, prop::bool::weighted(0.2)), 1..300),
        ) {
            let mut ladder = Ladder::default();
            let mut rows: HashMap<i64, u32> = HashMap::new();
            let mut all = 0;
            for (coin, close, succeeds) in events {
                let job = job(&format!("COIN{coin}"), close);
                if !ladder.admits(&job) {
                    continue;
                }
                if succeeds {
                    ladder.succeeded(&job);
                    rows.remove(&coin);
                    all = 0;
                } else {
                    // A repeated candle may count less in the ladder than here, never more.
                    *rows.entry(coin).or_default() += 1;
                    all += 1;
                    if let Step::Quarantine { .. } = ladder.failed(&job) {
                        prop_assert!(rows[&coin] >= 6 || all >= 20);
                    }
                }
            }
            for coin in 0..3 {
                let left = (1000..1100).take_while(|close| !ladder.admits(&job(&format!("COIN{coin}"), *close))).count();
                prop_assert!(left <= 16);
            }
        }
    }
}
