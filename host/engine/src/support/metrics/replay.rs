//! Metrics of replays.

use prometheus::{IntCounterVec, Opts, Registry};

/// Counts replays by verdict.
pub struct ReplayMetrics {
    replays: IntCounterVec,
}

impl ReplayMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let opts = Opts::new("ta_bot_replays_total", "Stored signals that were made again, by what came of it");
        Ok(Self { replays: registered!(registry, IntCounterVec::new(opts, &["verdict"])) })
    }

    /// Counts the replay of a signal.
    pub fn replayed(&self, verdict: &str) {
        self.replays.with_label_values(&[verdict]).inc();
    }
}
