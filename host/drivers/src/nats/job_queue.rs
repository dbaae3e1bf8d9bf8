//! The job queue on `JetStream`: a work-queue stream and one durable consumer, from which every replica pulls.
//!
//! Each job is a message under a subject of its own. The stream refuses a second message under that subject as long as
//! the first is there, which is until the job is done. So a job is held once, however long it waits, and can be added
//! again as soon as it is gone. The message id, which the stream remembers for two minutes, only saves repeating a job
//! that was pushed again just when it was finished.

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, header::NATS_MESSAGE_ID, jetstream::consumer::PullConsumer};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use ta_bot_core::{Job, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    pipeline::job_queue::{Delivery, JobQueue, JobsError, QueuedJob},
    support::{log_limit::LogLimit, metrics::Metrics},
};
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

use crate::nats::{
    bounds::Bounds,
    connection::{Nats, NatsError, pause},
};

mod pull;
mod setup;

use pull::Pull;
use setup::Setup;
pub(crate) use setup::misfit;

/// How long a worker may be silent about a job before the job goes to another worker.
pub const ACK_WAIT: Duration = Duration::from_secs(30);
/// How often the depth of the queue is measured.
const MEASURE: Duration = Duration::from_secs(5);

/// A queue on NATS.
pub struct NatsQueue {
    nats: Nats,
    setup: Arc<Setup>,
    pull: Mutex<Option<Pull>>,
    metrics: Arc<Metrics>,
    _measuring: AbortOnDropHandle<()>,
}

/// A job as it is stored in the stream.
#[derive(Serialize, Deserialize)]
struct Body {
    symbol: Symbol,
    timeframe: Timeframe,
    candle_close: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default)]
    retry: bool,
}

impl From<QueuedJob> for Body {
    fn from(queued: QueuedJob) -> Self {
        let QueuedJob { job: Job { symbol, timeframe, candle_close }, traceparent, retry } = queued;
        Self { symbol, timeframe, candle_close, traceparent, retry }
    }
}

impl From<Body> for QueuedJob {
    fn from(body: Body) -> Self {
        let Body { symbol, timeframe, candle_close, traceparent, retry } = body;
        Self { job: Job { symbol, timeframe, candle_close }, traceparent, retry }
    }
}

impl NatsQueue {
    /// The queue of the replicas that share `nats`, with the bounds of its stream. Does not wait for NATS. `ack_wait`
    /// is [`ACK_WAIT`] except in tests.
    pub fn new(nats: Nats, ack_wait: Duration, bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        let setup = Arc::new(Setup::new(nats.clone(), ack_wait, bounds));
        let measuring = tokio::spawn(measure(nats.clone(), Arc::clone(&setup), Arc::clone(&metrics)));
        let measuring = AbortOnDropHandle::new(measuring);
        Self { nats, setup, pull: Mutex::default(), metrics, _measuring: measuring }
    }

    async fn store(&self, queued: &QueuedJob) -> Result<bool, NatsError> {
        let job = &queued.job;
        let (timeframe, symbol, close) = (job.timeframe.as_str(), job.symbol.as_str(), job.candle_close.millis());
        let mut id = format!("{timeframe}/{symbol}/{close}");
        if queued.retry {
            id = format!("{id}/{}", self.nats.client().new_inbox());
        }
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, id);
        let subject = self.nats.subject(&format!("jobs.{timeframe}.{symbol}.{close}"));
        let body = serde_json::to_string(&Body::from(queued.clone()));
        let body = body.map_err(|error| NatsError::Refused(error.to_string()))?;
        match self.nats.store(&subject, headers, body).await {
            Ok(stored) => Ok(!stored.duplicate),
            // Only its text distinguishes this refusal from that of a full stream.
            Err(NatsError::Refused(reason)) if reason.contains("messages per subject exceeded") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the jobs that arrive within a moment, perhaps none.
    async fn take(&self, most: usize) -> Result<Vec<Delivery>, NatsError> {
        let mut pull = self.pull.lock().await;
        let open = match pull.take() {
            Some(open) => open,
            None => Pull::open(self.nats.clone(), self.consumer().await?, self.setup.ack_wait).await?,
        };
        let open = pull.insert(open);
        let taken = open.take(most.max(1)).await;
        if taken.is_err() {
            *pull = None;
        }
        taken
    }

    async fn consumer(&self) -> Result<PullConsumer, NatsError> {
        self.nats.connected().await;
        self.setup.ensure().await
    }
}

impl From<NatsError> for JobsError {
    fn from(error: NatsError) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl JobQueue for NatsQueue {
    async fn push(&self, queued: QueuedJob) -> Result<bool, JobsError> {
        let stored = match self.store(&queued).await {
            // The stream was not created yet, or somebody deleted it.
            Err(NatsError::NoStream(_)) => {
                self.setup.ensure().await?;
                self.store(&queued).await
            }
            stored => stored,
        };
        Ok(stored?)
    }

    async fn next(&self, most: usize) -> Vec<Delivery> {
        let mut failures = 0;
        let limit = LogLimit::default();
        loop {
            match self.take(most).await {
                Ok(taken) if !taken.is_empty() => return taken,
                Ok(_) => failures = 0,
                Err(error) => {
                    failures += 1;
                    if let Some(withheld) = limit.admit() {
                        tracing::warn!(%error, withheld, "can't take jobs; will retry");
                    }
                    tokio::time::sleep(pause(failures)).await;
                }
            }
        }
    }

    async fn close(&self) {
        if let Some(pull) = self.pull.lock().await.take() {
            for delivery in pull.close().await {
                delivery.give_back(Duration::ZERO).await;
            }
        }
    }

    async fn depth(&self) -> Result<usize, JobsError> {
        let depth = match self.setup.depth(&self.metrics).await {
            // Before the first push there may be no stream.
            Err(NatsError::Refused(_)) => {
                self.setup.ensure().await?;
                self.setup.depth(&self.metrics).await?
            }
            depth => depth?,
        };
        self.metrics.jobs_queued.set(depth as i64);
        Ok(depth)
    }

    async fn probe(&self) -> Result<(), JobsError> {
        self.nats.ask().await?;
        self.setup.ensure().await?;
        Ok(self.nats.room(&self.nats.subject("jobs.>")).await?)
    }
}

async fn measure(nats: Nats, setup: Arc<Setup>, metrics: Arc<Metrics>) {
    loop {
        nats.connected().await;
        // A failure is not logged here: the callers that use the queue meet the same one and log it.
        if let Ok(depth) = setup.depth(&metrics).await {
            metrics.jobs_queued.set(depth as i64);
        }
        tokio::time::sleep(MEASURE).await;
    }
}
