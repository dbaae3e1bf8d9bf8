//! Jobs in, committed signals out.
//!
//! Jobs are analysed side by side, and what is finished is committed together: one transaction, and one wait for the
//! disk, for as many jobs as are ready. A job leaves the queue only when its signals are committed.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ta_bot_core::{Job, Timestamp};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    analysis::{Analysis, Analyst},
    metrics::Metrics,
    outbox::{DeadJob, FinishedJob, Outbox},
};

/// How many jobs may wait.
const QUEUE: usize = 4096;
/// How many finished jobs one transaction takes.
const COMMIT_BATCH: usize = 64;
/// How often a job is tried before it is given up, tries that failed because the store was away not counted.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A job with the trace of the event that led to it.
struct Queued {
    job: Job,
    traceparent: Option<String>,
}

/// Where jobs wait. A job that waits or runs already is not taken a second time.
pub struct Queue {
    sender: mpsc::Sender<Queued>,
    in_flight: Arc<Mutex<HashSet<Job>>>,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// Adds a job, after waiting for room. Answers whether it was new.
    pub async fn push(&self, job: Job, traceparent: Option<String>) -> bool {
        if !lock(&self.in_flight).insert(job.clone()) {
            return false;
        }
        self.metrics.jobs_queued.inc();
        // The receiver is gone only when the process ends; the sweep of the next one finds the job again.
        self.sender.send(Queued { job, traceparent }).await.is_ok()
    }
}

/// Analyses jobs and commits what comes of them.
pub struct Pipeline {
    analyst: Arc<Analyst>,
    outbox: Arc<dyn Outbox>,
    metrics: Arc<Metrics>,
    relay_wakeup: Arc<Notify>,
    in_flight: Arc<Mutex<HashSet<Job>>>,
    parallel: Arc<Semaphore>,
}

type Committing = (FinishedJob, oneshot::Sender<()>);

