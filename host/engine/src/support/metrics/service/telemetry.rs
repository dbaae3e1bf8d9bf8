//! What of the telemetry did not reach its collector.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// The instruments.
pub struct TelemetryMetrics {
    lost: IntCounterVec,
}

impl TelemetryMetrics {
    pub(in crate::support::metrics) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Spans, metric points and log lines that the collector of telemetry did not take in time";
        let lost = IntCounterVec::new(Opts::new("ta_bot_otel_dropped_total", help), &["signal"])?;
        registry.register(Box::new(lost.clone()))?;
        Ok(Self { lost })
    }

    /// The counter of what is lost of `traces`, `metrics` or `logs`.
    pub fn lost(&self, signal: &str) -> IntCounter {
        self.lost.with_label_values(&[signal])
    }
}
