//! The queue in which jobs wait for a worker.
//!
//! A leader adds jobs, and every replica takes some. A job that is waiting or under way is not added again. A taken job
//! leaves the queue only when its worker says so; otherwise it comes again, perhaps to another worker. So a job may be
//! worked on twice, which is harmless because its result is committed only once.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use ta_bot_core::{Job, Timestamp};
use thiserror::Error;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod local;

/// Why the queue did not accept or count jobs. The sweep finds the job again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the job queue did not answer: {0}")]
pub struct JobsError(pub String);

/// A job on its way into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedJob {
    /// The job.
    pub job: Job,
    /// The trace of the event that led to it.
    pub traceparent: Option<String>,
    /// Whether an operator retries the job. Then the queue accepts it even right after it had the job, and it is
    /// evaluated even if it counts as dead.
    pub retry: bool,
}

impl From<Job> for QueuedJob {
    /// A job without a trace that is not a retry.
    fn from(job: Job) -> Self {
        Self { job, traceparent: None, retry: false }
    }
}

/// A queue of jobs that all replicas share.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Adds a job, after waiting for room if there will be some soon. Returns whether the job was new. Several calls
    /// may run concurrently: each job is added before those of later calls.
    async fn push(&self, queued: QueuedJob) -> Result<bool, JobsError>;

    /// Returns the next jobs, at least one and at most `most`, the oldest first. Waits for them, and for the queue if
    /// it is unavailable. Cancel safe: no job is lost if the future is dropped.
    async fn next(&self, most: usize) -> Vec<Delivery>;

    /// Gives back the jobs that were fetched but not yet returned by [`next`](Self::next), which must not be called any
    /// more.
    async fn close(&self);

    /// Returns how many jobs of all replicas are waiting or under way.
    async fn depth(&self) -> Result<usize, JobsError>;

    /// Finds out whether a job could be added now, as far as that can be known without adding one.
    async fn probe(&self) -> Result<(), JobsError>;
}

/// A taken job whose worker has not yet reported its end. If it is dropped, the job comes again after a pause.
pub struct Delivery {
    /// The job, as it was added.
    pub queued: QueuedJob,
    /// When the queue took the job: from then on its candle could be decided. By the clock of the queue, which is that
    /// of its server.
    pub queued_at: Timestamp,
    /// The number of this delivery of the job, counted from 1.
    pub attempt: u32,
    /// How often the queue must hear that the job is under way. Otherwise it delivers the job to another worker.
    pub heartbeat: Option<Duration>,
    /// Reports the end of the job to the queue.
    pub receipt: Box<dyn Receipt>,
}

/// Reports to a queue what became of a job. If that fails the job comes again, so no error is returned.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// Reports that the job is finished. It leaves the queue.
    async fn done(self: Box<Self>);

    /// Gives the job back. It comes again after `delay` at the earliest.
    async fn give_back(self: Box<Self>, delay: Duration);

    /// Reports that the job is still under way.
    async fn working(&self);
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "delivery {} of {}", self.attempt, self.queued.job)
    }
}

impl Delivery {
    /// The job.
    pub fn job(&self) -> &Job {
        &self.queued.job
    }

    /// Reports that the job is finished. It leaves the queue.
    pub async fn done(self) {
        self.receipt.done().await;
    }

    /// Gives the job back. It comes again after `delay` at the earliest.
    pub async fn give_back(self, delay: Duration) {
        self.receipt.give_back(delay).await;
    }

    /// Reports that the job is still under way.
    pub async fn working(&self) {
        self.receipt.working().await;
    }

    /// Waits for `work`, and meanwhile reports to the queue that the job is under way.
    pub async fn keep_while<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let Some(heartbeat) = self.heartbeat else { return work.await };
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(heartbeat) => self.working().await,
            }
        }
    }
}