impl Pipeline {
    /// A pipeline and the queue that feeds it. `parallel` jobs are looked at side by side.
    pub fn new(
        analyst: Arc<Analyst>,
        outbox: Arc<dyn Outbox>,
        relay_wakeup: Arc<Notify>,
        parallel: usize,
    ) -> (Arc<Queue>, Arc<Self>, Intake) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (metrics, in_flight) = (Arc::clone(&analyst.metrics), Arc::default());
        let queue = Queue { sender, in_flight: Arc::clone(&in_flight), metrics: Arc::clone(&metrics) };
        let parallel = Arc::new(Semaphore::new(parallel));
        let pipeline = Self { analyst, outbox, metrics, relay_wakeup, in_flight, parallel };
        (Arc::new(queue), Arc::new(pipeline), Intake(receiver))
    }

    /// Works until `stop`, then finishes the jobs under way. Jobs that still wait are left to the next sweep.
    pub async fn run(self: Arc<Self>, mut intake: Intake, stop: CancellationToken) {
        let (finished, to_commit) = mpsc::channel(COMMIT_BATCH);
        let committer = tokio::spawn(Arc::clone(&self).commit_all(to_commit));
        let jobs = TaskTracker::new();
        // Room is taken for a job that is there: one that waited for its inputs may need it meanwhile.
        while let Some(Some(queued)) = stop.run_until_cancelled(intake.0.recv()).await {
            let room = Arc::clone(&self.parallel).acquire_owned();
            let Some(Ok(permit)) = stop.run_until_cancelled(room).await else { break };
            let (pipeline, finished, stop) = (Arc::clone(&self), finished.clone(), stop.clone());
            jobs.spawn(async move { pipeline.finish(queued, &finished, permit, &stop).await });
        }
        drop(finished);
        jobs.close();
        jobs.wait().await;
        if let Err(error) = committer.await {
            tracing::error!(%error, "the committer stopped");
        }
    }

    /// Takes one job to its end.
    async fn finish(
        &self,
        queued: Queued,
        finished: &mpsc::Sender<Committing>,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) {
        let _under_way = UnderWay { pipeline: self, job: &queued.job };
        let outcome = match self.complete(&queued.job, permit, stop).await {
            Some(permit) => self.decide(&queued, finished, permit).await,
            None => "abandoned",
        };
        self.metrics.jobs.with_label_values(&[outcome]).inc();
    }

    /// Waits for the candles that the job reads beside its own; others go on meanwhile. None where the process ends
    /// first: the next one finds the job again.
    async fn complete(
        &self,
        job: &Job,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) -> Option<OwnedSemaphorePermit> {
        if !self.analyst.is_early(job).await {
            return Some(permit);
        }
        drop(permit);
        stop.run_until_cancelled(self.analyst.wait_for_inputs(job)).await?;
        stop.run_until_cancelled(Arc::clone(&self.parallel).acquire_owned()).await?.ok()
    }

    /// Analyses a job and has it committed. The next one may begin when this one only waits for its commit, so that many
    /// share one.
    async fn decide(
        &self,
        queued: &Queued,
        finished: &mpsc::Sender<Committing>,
        permit: OwnedSemaphorePermit,
    ) -> &'static str {
        match self.analyse(queued).await {
            Ok(analysis) => {
                let signals = analysis.signals().cloned().collect();
                let (done, committed) = oneshot::channel();
                let sent = finished.send((FinishedJob { job: queued.job.clone(), signals }, done)).await;
                drop(permit);
                if sent.is_ok() && committed.await.is_ok() { "finished" } else { "abandoned" }
            }
            Err(dead) => self.bury(&dead).await,
        }
    }

    /// Analyses a job, several times if need be.
    async fn analyse(&self, queued: &Queued) -> Result<Analysis, DeadJob> {
        let mut pause = FIRST_PAUSE;
        let mut attempts = 1;
        loop {
            match self.analyst.analyse(&queued.job, queued.traceparent.as_deref()).await {
                Ok(analysis) => return Ok(analysis),
                Err(error) if error.is_stores() => tracing::warn!(job = %queued.job, %error, "job waits for the store"),
                Err(error) if attempts >= ATTEMPTS => {
                    let (job, reason) = (queued.job.clone(), error.to_string());
                    return Err(DeadJob { job, attempts, reason, died_at: Timestamp::now(), retried_at: None });
                }
                Err(error) => {
                    tracing::warn!(job = %queued.job, attempts, %error, "job failed and is tried again");
                    attempts += 1;
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Gives a job up. Where even that can't be stored, the sweep finds the job again.
    async fn bury(&self, dead: &DeadJob) -> &'static str {
        match self.outbox.bury(dead).await {
            Ok(()) => {
                tracing::error!(job = %dead.job, attempts = dead.attempts, reason = %dead.reason, "job given up");
                "dead"
            }
            Err(error) => {
                tracing::error!(job = %dead.job, reason = %dead.reason, %error, "job can't be given up and comes again");
                "abandoned"
            }
        }
    }

    /// Commits what is finished, as much at once as there is, until nobody finishes anything any more.
    async fn commit_all(self: Arc<Self>, mut to_commit: mpsc::Receiver<Committing>) {
        let mut batch = Vec::with_capacity(COMMIT_BATCH);
        while to_commit.recv_many(&mut batch, COMMIT_BATCH).await > 0 {
            let (jobs, done): (Vec<FinishedJob>, Vec<oneshot::Sender<()>>) = batch.drain(..).unzip();
            self.commit(&jobs).await;
            // A job that nobody waits for any more is committed all the same.
            for done in done {
                let _ = done.send(());
            }
            self.relay_wakeup.notify_one();
        }
    }

    /// Commits, for as long as it takes: what is finished is not thrown away because the store is away.
    async fn commit(&self, jobs: &[FinishedJob]) {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.outbox.commit(jobs, Timestamp::now()).await {
                Ok(new) => {
                    if !new.is_empty() {
                        tracing::debug!(jobs = jobs.len(), signals = new.len(), "committed");
                    }
                    return;
                }
                Err(error) => tracing::error!(jobs = jobs.len(), %error, "commit failed and is tried again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Takes a job out of the queue when its work ends, also where that is by a panic.
struct UnderWay<'a> {
    pipeline: &'a Pipeline,
    job: &'a Job,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.pipeline.metrics.jobs_queued.dec();
        lock(&self.pipeline.in_flight).remove(self.job);
    }
}

/// The pipeline's end of the queue.
pub struct Intake(mpsc::Receiver<Queued>);

/// A panic while the set was held leaves it as it was before or after one insertion; both are fine.
fn lock(in_flight: &Mutex<HashSet<Job>>) -> std::sync::MutexGuard<'_, HashSet<Job>> {
    in_flight.lock().unwrap_or_else(PoisonError::into_inner)
}
