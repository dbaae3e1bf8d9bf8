//! Metrics of the time that strategies take, and of their budgets.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use prometheus::{
    CounterVec, GaugeVec, IntCounter, IntCounterVec, Opts, Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use ta_bot_core::StrategyId;

use crate::supervision::budget::Budget;

/// The instruments.
pub struct CostMetrics {
    guest_seconds: CounterVec,
    warned: IntCounterVec,
    throttled: IntCounterVec,
    lost: IntCounter,
}

impl CostMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["strategy"]);
        Ok(Self {
            guest_seconds: registered!(
                registry,
                CounterVec::new(
                    Opts::new("ta_bot_strategy_guest_seconds_total", "Time that evaluations of jobs took"),
                    &["strategy"]
                )
            ),
            warned: registered!(
                registry,
                counter(
                    "ta_bot_strategy_budget_warnings_total",
                    "Warnings that a strategy has taken four fifths of its time of a minute, or all of it"
                )
            ),
            throttled: registered!(
                registry,
                counter(
                    "ta_bot_strategy_throttled_total",
                    "Candles that a strategy did not look at since it had taken its time of the minute"
                )
            ),
            lost: registered!(
                registry,
                IntCounter::new("ta_bot_costs_lost_total", "Evaluations whose costs found no room in the ledger")
            ),
        })
    }

    /// Creates the series of a strategy on which alerts rest, at zero.
    pub(super) fn announce(&self, strategy: &str) {
        self.warned.with_label_values(&[strategy]);
        self.throttled.with_label_values(&[strategy]);
    }

    /// Adds the time that an evaluation of a job took.
    pub fn took(&self, strategy: &StrategyId, duration: Duration) {
        self.guest_seconds.with_label_values(&[strategy.as_str()]).inc_by(duration.as_secs_f64());
    }

    /// Counts a warning that a strategy took most or all of its time for a minute.
    pub fn warned(&self, strategy: &StrategyId) {
        self.warned.with_label_values(&[strategy.as_str()]).inc();
    }

    /// Counts a candle that a strategy did not look at.
    pub fn throttled(&self, strategy: &StrategyId) {
        self.throttled.with_label_values(&[strategy.as_str()]).inc();
    }

    /// Counts evaluations whose costs were lost.
    pub fn lost(&self, evaluations: u64) {
        self.lost.inc_by(evaluations);
    }
}

/// The share of its budget that each strategy takes, computed at each scrape.
pub struct BudgetGauge {
    budget: Arc<Budget>,
    gauge: GaugeVec,
}

impl BudgetGauge {
    /// Creates the instrument of `budget`.
    pub fn new(budget: Arc<Budget>) -> Result<Self, prometheus::Error> {
        let help = "Share of its time of a minute that a strategy took: in this minute or the one before it";
        let gauge = GaugeVec::new(Opts::new("ta_bot_strategy_budget_ratio", help), &["strategy"])?;
        Ok(Self { budget, gauge })
    }
}

impl Collector for BudgetGauge {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        for (strategy, ratio) in self.budget.ratios(Instant::now()) {
            self.gauge.with_label_values(&[strategy.as_str()]).set(ratio);
        }
        self.gauge.collect()
    }
}
