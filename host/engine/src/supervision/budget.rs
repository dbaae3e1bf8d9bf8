//! How much time a strategy may take on one replica in a period.
//!
//! Only evaluations in jobs count. When a strategy has used four fifths of its time, a warning is logged. When it has
//! used all of it, it looks at no candles for the rest of the period, so that a strategy that became slow does not take
//! the cores of all others. A running evaluation is not interrupted, so a strategy may take a little more than its
//! budget. Periods are counted from the start of the process by the monotonic clock, and are the same for all
//! strategies.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::StrategyId;

/// A warning is logged from this share of the budget on.
const WARNED_FROM: f64 = 0.8;

/// The budget of each strategy.
#[derive(Debug)]
pub struct Budget {
    allowed: Duration,
    period: Duration,
    began: Instant,
    periods: Mutex<HashMap<StrategyId, Period>>,
}

/// The time that a strategy took.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    /// The number of the period, counted from the start.
    number: u64,
    /// The time taken in this period.
    spent: Duration,
    /// The time taken in the period before.
    before: Duration,
}

/// What the caller should report after time was taken. Each is reported at most once in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// There is nothing to report.
    Quietly,
    /// Most of the budget is used up.
    NearlyAll,
    /// All of the budget is used up: the strategy looks at no candles for the rest of the period.
    All,
}

impl Budget {
    /// Creates a budget of `allowed` for each strategy and `period`. Periods are counted from `began`.
    pub fn new(allowed: Duration, period: Duration, began: Instant) -> Self {
        Self { allowed, period, began, periods: Mutex::default() }
    }

    /// How much a strategy may take in a period.
    pub const fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Whether the strategy may take more time in the period of `now`.
    pub fn admits(&self, strategy: &StrategyId, now: Instant) -> bool {
        let number = self.number(now);
        self.periods().get(strategy).is_none_or(|period| period.at(number).spent < self.allowed)
    }

    /// Adds the time that the strategy took, up to `now`.
    pub fn spend(&self, strategy: &StrategyId, took: Duration, now: Instant) -> Spent {
        let number = self.number(now);
        let mut periods = self.periods();
        let period = match periods.get_mut(strategy) {
            Some(period) => period,
            None => periods.entry(strategy.clone()).or_default(),
        };
        *period = period.at(number);
        let before = period.spent;
        period.spent = before.saturating_add(took);
        let reaches = |limit: Duration| before < limit && period.spent >= limit;
        if reaches(self.allowed) {
            Spent::All
        } else if reaches(self.allowed.mul_f64(WARNED_FROM)) {
            Spent::NearlyAll
        } else {
            Spent::Quietly
        }
    }

    /// Returns the share of its budget that each strategy took, in the period of `now` or in the one before it,
    /// whichever is more. The share is above one if running evaluations went over the budget.
    pub fn ratios(&self, now: Instant) -> Vec<(StrategyId, f64)> {
        let number = self.number(now);
        let ratio = |period: &Period| {
            let Period { spent, before, .. } = period.at(number);
            spent.max(before).div_duration_f64(self.allowed)
        };
        self.periods().iter().map(|(strategy, period)| (strategy.clone(), ratio(period))).collect()
    }

    fn number(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / self.period.as_secs().max(1)
    }

    /// A poisoned lock is fine: a period is consistent after each step.
    fn periods(&self) -> MutexGuard<'_, HashMap<StrategyId, Period>> {
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Period {
    /// Returns the strategy's period with this number. Threads that measure at the same time may report a little late:
    /// the time that they report counts in the period that has already begun.
    fn at(self, number: u64) -> Self {
        match number.checked_sub(self.number) {
            None | Some(0) => self,
            Some(1) => Self { number, spent: Duration::ZERO, before: self.spent },
            Some(_) => Self { number, ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);

    fn strategy(id: &str) -> StrategyId {
        id.parse().unwrap()
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn most_of_it_warns_once_and_all_of_it_throttles_for_the_rest_of_the_minute() {
        let start = Instant::now();
        let budget = Budget::new(ALLOWED, MINUTE, start);
        let slow = strategy("slow");
        let spend = |took, at| budget.spend(&slow, millis(took), start + millis(at));
        assert!(budget.admits(&slow, start));
        assert_eq!(spend(799, 1000), Spent::Quietly);
        assert_eq!(spend(1, 2000), Spent::NearlyAll);
        assert_eq!(spend(100, 3000), Spent::Quietly, "it is said once");
        assert!(budget.admits(&slow, start + millis(3000)));
        assert_eq!(spend(100, 4000), Spent::All);
        assert_eq!(spend(500, 4000), Spent::Quietly, "what was under way");
        assert!(!budget.admits(&slow, start + millis(59_999)));
        assert!(budget.admits(&slow, start + millis(60_000)));
        assert_eq!(spend(800, 61_000), Spent::NearlyAll, "it is said in each minute");
        assert!(budget.admits(&strategy("other"), start + millis(4000)));
    }

    #[test]
    fn one_that_takes_all_at_once_is_told_as_such() {
        let start = Instant::now();
        let budget = Budget::new(ALLOWED, MINUTE, start);
        assert_eq!(budget.spend(&strategy("slow"), millis(5000), start), Spent::All);
        assert!(!budget.admits(&strategy("slow"), start));
    }

    #[test]
    fn the_share_is_that_of_this_minute_or_of_the_one_before() {
        let start = Instant::now();
        let budget = Budget::new(ALLOWED, MINUTE, start);
        let slow = strategy("slow");
        let ratios = |at| budget.ratios(start + millis(at));
        assert_eq!(ratios(0), []);
        budget.spend(&slow, millis(250), start);
        assert_eq!(ratios(59_000), [(slow.clone(), 0.25)]);
        assert_eq!(ratios(61_000), [(slow.clone(), 0.25)]);
        budget.spend(&slow, millis(500), start + millis(62_000));
        assert_eq!(ratios(62_000), [(slow.clone(), 0.5)]);
        assert_eq!(ratios(180_000), [(slow, 0.0)]);
    }

    #[test]
    fn a_moment_of_a_minute_that_is_over_counts_in_the_one_that_has_begun() {
        let start = Instant::now();
        let budget = Budget::new(ALLOWED, MINUTE, start);
        let slow = strategy("slow");
        budget.spend(&slow, millis(600), start + millis(60_001));
        assert_eq!(budget.spend(&slow, millis(600), start + millis(59_999)), Spent::All);
        assert!(!budget.admits(&slow, start + millis(60_002)));
        // A moment before the start counts as the start.
        let budget = Budget::new(ALLOWED, MINUTE, start + millis(1000));
        assert_eq!(budget.spend(&slow, Duration::MAX, start), Spent::All);
        assert!(!budget.admits(&slow, start));
    }
}
