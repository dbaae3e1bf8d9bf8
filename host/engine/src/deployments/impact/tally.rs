//! The results of a comparison so far.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use ta_bot_core::{EvaluationError, Job, millis};

use crate::{
    deployments::shadow_store::{Counts, Said},
    evaluation::{
        Outcome,
        comparison::{Comparison, brief},
    },
};

/// The results of a comparison so far.
#[derive(Debug, Default)]
pub struct Tally {
    most_examples: usize,
    counts: Counts,
    /// By the code of the error.
    failures: BTreeMap<&'static str, u64>,
    examples: BTreeMap<Comparison, Vec<Example>>,
    left_out: u64,
    pub(super) incumbent: Times,
    pub(super) candidate: Times,
}

/// A candle on which the two modules differ.
#[derive(Debug, Clone)]
pub struct Example {
    /// The job that names the candle.
    pub job: Job,
    /// What both modules said.
    pub said: Said,
}

/// The durations of evaluations, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<f64>);

/// The cost of a module's evaluations, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[allow(missing_docs, reason = "the names explain the fields")]
pub struct Cost {
    pub evaluations: usize,
    pub total_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Tally {
    /// Creates an empty tally that keeps at most `most_examples` examples of each kind.
    pub fn new(most_examples: usize) -> Self {
        Self { most_examples, ..Self::default() }
    }

    /// Adds a candle that both modules have looked at.
    pub(super) fn add(&mut self, job: &Job, incumbent: &Outcome, candidate: &Outcome) {
        let Some(comparison) = Comparison::of(incumbent, candidate) else {
            self.left_out += 1;
            return;
        };
        self.counts.add(comparison, 1);
        if let (Comparison::Failed, Outcome::Error(error)) = (comparison, candidate) {
            *self.failures.entry(EvaluationError::code(error)).or_default() += 1;
        }
        if comparison == Comparison::Agree || self.most_examples == 0 {
            return;
        }
        let examples = self.examples.entry(comparison).or_default();
        examples.push(Example {
            job: job.clone(),
            said: Said { incumbent: brief(incumbent), candidate: brief(candidate) },
        });
        if examples.len() >= 2 * self.most_examples {
            newest(examples, self.most_examples);
        }
    }

    /// How often each comparison occurred.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How often the candidate failed, by the code of the error.
    pub const fn failures(&self) -> &BTreeMap<&'static str, u64> {
        &self.failures
    }

    /// How many candles were not compared because the host had no room for a guest.
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Returns the newest examples of a difference.
    pub fn examples(&self, of: Comparison) -> Vec<Example> {
        let mut examples = self.examples.get(&of).cloned().unwrap_or_default();
        newest(&mut examples, self.most_examples);
        examples
    }

    /// The costs of the incumbent and of the candidate.
    pub fn costs(&self) -> (Cost, Cost) {
        (self.incumbent.cost(), self.candidate.cost())
    }
}

/// Keeps the newest examples, newest first.
fn newest(examples: &mut Vec<Example>, most: usize) {
    examples.sort_by_key(|example| Reverse(example.job.candle_close));
    examples.truncate(most);
}

impl Times {
    pub(super) fn add(&mut self, duration: Duration) {
        self.0.push(millis(duration));
    }

    fn cost(&self) -> Cost {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        // The index of the smallest duration that this share of evaluations did not exceed.
        let rank = |share: f64| ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
        let at = |share| sorted.get(rank(share)).copied().unwrap_or_default();
        Cost {
            evaluations: sorted.len(),
            total_ms: sorted.iter().sum(),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Timeframe, Timestamp};

    use super::*;

    #[test]
    fn costs_are_those_of_the_ranks() {
        let mut times = Times::default();
        assert_eq!(times.cost(), Cost::default());
        (1..=200).rev().for_each(|ms| times.add(Duration::from_millis(ms)));
        let cost = times.cost();
        assert_eq!((cost.evaluations, cost.p50_ms, cost.p99_ms, cost.max_ms), (200, 100.0, 198.0, 200.0));
        assert!((cost.total_ms - 20_100.0).abs() < 1e-6);
    }

    #[test]
    fn the_newest_examples_are_kept() {
        let mut tally = Tally::new(3);
        let trap = Outcome::Error(EvaluationError::Trap("unreachable".to_owned()));
        for index in [5, 1, 9, 2, 8, 3, 7, 4, 6] {
            let candle_close = Timestamp::from_millis(index);
            let job = Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M15, candle_close };
            tally.add(&job, &Outcome::None, &trap);
            tally.add(&job, &Outcome::None, &Outcome::None);
        }
        let kept: Vec<i64> =
            tally.examples(Comparison::Failed).iter().map(|example| example.job.candle_close.millis()).collect();
        assert_eq!(kept, [9, 8, 7]);
        assert_eq!((tally.counts().of(Comparison::Failed), tally.counts().of(Comparison::Agree)), (9, 9));
        assert_eq!(tally.failures(), &BTreeMap::from([("trap", 9)]));
        assert!(tally.examples(Comparison::Agree).is_empty());
    }
}
