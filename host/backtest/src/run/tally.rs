//! What a module answered, counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ta_bot_core::{EvaluationError, Job, cut};
use ta_bot_engine::evaluation::Outcome;

/// How many bytes of an error's text are kept.
const MOST_WORDS: usize = 300;

/// What a module answered on some candles, counted. Each candle that it was asked about counts once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// On how many candles it had nothing to say.
    pub none: u64,
    /// How many signals there are, by action.
    pub signals: BTreeMap<String, u64>,
    /// How many decisions the host dropped, by its reason.
    pub dropped: BTreeMap<String, u64>,
    /// About how many candles it could not answer, since others are missing or the market is too young, by the kind of
    /// gap.
    pub gaps: BTreeMap<String, u64>,
    /// How often it gave no answer, by the code of the error.
    pub failures: BTreeMap<String, Failure>,
}

/// Answers that did not come, for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How many.
    pub count: u64,
    /// The first candle: symbol, timeframe and close.
    pub at: String,
    /// What was said about it.
    pub message: String,
}

impl Tally {
    /// How many candles there are.
    pub fn candles(&self) -> u64 {
        let counted = [&self.signals, &self.dropped, &self.gaps].map(|counts| counts.values().sum::<u64>());
        let failed: u64 = self.failures.values().map(|failure| failure.count).sum();
        self.none + counted.iter().sum::<u64>() + failed
    }

    /// How many signals there are.
    pub fn signals(&self) -> u64 {
        self.signals.values().sum()
    }

    pub(super) fn count(&mut self, job: &Job, outcome: &Outcome) {
        let (counts, word) = match outcome {
            // A strategy is never left out of a backtest.
            Outcome::None | Outcome::Skipped(_) => {
                self.none += 1;
                return;
            }
            Outcome::Error(error @ EvaluationError::InsufficientData { .. }) => (&mut self.gaps, error.code()),
            Outcome::Error(error) => {
                let first = || {
                    let message = cut(&error.to_string(), MOST_WORDS).into_owned();
                    Failure { count: 0, at: job.to_string(), message }
                };
                self.failures.entry(error.code().to_owned()).or_insert_with(first).count += 1;
                return;
            }
            Outcome::Signal(signal) => (&mut self.signals, signal.action.as_str()),
            Outcome::Dropped(_, reason) => (&mut self.dropped, reason.as_str()),
            Outcome::Gap(gap) => (&mut self.gaps, gap.code()),
        };
        *counts.entry(word.to_owned()).or_default() += 1;
    }

    /// Adds what it answered on later candles.
    pub(super) fn add(&mut self, later: Self) {
        let Self { none, signals, dropped, gaps, failures } = later;
        self.none += none;
        for (counts, more) in [(&mut self.signals, signals), (&mut self.dropped, dropped), (&mut self.gaps, gaps)] {
            for (word, count) in more {
                *counts.entry(word).or_default() += count;
            }
        }
        for (code, more) in failures {
            let count = more.count;
            let failure = self.failures.entry(code).or_insert(Failure { count: 0, ..more });
            failure.count += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Timeframe, Timestamp};

    use super::*;

    #[test]
    fn every_candle_counts_once_and_the_first_failure_is_told() {
        let job = |close| Job {
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: Timeframe::H1,
            candle_close: Timestamp::from_millis(close * Timeframe::H1.millis()),
        };
        let trap = |words: &str| Outcome::Error(EvaluationError::Trap(words.repeat(1000)));
        let (mut first, mut second) = (Tally::default(), Tally::default());
        first.count(&job(1), &Outcome::None);
        first.count(&job(2), &trap("one"));
        second.count(&job(3), &trap("two"));
        second.count(&job(4), &Outcome::None);
        first.add(second);
        assert_eq!((first.candles(), first.none, first.signals()), (4, 2, 0));
        let failure = &first.failures["trap"];
        assert_eq!((failure.count, &failure.at), (2, &job(2).to_string()));
        assert!(failure.message.contains("oneone") && failure.message.len() <= MOST_WORDS + 3, "{}", failure.message);
        let text = serde_json::to_string(&first).unwrap();
        assert_eq!(serde_json::from_str::<Tally>(&text).unwrap(), first);
    }
}
