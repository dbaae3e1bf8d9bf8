//! An OpenTelemetry collector: traces, metrics and logs go to it over OTLP, by gRPC or by HTTP.
//!
//! Metrics are those of `/metrics`, taken from the same registry. Traces and logs wait in queues of a fixed size for a
//! thread of their own. Whatever the collector does, nothing waits for it: what finds no room, or is not taken, is
//! counted as lost. While it takes nothing, nothing is made for it either, until it answers a probe.

use std::{future::Future, sync::Arc, time::Duration};

use opentelemetry::{global::BoxedTracer, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_proto::tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest};
use opentelemetry_sdk::{logs::SdkLoggerProvider, trace::SdkTracerProvider};
use ta_bot_engine::support::{metrics::Metrics, traces};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{Layer, Registry};

mod collector;
mod exporters;
mod gates;
mod ids;
mod metrics;
mod probe;
mod resource;
mod room;
mod settings;
mod variables;
mod way;

pub use resource::Process;
pub use settings::OtlpSettings;
pub use variables::Problem;

use collector::{Batch, Collector};
use exporters::{LogExport, Logs, SpanExport, Spans};
use gates::{WhileTaken, WhileThereIsRoom};
use ids::Ids;
use metrics::Push;
use probe::Probe;
use resource::resource;
use room::Room;

/// The log, on its way to a collector.
pub type LogLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// How long the rest may take to go out when the process ends.
const LAST: Duration = Duration::from_secs(5);

/// What goes to a collector.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    logs: Option<(SdkLoggerProvider, Arc<Room>)>,
    metrics: Option<Push>,
    rooms: Vec<Arc<Room>>,
    probes: Vec<Probe>,
}

impl Telemetry {
    /// Starts to collect. No connection is made before there is something to send.
    pub fn start(settings: &OtlpSettings, process: &Process, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let resource = resource(settings, process);
        let mut telemetry = Self { traces: None, logs: None, metrics: None, rooms: Vec::new(), probes: Vec::new() };
        let room = |signal, limit| Arc::new(Room::new(signal, limit, metrics.telemetry.lost(signal)));
        if let Some(way) = &settings.traces {
            let room = room("traces", settings.most_spans);
            let collector = Arc::new(Collector::open(way)?);
            let exporter = SpanExport::new(Arc::clone(&collector), Arc::clone(&room));
            let provider = SdkTracerProvider::builder()
                .with_resource(resource.clone())
                .with_id_generator(Ids::default())
                .with_sampler(WhileThereIsRoom::new(settings.sampler.clone(), Arc::clone(&room)))
                .with_span_processor(Spans::new(exporter, Arc::clone(&room)))
                .build();
            let wanted = Arc::clone(&room);
            traces::record_with(BoxedTracer::new(Box::new(provider.tracer("ta-bot"))), move || wanted.admits());
            telemetry.traces = Some(provider);
            telemetry.probes.push(Probe::new(
                collector,
                Batch::Traces(ExportTraceServiceRequest::default()),
                Arc::clone(&room),
            ));
            telemetry.rooms.push(room);
        }
        if let Some(way) = &settings.logs {
            let room = room("logs", settings.most_lines);
            let collector = Arc::new(Collector::open(way)?);
            let exporter = LogExport::new(Arc::clone(&collector), Arc::clone(&room));
            let processor = Logs::new(exporter, Arc::clone(&room));
            let provider = SdkLoggerProvider::builder().with_resource(resource.clone()).with_log_processor(processor);
            telemetry.logs = Some((provider.build(), Arc::clone(&room)));
            telemetry.probes.push(Probe::new(
                collector,
                Batch::Logs(ExportLogsServiceRequest::default()),
                Arc::clone(&room),
            ));
            telemetry.rooms.push(room);
        }
        if let Some(way) = &settings.metrics {
            let room = room("metrics", usize::MAX);
            let (collector, source) = (Collector::open(way)?, Arc::clone(metrics));
            telemetry.metrics = Some(Push::new(collector, source, &resource, settings.interval, Arc::clone(&room)));
            telemetry.rooms.push(room);
        }
        Ok(telemetry)
    }

    /// The layer that takes the lines of the log, if they go to a collector.
    pub fn log_layer(&self) -> Option<LogLayer> {
        self.logs.as_ref().map(|(logs, room)| -> LogLayer {
            Box::new(WhileTaken::new(OpenTelemetryTracingBridge::new(logs), Arc::clone(room)))
        })
    }

    /// Sends metrics from time to time, and tells the log what was lost. When `stop` is cancelled, sends what is left.
    pub fn run(self, stop: CancellationToken) -> impl Future<Output = ()> + Send {
        let Self { traces, logs, metrics, rooms, probes } = self;
        async move {
            let telling = room::tell(&rooms, stop.clone());
            let pushing = async {
                if let Some(push) = metrics {
                    push.run(stop.clone()).await;
                } else {
                    stop.cancelled().await;
                }
            };
            tokio::join!(telling, pushing, probe::run(&probes, stop.clone()));
            // The providers wait for their threads, which send on this runtime.
            let ended = tokio::task::spawn_blocking(move || {
                // A collector that does not take the rest has been counted by now.
                traces.map(|traces| traces.shutdown_with_timeout(LAST));
                logs.map(|(logs, _)| logs.shutdown_with_timeout(LAST));
            });
            if tokio::time::timeout(2 * LAST, ended).await.is_err() {
                tracing::warn!("the collector did not take the last telemetry in time");
            }
        }
    }
}
