//! The queues of spans and of lines of the log, and what empties them.
//!
//! The SDK's batch processors have a queue and a thread each. They do not tell what they lost, so each is behind a
//! [`Room`] of the same size, in which everything has a place until the collector has answered.

use std::{fmt, sync::Arc, time::Duration};

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_proto::{
    tonic::collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    transform::{
        common::tonic::ResourceAttributesWithSchema, logs::tonic::group_logs_by_resource_and_scope,
        trace::tonic::group_spans_by_resource_and_scope,
    },
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    logs::{self, BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord},
    trace::{self, BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor},
};
use tokio::runtime::Handle;

use super::{
    collector::{Batch, Collector},
    room::Room,
};

/// Sends batches from the processors' threads.
struct Exporter {
    collector: Arc<Collector>,
    room: Arc<Room>,
    /// The runtime of the connections; the processors' threads have none.
    runtime: Handle,
    resource: ResourceAttributesWithSchema,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an exporter")
    }
}

impl Exporter {
    fn new(collector: Arc<Collector>, room: Arc<Room>) -> Self {
        let resource = ResourceAttributesWithSchema::default();
        Self { collector, room, runtime: Handle::current(), resource }
    }

    async fn send(&self, batch: Batch, count: usize) -> OTelSdkResult {
        let collector = Arc::clone(&self.collector);
        let sent = self.runtime.spawn(async move { collector.send(batch).await }).await;
        self.room.leave(count);
        let answer = sent.unwrap_or_else(|_| Err("the process ends".to_owned()));
        if self.room.answered(count, answer) {
            return Ok(());
        }
        Err(OTelSdkError::InternalFailure("the collector took nothing".to_owned()))
    }
}

/// Sends spans.
#[derive(Debug)]
pub(super) struct SpanExport(Exporter);

impl SpanExport {
    pub(super) fn new(collector: Arc<Collector>, room: Arc<Room>) -> Self {
        Self(Exporter::new(collector, room))
    }
}

impl SpanExporter for SpanExport {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.0.resource);
        self.0.send(Batch::Traces(ExportTraceServiceRequest { resource_spans }), count).await
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.resource = resource.into();
    }
}

/// Sends lines of the log.
#[derive(Debug)]
pub(super) struct LogExport(Exporter);

impl LogExport {
    pub(super) fn new(collector: Arc<Collector>, room: Arc<Room>) -> Self {
        Self(Exporter::new(collector, room))
    }
}

impl LogExporter for LogExport {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let count = batch.iter().count();
        let resource_logs = group_logs_by_resource_and_scope(&batch, &self.0.resource);
        self.0.send(Batch::Logs(ExportLogsServiceRequest { resource_logs }), count).await
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.resource = resource.into();
    }
}

/// The queue of spans.
#[derive(Debug)]
pub(super) struct Spans {
    processor: BatchSpanProcessor,
    room: Arc<Room>,
}

impl Spans {
    pub(super) fn new(exporter: SpanExport, room: Arc<Room>) -> Self {
        let queue = trace::BatchConfigBuilder::default().with_max_queue_size(room.limit()).build();
        Self { processor: BatchSpanProcessor::builder(exporter).with_batch_config(queue).build(), room }
    }
}

impl SpanProcessor for Spans {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        // The processor takes only what is sampled.
        if span.span_context.is_sampled() && self.room.enter() {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// The queue of lines of the log.
#[derive(Debug)]
pub(super) struct Logs {
    processor: BatchLogProcessor,
    room: Arc<Room>,
}

impl Logs {
    pub(super) fn new(exporter: LogExport, room: Arc<Room>) -> Self {
        let queue = logs::BatchConfigBuilder::default().with_max_queue_size(room.limit()).build();
        Self { processor: BatchLogProcessor::builder(exporter).with_batch_config(queue).build(), room }
    }
}

impl LogProcessor for Logs {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.room.enter() {
            self.processor.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use prometheus::IntCounter;
    use tokio::net::TcpListener;

    use super::*;
    use crate::otlp::way::{Protocol, Way};

    /// The queue behind a room has as many places. One with fewer would drop spans whose places nobody gives back.
    #[tokio::test(flavor = "multi_thread")]
    async fn every_place_is_given_back_however_many_there_are() {
        const PLACES: usize = 5000;
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/v1/traces", silent.local_addr().unwrap()).parse().unwrap();
        let timeout = Duration::from_millis(1);
        let way = Way { protocol: Protocol::Http, uri, headers: HeaderMap::new(), timeout, is_compressed: false };
        let lost = IntCounter::new("lost", "lost").unwrap();
        let room = Arc::new(Room::new("traces", PLACES, lost.clone()));
        let exporter = SpanExport::new(Arc::new(Collector::open(&way).unwrap()), Arc::clone(&room));
        let processor = Spans::new(exporter, Arc::clone(&room));
        let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
        let tracer = provider.tracer("test");
        (0..PLACES).for_each(|_| drop(tracer.start("a span")));
        tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().ok();
        assert_eq!(lost.get(), PLACES as u64, "the collector did not answer");
        assert!((0..PLACES).all(|_| room.enter()), "places are lost");
    }
}
