//! The stream of jobs and its consumer.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, PullConsumer, pull},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use ta_bot_engine::support::metrics::Metrics;

use crate::nats::{
    bounds::Bounds,
    connection::{Nats, NatsError, room::note_room, within},
};

/// The consumer that all replicas share.
const CONSUMER: &str = "workers";
/// How long a job's id is remembered. This is short: see the parent module.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// How many jobs the stream takes before it refuses more; the sweep adds the refused ones later.
const ROOM: i64 = 100_000;
/// How many jobs of all replicas may be under way, including those that wait for a candle of a higher timeframe.
const UNDER_WAY: i64 = 4096;

/// Why a stream can't be that of jobs; `None` if it can.
pub(crate) fn misfit(config: &Config) -> Option<String> {
    let fits = config.retention == RetentionPolicy::WorkQueue
        && config.discard_new_per_subject
        && config.max_messages_per_subject == 1;
    (!fits).then(|| {
        format!(
            "the stream {} is not as the job queue needs it: retention workqueue, discard new, one message per subject and \
             discard new per subject",
            config.name
        )
    })
}

/// Creates the stream and the consumer if they do not exist.
pub(super) struct Setup {
    nats: Nats,
    pub(super) ack_wait: Duration,
    bounds: Bounds,
    making: tokio::sync::Mutex<()>,
}

impl Setup {
    pub(super) fn new(nats: Nats, ack_wait: Duration, bounds: Bounds) -> Self {
        Self { nats, ack_wait, bounds, making: tokio::sync::Mutex::new(()) }
    }

    /// Returns the consumer, which is created with its stream if it does not exist.
    pub(super) async fn ensure(&self) -> Result<PullConsumer, NatsError> {
        let _making = self.making.lock().await;
        let name = self.name();
        let jetstream = self.nats.jetstream();
        // A stream that exists stays as it is, apart from the bounds that are set.
        let stream = within(jetstream.get_or_create_stream(self.stream())).await?;
        let config = &stream.cached_info().config;
        if let Some(misfit) = misfit(config) {
            return Err(NatsError::Refused(format!("{misfit}; delete it, and it is made again")));
        }
        let mut wanted = config.clone();
        self.bounds.apply(&mut wanted);
        if wanted != *config {
            within(jetstream.update_stream(&wanted)).await?;
            tracing::info!(stream = name, "set the bounds of the stream of jobs");
        }
        within(jetstream.create_consumer_on_stream(self.consumer(), name)).await
    }

    /// How many jobs are in the stream: a work queue drops jobs that are done. Notes how much room it has, too.
    pub(super) async fn depth(&self, metrics: &Metrics) -> Result<usize, NatsError> {
        self.nats.require_connection()?;
        let stream = within(self.nats.jetstream().get_stream(self.name())).await?;
        let info = stream.cached_info();
        note_room(info, metrics);
        Ok(usize::try_from(info.state.messages).unwrap_or(usize::MAX))
    }

    fn name(&self) -> String {
        self.nats.stream_name("jobs")
    }

    fn stream(&self) -> Config {
        let mut config = Config {
            name: self.name(),
            description: Some("Jobs of TA Bot: a message for each candle to look at".to_owned()),
            subjects: vec![self.nats.subject("jobs.>")],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: 1,
            max_messages: ROOM,
            duplicate_window: DUPLICATE_WINDOW,
            ..Config::default()
        };
        self.bounds.apply(&mut config);
        config
    }

    fn consumer(&self) -> pull::Config {
        pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_ack_pending: UNDER_WAY,
            // Without limit: a job that keeps failing is buried by its worker, with the reason.
            max_deliver: -1,
            ..pull::Config::default()
        }
    }
}
