//! Pauses between attempts, and how often a failure is reported.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

/// How often an unchanged failure is reported.
const REPEAT: Duration = Duration::from_secs(30);

/// `pause`, shortened by up to a fifth, so that replicas do not act in step.
pub(super) fn jittered(pause: Duration) -> Duration {
    // Each `RandomState` has different keys, which is random enough for a pause.
    let chance = RandomState::new().hash_one(0_u8) as f64 / u64::MAX as f64;
    pause.mul_f64(1.0 - 0.2 * chance)
}

/// The failures since the last success.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    told: Option<(String, Instant)>,
}

impl Failures {
    /// Notes a failure. Returns whether to report it: if it is the first, a different one, or the same one after a
    /// while.
    pub(super) fn add(&mut self, failure: &str) -> bool {
        self.count = self.count.saturating_add(1);
        let known = self.told.as_ref().is_some_and(|(told, at)| told == failure && at.elapsed() < REPEAT);
        if !known {
            self.told = Some((failure.to_owned(), Instant::now()));
        }
        !known
    }

    /// Notes a success. Returns whether a failure came before it.
    pub(super) fn clear(&mut self) -> bool {
        std::mem::take(self).count > 0
    }

    /// How long to wait before the next attempt: `first`, doubled with each failure, and `longest` at most.
    pub(super) fn pause(&self, first: Duration, longest: Duration) -> Duration {
        let doubled = first.saturating_mul(1 << self.count.saturating_sub(1).min(20));
        jittered(doubled.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(350));
        let mut failures = Failures::default();
        for expected in [100, 200, 350, 350] {
            failures.add("away");
            let pause = failures.pause(first, longest);
            let most = Duration::from_millis(expected);
            assert!(pause <= most && pause >= most.mul_f64(0.8), "{pause:?} of {most:?}");
        }
        let distinct: std::collections::HashSet<_> = (0..20).map(|_| jittered(longest)).collect();
        assert!(distinct.len() > 1);
    }

    #[test]
    fn a_failure_is_told_once_until_it_changes() {
        let mut failures = Failures::default();
        assert!(!failures.clear());
        assert_eq!(
            ["away", "away", "denied", "denied", "away"].map(|text| failures.add(text)),
            [true, false, true, false, true]
        );
        assert!(failures.clear() && !failures.clear());
        assert!(failures.add("away"));
    }
}
