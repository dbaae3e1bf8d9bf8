//! A collector of telemetry.

use std::sync::Arc;

use anyhow::Context as _;
use ta_bot_drivers::otlp::{self, Process};
use ta_bot_engine::support::metrics::Metrics;

use super::Telemetry;
use crate::environment::{Environment, OtlpSettings};

/// Starts telemetry, and says so in the words that operators look for.
pub(super) fn start(
    settings: &OtlpSettings,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Telemetry> {
    let Environment { identity, pod, .. } = environment;
    let process = Process { version: env!("CARGO_PKG_VERSION"), instance: identity.clone(), pod: pod.clone() };
    let telemetry = otlp::Telemetry::start(settings, &process, metrics).context("telemetry can't be started")?;
    tracing::info!("OpenTelemetry SDK initialized");
    if settings.sends_metrics() {
        tracing::info!("Meter provider configured");
    }
    tracing::info!("Exporter endpoint: {}", settings.endpoint());
    let log = telemetry.log_layer();
    Ok(Telemetry { log, send: Box::new(|stop| Box::pin(telemetry.run(stop))) })
}
