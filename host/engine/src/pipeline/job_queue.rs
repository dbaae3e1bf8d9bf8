//! Where jobs wait for a worker.
//!
//! A leader puts them in, every replica takes some out. A job that waits or is under way is not added again, and one that
//! was taken leaves the queue only when its worker says so; else it comes again, perhaps to another worker. So a job may be
//! worked on twice. That is harmless, since what comes of it is committed once.

use std::{future::Future, time::Duration};

use async_trait::async_trait;
use ta_bot_core::Job;
use thiserror::Error;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod local;

/// Why the queue did not take or count jobs. The sweep finds the job again.
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
    /// Whether an operator asks for it again: then it is taken also right after the queue has had it, and evaluated also
    /// where it counts as dead.
    pub retry: bool,
}

impl From<Job> for QueuedJob {
    /// A job that nothing is known of.
    fn from(job: Job) -> Self {
        Self { job, traceparent: None, retry: false }
    }
}

/// A queue of jobs that all replicas share.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Adds a job, after waiting for room where there is a place for it soon. Answers whether it was new. Many may be
    /// under way at once: each is added before those whose adding began later.
    async fn push(&self, queued: QueuedJob) -> Result<bool, JobsError>;

    /// The next jobs, at least one and at most `most`, the oldest first. Waits for them, and for the queue where it is
    /// away. May be given up at any moment: nothing is lost by it.
    async fn next(&self, most: usize) -> Vec<Delivery>;

    /// Gives back what was fetched and not answered by [`next`](Self::next), which must not be called any more.
    async fn close(&self);

    /// How many jobs wait or are under way, of all replicas.
    async fn depth(&self) -> Result<usize, JobsError>;
}

/// A job that was taken out, until its worker says what became of it. One that is dropped comes again after a while.
pub struct Delivery {
    /// The job, as it was put in.
    pub queued: QueuedJob,
    /// Which delivery of this job it is, from 1 on.
    pub attempt: u32,
    /// How often the queue must hear of the job, or it gives it to somebody else.
    pub heartbeat: Option<Duration>,
    /// How the queue is told.
    pub receipt: Box<dyn Receipt>,
}

/// How a queue is told what became of a job. Where it can't be told the job comes again, so no error is passed on.
#[async_trait]
pub trait Receipt: Send + Sync {
    /// The job is finished and leaves the queue.
    async fn done(self: Box<Self>);

    /// The job comes again, not before `delay`.
    async fn give_back(self: Box<Self>, delay: Duration);

    /// The job is still under way.
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

    /// The job is finished and leaves the queue.
    pub async fn done(self) {
        self.receipt.done().await;
    }

    /// The job comes again, not before `delay`.
    pub async fn give_back(self, delay: Duration) {
        self.receipt.give_back(delay).await;
    }

    /// The job is still under way.
    pub async fn working(&self) {
        self.receipt.working().await;
    }

    /// Waits for `work`, and tells the queue meanwhile that the job is under way.
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
