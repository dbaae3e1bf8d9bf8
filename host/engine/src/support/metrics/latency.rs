//! How long signals take from the moment from which their candle could be decided until the bus has acknowledged them.
//!
//! The moment is that at which the job was queued. It is known where the job is decided, and needed where its signals
//! are published, which is the same process unless another replica comes first or this one ends. So it is kept here,
//! beside the histogram, and neither the store nor the message carries it.
//!
//! Each replica measures the signals that it has committed, also those that another replica published. A signal whose
//! moment is not known and that waits for more than two seconds was committed by a process that is gone: it counts from
//! its commit, which is late by then, so that what is not known never counts as quick.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{Histogram, HistogramOpts, Registry};
use ta_bot_core::{Signal, SignalId, Timestamp};

/// The upper bounds of the buckets, in seconds. The objective is at 1.
const SECONDS: [f64; 14] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0];
/// For how long after its commit a signal is left to the replica that committed it. Longer than the objective, so that
/// a signal that counts from its commit is never within it.
const OWN: Duration = Duration::from_secs(2);
/// How many signals are known at most. That is every decision that may be kept, with a signal of each strategy.
const MOST: usize = 65_536;

/// What is known of a signal on its way to the bus.
#[derive(Debug, Clone, Copy)]
struct Begun {
    /// When its candle could be decided.
    decidable: Timestamp,
    /// When it was committed; `None` if it is not known to be.
    committed: Option<Timestamp>,
}

/// The histogram, and the signals that are on their way.
pub struct LatencyMetrics {
    seconds: Histogram,
    under_way: Mutex<HashMap<String, Begun>>,
}

impl LatencyMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "From the moment from which the candle of a signal could be decided until the bus acknowledged it";
        let options = HistogramOpts::new("ta_bot_publish_latency_seconds", help).buckets(SECONDS.to_vec());
        Ok(Self { seconds: registered!(registry, Histogram::with_opts(options)), under_way: Mutex::default() })
    }

    /// Notes signals that are about to be committed, whose candle could be decided from `decidable` on. Signals that
    /// are not published are left out.
    pub fn begin<'a>(&self, signals: impl IntoIterator<Item = &'a Signal>, decidable: Timestamp) {
        let mut under_way = self.lock();
        for signal in signals.into_iter().filter(|signal| !signal.is_withheld) {
            if under_way.len() < MOST {
                let begun = Begun { decidable, committed: None };
                under_way.entry(signal.id.as_str().to_owned()).or_insert(begun);
            }
        }
    }

    /// Notes that signals were committed at `at`.
    pub fn committed<'a>(&self, ids: impl IntoIterator<Item = &'a SignalId>, at: Timestamp) {
        let mut under_way = self.lock();
        for id in ids {
            if let Some(begun) = under_way.get_mut(id.as_str()) {
                begun.committed = Some(at);
            }
        }
    }

    /// Forgets those of these signals that were not committed here.
    pub fn settle<'a>(&self, ids: impl IntoIterator<Item = &'a SignalId>) {
        let mut under_way = self.lock();
        for id in ids {
            if under_way.get(id.as_str()).is_some_and(|begun| begun.committed.is_none()) {
                under_way.remove(id.as_str());
            }
        }
    }

    /// Forgets signals that will not be published.
    pub fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        let mut under_way = self.lock();
        for id in ids {
            under_way.remove(id);
        }
    }

    /// Measures a signal that was committed at `created_at` and that the bus has acknowledged at `at`.
    pub fn acknowledged(&self, id: &str, created_at: Timestamp, at: Timestamp) {
        let known = self.lock().remove(id);
        let since = match known {
            Some(begun) => begun.decidable,
            None if seconds(created_at, at) > OWN.as_secs_f64() => created_at,
            // The replica that committed it measures it.
            None => return,
        };
        self.seconds.observe(seconds(since, at));
    }

    /// The signals that were committed here more than two seconds before `now` and are still on their way, as far as is
    /// known here. If none of them waits any more, others have published them.
    pub fn overdue(&self, now: Timestamp) -> Vec<String> {
        let is_overdue = |begun: &Begun| begun.committed.is_some_and(|at| seconds(at, now) > OWN.as_secs_f64());
        self.lock().iter().filter(|(_, begun)| is_overdue(begun)).map(|(id, _)| id.clone()).collect()
    }

    /// How many signals were measured, and how long they took together, in seconds.
    pub fn measured(&self) -> (u64, f64) {
        (self.seconds.get_sample_count(), self.seconds.get_sample_sum())
    }

    /// A poisoned lock is fine: each entry is written as a whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Begun>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time between two moments, in seconds. Clocks of two machines may differ, so that one moment seems to lie before
/// the one that led to it.
fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    (to.millis() - from.millis()).max(0) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::outbox::contract::{job, signal};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn metrics() -> LatencyMetrics {
        LatencyMetrics::register(&Registry::new()).unwrap()
    }

    #[test]
    fn a_signal_counts_from_when_its_candle_could_be_decided() {
        let metrics = metrics();
        let signal = signal(&job("BTCUSDT", 1), "rsi", 0);
        metrics.begin([&signal], at(1_000));
        metrics.committed([&signal.id], at(1_400));
        metrics.acknowledged(signal.id.as_str(), at(1_400), at(1_500));
        assert_eq!(metrics.measured(), (1, 0.5));
        metrics.acknowledged(signal.id.as_str(), at(1_400), at(1_600));
        assert_eq!(metrics.measured(), (1, 0.5), "an acknowledgement that comes again is not measured again");
    }

    #[test]
    fn what_is_not_known_never_counts_as_quick() {
        let metrics = metrics();
        metrics.acknowledged("somebody else's", at(1_000), at(1_100));
        assert_eq!(metrics.measured().0, 0, "the replica that committed it measures it");
        metrics.acknowledged("of a process that is gone", at(1_000), at(4_000));
        assert_eq!(metrics.measured(), (1, 3.0));
    }

    #[test]
    fn only_what_was_committed_is_overdue_and_what_is_forgotten_is_gone() {
        let metrics = metrics();
        let [one, two] = [1, 2].map(|number| signal(&job("BTCUSDT", number), "rsi", 0));
        metrics.begin([&one, &two], at(0));
        metrics.committed([&one.id], at(100));
        assert_eq!(metrics.overdue(at(2_000)), [""; 0]);
        assert_eq!(metrics.overdue(at(2_101)), [one.id.as_str()]);
        metrics.settle([&one.id, &two.id]);
        assert_eq!(metrics.lock().keys().collect::<Vec<_>>(), [one.id.as_str()]);
        metrics.forget([one.id.as_str()]);
        assert!(metrics.overdue(at(9_000)).is_empty() && metrics.lock().is_empty());
        let withheld = Signal { is_withheld: true, ..two };
        metrics.begin([&withheld], at(0));
        assert!(metrics.lock().is_empty(), "what is not published is not waited for");
    }

    #[test]
    fn a_clock_that_is_behind_gives_no_negative_time() {
        assert_eq!((seconds(at(500), at(400)), seconds(at(400), at(500))), (0.0, 0.1));
    }
}
