//! What the standard variables of OpenTelemetry say.

use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;

use super::{
    variables::{Problem, Signal, Variables},
    way::{Way, shown},
};

/// How many spans may wait for the collector, unless `OTEL_BSP_MAX_QUEUE_SIZE` says. A close of two hundred symbols by
/// all built-in strategies makes about as many.
const MOST_SPANS: usize = 8192;
/// How many lines of the log may wait, unless `OTEL_BLRP_MAX_QUEUE_SIZE` says.
const MOST_LINES: usize = 4096;

/// What goes where.
#[derive(Debug, Clone)]
pub struct OtlpSettings {
    pub(super) traces: Option<Way>,
    pub(super) metrics: Option<Way>,
    pub(super) logs: Option<Way>,
    pub(super) service: String,
    pub(super) is_service_named: bool,
    pub(super) sampler: Sampler,
    pub(super) interval: Duration,
    pub(super) most_spans: usize,
    pub(super) most_lines: usize,
    endpoint: String,
}

impl OtlpSettings {
    /// Reads every variable through `get`. `None`: `OTEL_SDK_DISABLED` is true.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Vec<Problem>> {
        let mut variables = Variables::new(get);
        if variables.is_disabled() {
            return variables.end(None);
        }
        let base = variables.base();
        let settings = Self {
            traces: variables.way(Signal::Traces),
            metrics: variables.way(Signal::Metrics),
            logs: variables.way(Signal::Logs),
            is_service_named: variables.given("OTEL_SERVICE_NAME").is_some(),
            service: variables.given("OTEL_SERVICE_NAME").unwrap_or_else(|| "ta-bot".to_owned()),
            sampler: variables.sampler(),
            interval: variables.duration("OTEL_METRIC_EXPORT_INTERVAL", 60_000, 100),
            most_spans: variables.size("OTEL_BSP_MAX_QUEUE_SIZE", MOST_SPANS),
            most_lines: variables.size("OTEL_BLRP_MAX_QUEUE_SIZE", MOST_LINES),
            endpoint: base.map(|base| shown(&base)).unwrap_or_default(),
        };
        variables.end(Some(settings))
    }

    /// Where telemetry goes, for people: without user, password and query.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether metrics are sent.
    pub const fn sends_metrics(&self) -> bool {
        self.metrics.is_some()
    }
}
