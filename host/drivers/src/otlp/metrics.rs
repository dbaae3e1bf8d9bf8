//! Metrics for the collector: those that `/metrics` shows, under the same names.
//!
//! They are read from the registry when it is time to send them. Their totals count since the start of the process, so
//! a message that is lost makes no gap in what the next one tells.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use opentelemetry_proto::{
    tonic::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
        metrics::v1::{
            AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
            ScopeMetrics, Sum, metric::Data, number_data_point,
        },
        resource::v1::Resource as ResourceOfMessage,
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use opentelemetry_sdk::Resource;
use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use ta_bot_engine::support::metrics::Metrics;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    collector::{Batch, Collector},
    room::Room,
};

/// How many points a message has. Collectors refuse messages of more than four megabytes unless told otherwise.
const POINTS: usize = 5000;

/// Sends metrics from time to time.
pub(super) struct Push {
    collector: Collector,
    source: Arc<Metrics>,
    resource: ResourceOfMessage,
    every: Duration,
    started: u64,
    room: Arc<Room>,
}

impl Push {
    pub(super) fn new(
        collector: Collector,
        source: Arc<Metrics>,
        resource: &Resource,
        every: Duration,
        room: Arc<Room>,
    ) -> Self {
        let attributes = ResourceAttributesWithSchema::from(resource).attributes.0;
        let resource = ResourceOfMessage { attributes, ..ResourceOfMessage::default() };
        Self { collector, source, resource, every, started: nanoseconds(SystemTime::now()), room }
    }

    pub(super) async fn run(self, stop: CancellationToken) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, before anything has happened.
        ticks.tick().await;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.push().await;
        }
        self.push().await;
    }

    /// Sends all metrics. After a message that the collector did not take the rest of this time is left out.
    async fn push(&self) {
        let now = nanoseconds(SystemTime::now());
        let mut message = Message::default();
        for family in self.source.families() {
            message.add(family, (self.started, now));
            if message.points >= POINTS && !self.send(std::mem::take(&mut message)).await {
                return;
            }
        }
        self.send(message).await;
    }

    async fn send(&self, message: Message) -> bool {
        let Message { metrics, points } = message;
        let scope = InstrumentationScope { name: "ta-bot".to_owned(), ..InstrumentationScope::default() };
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }];
        let resource = Some(self.resource.clone());
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, schema_url: String::new() }];
        let message = Batch::Metrics(ExportMetricsServiceRequest { resource_metrics });
        self.room.answered(points, self.collector.send(message).await)
    }
}

/// Metrics for one message.
#[derive(Default)]
struct Message {
    metrics: Vec<Metric>,
    points: usize,
}

impl Message {
    fn add(&mut self, mut family: MetricFamily, (started, now): (u64, u64)) {
        let points = family.take_metric();
        self.points += points.len();
        let kind = family.get_field_type();
        let cumulative = AggregationTemporality::Cumulative as i32;
        let number = |labels: &[LabelPair], value: f64| NumberDataPoint {
            attributes: attributes(labels),
            start_time_unix_nano: started,
            time_unix_nano: now,
            value: Some(number_data_point::Value::AsDouble(value)),
            ..NumberDataPoint::default()
        };
        let data = match kind {
            MetricType::COUNTER => Data::Sum(Sum {
                data_points: points
                    .iter()
                    .map(|point| number(point.get_label(), point.get_counter().get_value()))
                    .collect(),
                aggregation_temporality: cumulative,
                is_monotonic: true,
            }),
            MetricType::GAUGE => Data::Gauge(Gauge {
                data_points: points
                    .iter()
                    .map(|point| number(point.get_label(), point.get_gauge().get_value()))
                    .collect(),
            }),
            MetricType::HISTOGRAM => Data::Histogram(Histogram {
                data_points: points
                    .iter()
                    .map(|point| histogram(point.get_label(), point.get_histogram(), (started, now)))
                    .collect(),
                aggregation_temporality: cumulative,
            }),
            // The service has no summaries, and nothing without a type.
            MetricType::SUMMARY | MetricType::UNTYPED => return,
        };
        let (name, description) = (family.name().to_owned(), family.help().to_owned());
        self.metrics.push(Metric { name, description, data: Some(data), ..Metric::default() });
    }
}

/// A histogram whose counts are those of each bucket alone, with one more for what is above all bounds.
fn histogram(
    labels: &[LabelPair],
    histogram: &prometheus::proto::Histogram,
    (started, now): (u64, u64),
) -> HistogramDataPoint {
    let buckets = histogram.get_bucket().iter().filter(|bucket| bucket.upper_bound().is_finite());
    let (bounds, up_to): (Vec<f64>, Vec<u64>) =
        buckets.map(|bucket| (bucket.upper_bound(), bucket.cumulative_count())).unzip();
    let count = histogram.get_sample_count();
    let before = std::iter::once(0).chain(up_to.iter().copied());
    let counts = up_to.iter().copied().chain([count]).zip(before).map(|(up_to, before)| up_to.saturating_sub(before));
    HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: started,
        time_unix_nano: now,
        count,
        sum: Some(histogram.get_sample_sum()),
        bucket_counts: counts.collect(),
        explicit_bounds: bounds,
        ..HistogramDataPoint::default()
    }
}

fn attributes(labels: &[LabelPair]) -> Vec<KeyValue> {
    let text = |value: &str| AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) };
    let attribute = |label: &LabelPair| KeyValue {
        key: label.name().to_owned(),
        value: Some(text(label.value())),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

fn nanoseconds(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, Registry};

    use super::*;

    #[test]
    fn the_counts_of_a_histogram_are_those_of_its_buckets() {
        let registry = Registry::new();
        let durations = prometheus::Histogram::with_opts(HistogramOpts::new("d", "d").buckets(vec![1.0, 5.0])).unwrap();
        registry.register(Box::new(durations.clone())).unwrap();
        for duration in [0.5, 1.0, 3.0, 7.0, 8.0, 9.0] {
            durations.observe(duration);
        }
        let mut message = Message::default();
        registry.gather().into_iter().for_each(|family| message.add(family, (1, 2)));
        let Some(Data::Histogram(histogram)) = &message.metrics[0].data else { unreachable!() };
        let point = &histogram.data_points[0];
        assert_eq!((&point.explicit_bounds[..], &point.bucket_counts[..]), (&[1.0, 5.0][..], &[2, 1, 3][..]));
        assert_eq!((point.count, point.sum, message.points), (6, Some(28.5), 1));
    }
}
