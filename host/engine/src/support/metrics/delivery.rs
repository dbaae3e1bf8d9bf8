//! Metrics of the way from a decision to the receivers: what was committed, and which steps this replica is able to do.

use prometheus::{Counter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use ta_bot_core::{Action, Signal};

/// The instruments.
#[allow(missing_docs, reason = "each has its help text below")]
pub struct DeliveryMetrics {
    signals_committed: IntCounterVec,
    pub signals_withheld: IntCounterVec,
    pub able: IntGaugeVec,
    pub decisions_kept: IntGauge,
    pub paused_seconds: Counter,
}

impl DeliveryMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let signals_withheld = registered!(
            registry,
            IntCounterVec::new(
                Opts::new(
                    "ta_bot_signals_withheld_total",
                    "Signals that are stored and not published, by their action"
                ),
                &["action"]
            )
        );
        for action in Action::ALL {
            signals_withheld.with_label_values(&[action.as_str()]);
        }
        Ok(Self {
            signals_withheld,
            signals_committed: registered!(
                registry,
                IntCounterVec::new(
                    Opts::new("ta_bot_signals_committed_total", "Signals that were stored, each once"),
                    &["strategy", "timeframe", "action"]
                )
            ),
            able: registered!(
                registry,
                IntGaugeVec::new(
                    Opts::new("ta_bot_able", "1 if this replica can do a step; 0 if not, or if it is not known yet"),
                    &["ability"]
                )
            ),
            decisions_kept: registered!(
                registry,
                IntGauge::new("ta_bot_decisions_kept", "Decided jobs whose commit failed and is tried again")
            ),
            paused_seconds: registered!(
                registry,
                Counter::new("ta_bot_paused_seconds_total", "How long the process did not get to run when it should")
            ),
        })
    }

    /// Counts a signal that was not stored before.
    pub fn committed(&self, signal: &Signal) {
        let labels = [signal.strategy.as_str(), signal.job.timeframe.as_str(), signal.action.as_str()];
        self.signals_committed.with_label_values(&labels).inc();
        if signal.is_withheld {
            self.withheld(signal.action.as_str());
        }
    }

    /// Counts a signal that is not published because of its action.
    pub fn withheld(&self, action: &str) {
        self.signals_withheld.with_label_values(&[action]).inc();
    }

    /// Creates the series of a strategy on a timeframe, at zero.
    pub(super) fn announce(&self, strategy: &str, timeframe: &str) {
        for action in [Action::Buy, Action::Sell] {
            self.signals_committed.with_label_values(&[strategy, timeframe, action.as_str()]);
        }
    }
}
