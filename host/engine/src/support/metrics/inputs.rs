//! Metrics of what is not believed, or no longer: rows that are no candles, candles that changed, and signals that are
//! too old.

use prometheus::{IntCounterVec, Opts, Registry};
use ta_bot_core::{RowProblem, Timeframe};

/// The reasons for which a signal is too old: it was made too late, or it waited too long.
const EXPIRY_REASONS: [&str; 2] = ["decided_late", "waited_for_bus"];

/// The instruments.
#[allow(missing_docs, reason = "each has its help text below")]
pub struct InputMetrics {
    pub candles_refused: IntCounterVec,
    pub candles_unfinished: IntCounterVec,
    pub candles_derived: IntCounterVec,
    pub candles_revised: IntCounterVec,
    pub signals_expired: IntCounterVec,
}

impl InputMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            candles_refused: registered!(
                registry,
                counter(
                    "ta_bot_candles_refused_total",
                    "Candles that are left out because of their rows, each counted once by each replica",
                    "reason"
                )
            ),
            candles_unfinished: registered!(
                registry,
                counter(
                    "ta_bot_candles_unfinished_total",
                    "Candles that were not decided because their rows stayed those of open candles",
                    "timeframe"
                )
            ),
            candles_derived: registered!(
                registry,
                counter(
                    "ta_bot_candles_derived_total",
                    "Candles without a usable row that were made of shorter ones",
                    "timeframe"
                )
            ),
            candles_revised: registered!(
                registry,
                counter(
                    "ta_bot_candles_revised_total",
                    "Closed candles that changed after they had been read, each change counted once by each replica",
                    "timeframe"
                )
            ),
            signals_expired: registered!(
                registry,
                counter("ta_bot_signals_expired_total", "Signals that were too old to be published", "reason")
            ),
        };
        for reason in RowProblem::CODES {
            metrics.candles_refused.with_label_values(&[reason]);
        }
        for timeframe in Timeframe::ALL {
            metrics.candles_revised.with_label_values(&[timeframe.as_str()]);
            metrics.candles_unfinished.with_label_values(&[timeframe.as_str()]);
            metrics.candles_derived.with_label_values(&[timeframe.as_str()]);
        }
        for reason in EXPIRY_REASONS {
            metrics.signals_expired.with_label_values(&[reason]);
        }
        Ok(metrics)
    }
}
