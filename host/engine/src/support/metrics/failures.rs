//! Metrics of evaluations that fail.

use std::sync::Arc;

use prometheus::{
    IntCounterVec, IntGaugeVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use ta_bot_core::StrategyId;

use super::NO_STRATEGY;
use crate::supervision::ladders::Ladders;

/// The possible outcomes of storing a bundle.
const BUNDLE_OUTCOMES: [&str; 4] = ["kept", "known", "lost", "too_large"];

/// How a strategy's code can fail an evaluation.
const FAILURES: [&str; 5] = ["trap", "timeout", "limit", "failed", "invalid_decision"];

/// The instruments.
pub struct FailureMetrics {
    failures: IntCounterVec,
    bundles: IntCounterVec,
    steps: IntCounterVec,
    left_out: IntCounterVec,
    starved: IntCounterVec,
    quarantined: IntGaugeVec,
}

impl FailureMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let metrics = Self {
            failures: registered!(
                registry,
                counter(
                    "ta_bot_strategy_failures_total",
                    "Evaluations that the strategy's code failed",
                    &["strategy", "code"]
                )
            ),
            bundles: registered!(
                registry,
                counter("ta_bot_failure_bundles_total", "Bundles of failures by what became of them", &["outcome"])
            ),
            steps: registered!(
                registry,
                counter(
                    "ta_bot_strategy_ladder_steps_total",
                    "What followed from failures of a strategy in jobs",
                    &["strategy", "step"]
                )
            ),
            left_out: registered!(
                registry,
                counter(
                    "ta_bot_strategy_left_out_total",
                    "Candles that a strategy did not look at since it kept failing on their series",
                    &["strategy"]
                )
            ),
            starved: registered!(
                registry,
                counter(
                    "ta_bot_strategy_starved_total",
                    "Evaluations of jobs that took longer than they may because the machine did not run them",
                    &["strategy"]
                )
            ),
            quarantined: registered!(
                registry,
                IntGaugeVec::new(
                    Opts::new("ta_bot_strategy_quarantined", "1 where a strategy is quarantined"),
                    &["strategy"]
                )
            ),
        };
        for outcome in BUNDLE_OUTCOMES {
            metrics.bundles.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    /// Creates the series of a strategy, at zero, apart from those of the ladder's steps, which no alert counts.
    pub(super) fn announce(&self, strategy: &str) {
        for code in FAILURES {
            self.failures.with_label_values(&[strategy, code]);
        }
        for counter in [&self.left_out, &self.starved] {
            counter.with_label_values(&[strategy]);
        }
        self.quarantined.with_label_values(&[strategy]);
    }

    /// Counts an evaluation that failed in the strategy's code; `code` is the error's.
    pub fn failed(&self, strategy: &StrategyId, code: &str) {
        self.failures.with_label_values(&[strategy.as_str(), code]).inc();
    }

    /// Counts the outcome of storing a bundle.
    pub fn bundle(&self, outcome: &str) {
        self.bundles.with_label_values(&[outcome]).inc();
    }

    /// Counts the step that followed from a failure.
    pub fn step(&self, strategy: &StrategyId, step: &str) {
        self.steps.with_label_values(&[strategy.as_str(), step]).inc();
    }

    /// Sets whether a strategy is quarantined.
    pub fn quarantined(&self, strategy: &StrategyId, is_quarantined: bool) {
        self.quarantined.with_label_values(&[strategy.as_str()]).set(is_quarantined.into());
    }

    /// Counts a candle that a strategy did not look at.
    pub fn left_out(&self, strategy: &StrategyId) {
        self.left_out.with_label_values(&[strategy.as_str()]).inc();
    }

    /// Counts an evaluation that the machine hardly ran.
    pub fn starved(&self, strategy: &StrategyId) {
        self.starved.with_label_values(&[strategy.as_str()]).inc();
    }
}

/// The number of series on which each strategy is suspended, looked up at each scrape.
pub struct SuspendedGauge {
    ladders: Arc<Ladders>,
    gauge: IntGaugeVec,
}

impl SuspendedGauge {
    /// Creates the instrument of `ladders`.
    pub fn new(ladders: Arc<Ladders>) -> Result<Self, prometheus::Error> {
        let help = "On how many series a strategy keeps failing and looks at few candles only";
        let gauge = IntGaugeVec::new(Opts::new("ta_bot_strategy_suspended_series", help), &["strategy"])?;
        gauge.with_label_values(&[NO_STRATEGY]);
        Ok(Self { ladders, gauge })
    }
}

impl Collector for SuspendedGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (strategy, series) in self.ladders.suspended() {
            self.gauge.with_label_values(&[strategy.as_str()]).set(series as i64);
        }
        self.gauge.collect()
    }
}
