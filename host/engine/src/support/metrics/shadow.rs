//! Metrics of shadows.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};
use ta_bot_core::StrategyId;

use crate::evaluation::comparison::Comparison;

/// The instruments.
pub struct ShadowMetrics {
    comparisons: IntCounterVec,
    dropped: IntCounter,
}

impl ShadowMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let comparisons = Opts::new(
            "ta_bot_shadow_comparisons_total",
            "Candles at which a shadow looked, by what it would have changed; a candle whose job comes again counts again",
        );
        let dropped = IntCounter::new(
            "ta_bot_shadow_dropped_total",
            "Candles at which no shadow looked, since too many of them waited or they could not be read",
        );
        Ok(Self {
            comparisons: registered!(registry, IntCounterVec::new(comparisons, &["strategy", "outcome"])),
            dropped: registered!(registry, dropped),
        })
    }

    /// Counts a candle that a strategy's shadow looked at.
    pub fn compared(&self, strategy: &StrategyId, comparison: Comparison) {
        self.comparisons.with_label_values(&[strategy.as_str(), comparison.as_str()]).inc();
    }

    /// Counts a candle that no shadow looked at.
    pub fn dropped(&self) {
        self.dropped.inc();
    }
}
