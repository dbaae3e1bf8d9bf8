//! Takes jobs from the queue and commits their signals.
//!
//! Jobs are analysed concurrently, and finished jobs are committed together: one transaction, and one wait for the
//! disk, for as many jobs as are ready. A job leaves the queue only when its signals are committed. If the candles
//! can't be read, the job goes back and comes again later, perhaps to another replica. If its commit fails, the
//! decision is kept, and the job stays under way until it is committed or the process stops.

use std::{sync::Arc, time::Duration};

use opentelemetry::{KeyValue, trace::SpanKind};
use ta_bot_core::{Job, SignalId, Timestamp};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    deployments::shadow::Shadows,
    evaluation::Outcome,
    pipeline::{
        analysis::{Analysis, AnalysisError, Analyst, ToCompare},
        job_queue::{Delivery, JobQueue},
    },
    signals::outbox::{FinishedJob, Outbox},
    supervision::watch::{Watch, Watching},
    support::{
        log_limit::LogLimit,
        metrics::Metrics,
        store_error::StoreError,
        traces::{self, Begun, Span},
    },
};

mod commit;
mod end;
#[cfg(test)]
mod tests;

use commit::{COMMIT_BATCH, Committer, Fate, ToCommit};
use end::{Decided, End, again, pause};

/// How often a job is tried before it is given up. Tries that failed because the store was unavailable do not count.
const ATTEMPTS: u32 = 5;
/// How many jobs may be in evaluation for each thread: one that runs and one that is ready to run.
const EVALUATED_BY_A_THREAD: usize = 2;
/// How many decisions may be kept while they can't be committed. Beyond that no job is taken: their signals are in
/// memory.
const DECISIONS_KEPT: usize = 512;
/// The pause before a candle that is missing or unfinished is looked for again. Jobs that wait together share the look.
const UNTIL_CANDLE: Duration = Duration::from_millis(500);

/// Analyses jobs and commits the results.
pub struct Pipeline {
    analyst: Arc<Analyst>,
    outbox: Arc<dyn Outbox>,
    queue: Arc<dyn JobQueue>,
    /// Watches which strategies keep failing; `None` if evaluations are not watched.
    watch: Option<Arc<Watch>>,
    metrics: Arc<Metrics>,
    relay_wakeup: Arc<Notify>,
    /// Accepts decided candles for the shadows; `None` if there are no shadows.
    shadows: Option<Shadows>,
    parallel: Arc<Semaphore>,
    /// Limits how many jobs are decided or about to be, until they are committed.
    decisions: Semaphore,
    /// Limits how many jobs are in evaluation. They are fewer than `parallel`, because they share the guests' threads:
    /// a job that waits for a thread can go to another replica when this one stops.
    evaluating: Semaphore,
}

impl Pipeline {
    /// Creates a pipeline that takes jobs from `queue` and works on up to `parallel` of them concurrently.
    pub fn new(
        analyst: Arc<Analyst>,
        outbox: Arc<dyn Outbox>,
        queue: Arc<dyn JobQueue>,
        relay_wakeup: Arc<Notify>,
        parallel: usize,
        watch: Option<Arc<Watch>>,
        shadows: Option<Shadows>,
    ) -> Arc<Self> {
        let metrics = Arc::clone(&analyst.metrics);
        let parallel = Arc::new(Semaphore::new(parallel));
        let decisions = Semaphore::new(DECISIONS_KEPT);
        let evaluating = Semaphore::new(EVALUATED_BY_A_THREAD * analyst.threads.current_num_threads());
        Arc::new(Self {
            analyst,
            outbox,
            queue,
            watch,
            metrics,
            relay_wakeup,
            shadows,
            parallel,
            decisions,
            evaluating,
        })
    }

    /// Works until `stop` is cancelled, then finishes the jobs that are or were in evaluation. The others go back at
    /// once.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (finished, to_commit) = mpsc::channel(COMMIT_BATCH);
        let committer = Committer {
            outbox: Arc::clone(&self.outbox),
            relay_wakeup: Arc::clone(&self.relay_wakeup),
            metrics: Arc::clone(&self.metrics),
            abilities: Arc::clone(&self.analyst.abilities),
            failures: LogLimit::default(),
        };
        let committer = tokio::spawn(committer.run(to_commit, stop.clone()));
        let jobs = TaskTracker::new();
        while let Some(taken) = stop.run_until_cancelled(self.take()).await {
            for delivery in taken {
                // Room is acquired only now, for a job that was taken: a job that waited for its inputs may need the
                // room before.
                let room = Arc::clone(&self.parallel).acquire_owned();
                let pipeline = Arc::clone(&self);
                let finished = finished.clone();
                let stop = stop.clone();
                match stop.clone().run_until_cancelled(delivery.keep_while(room)).await {
                    Some(Ok(permit)) => {
                        jobs.spawn(async move { pipeline.finish(delivery, &finished, permit, &stop).await });
                    }
                    _ => self.end(delivery, End::Again(Duration::ZERO)).await,
                }
            }
        }
        drop(finished);
        jobs.close();
        tokio::join!(self.queue.close(), jobs.wait());
        if let Err(error) = committer.await {
            tracing::error!(%error, "the committer stopped");
        }
    }

    /// Waits for room, then takes as many jobs as fit. A job that is taken too early can't be taken by another replica.
    async fn take(&self) -> Vec<Delivery> {
        drop(self.parallel.acquire().await);
        self.queue.next(self.parallel.available_permits().max(1)).await
    }

    /// Works on one job to its end.
    async fn finish(
        &self,
        delivery: Delivery,
        finished: &mpsc::Sender<ToCommit>,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) {
        let trace = traced(&delivery);
        let work = trace.around(self.work_on(&delivery, &trace, finished, permit, stop));
        let end = delivery.keep_while(work).await;
        trace.add(|| vec![KeyValue::new("job.outcome", end.outcome())]);
        self.end(delivery, end).await;
    }

    async fn work_on(
        &self,
        delivery: &Delivery,
        trace: &Span,
        finished: &mpsc::Sender<ToCommit>,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) -> End {
        match self.is_over(delivery).await {
            Ok(false) => {}
            Ok(true) => return End::Over("known"),
            Err(error) => return again(delivery, &error),
        }
        let (mut permit, mut decidable) = (permit, delivery.queued_at);
        loop {
            let Some((room, missed)) = self.complete(delivery.job(), permit, stop).await else {
                return End::Again(Duration::ZERO);
            };
            permit = room;
            decidable = decidable.max(missed.unwrap_or(decidable));
            let looked = Timestamp::now();
            let Some(Ok(decision)) = stop.run_until_cancelled(self.decisions.acquire()).await else {
                return End::Again(Duration::ZERO);
            };
            match self.decide((delivery, trace), decidable, finished, permit, stop).await {
                Decided::End(end) => return end,
                Decided::TooEarly => {
                    drop(decision);
                    decidable = decidable.max(looked);
                    // Without the permit, so that other jobs go on meanwhile.
                    let waited = stop.run_until_cancelled(tokio::time::sleep(UNTIL_CANDLE)).await;
                    let room = stop.run_until_cancelled(Arc::clone(&self.parallel).acquire_owned()).await;
                    let (Some(()), Some(Ok(room))) = (waited, room) else { return End::Again(Duration::ZERO) };
                    permit = room;
                }
            }
        }
    }

    /// Whether a job that comes again was finished meanwhile: its worker ended before it could report that, or another
    /// leader had the job done. The first delivery is not checked, because the schedule has just done so.
    async fn is_over(&self, delivery: &Delivery) -> Result<bool, StoreError> {
        if delivery.attempt == 1 || delivery.queued.retry {
            return Ok(false);
        }
        let Job { symbol, timeframe, candle_close } = delivery.job();
        Ok(!self.outbox.finished(*timeframe, &[(symbol.clone(), *candle_close)]).await?.is_empty())
    }

    /// Waits for the extra candles that the job reads; other jobs go on meanwhile. Also returns when one was last found
    /// missing. Returns `None` if the process stops first: then the job goes back.
    async fn complete(
        &self,
        job: &Job,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) -> Option<(OwnedSemaphorePermit, Option<Timestamp>)> {
        if !self.analyst.is_early(job).await {
            return Some((permit, None));
        }
        drop(permit);
        let missed = stop.run_until_cancelled(self.analyst.wait_for_inputs(job)).await?;
        let room = stop.run_until_cancelled(Arc::clone(&self.parallel).acquire_owned()).await?.ok()?;
        Some((room, missed))
    }

    /// Analyses a job, which could be decided from `decidable` on, and has it committed.
    async fn decide(
        &self,
        (delivery, trace): (&Delivery, &Span),
        decidable: Timestamp,
        finished: &mpsc::Sender<ToCommit>,
        permit: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) -> Decided {
        match self.analyse((delivery, trace), stop).await {
            Ok(analysis) => {
                self.metrics.latency.begin(analysis.signals(), decidable);
                let published = analysis.signals().filter(|signal| !signal.is_withheld);
                let published: Vec<SignalId> = published.map(|signal| signal.id.clone()).collect();
                let end = self.commit((delivery, trace), analysis, finished, permit).await;
                self.metrics.latency.settle(&published);
                Decided::End(end)
            }
            Err(decided) => decided,
        }
    }

    /// Has a decided job committed. The next job may begin while this one only waits for its commit, so that many share
    /// one commit.
    async fn commit(
        &self,
        (delivery, trace): (&Delivery, &Span),
        analysis: Analysis,
        finished: &mpsc::Sender<ToCommit>,
        permit: OwnedSemaphorePermit,
    ) -> End {
        let (finished_job, beside) = decided(delivery.job(), analysis);
        let committing = trace.child(|| {
            let signals = KeyValue::new("signals", finished_job.signals.len() as i64);
            Begun { name: "commit".into(), kind: SpanKind::Client, attributes: vec![signals] }
        });
        let (to_commit, fate) = ToCommit::new(finished_job);
        let sent = finished.send(to_commit).await;
        drop(permit);
        let fate = fate.await;
        drop(committing);
        match fate {
            Ok(Fate::Committed) if sent.is_ok() => {
                // After the commit, so that shadows are compared with committed decisions and delay nothing.
                if let (Some(shadows), Some(candle)) = (&self.shadows, beside) {
                    shadows.take(candle);
                }
                End::Over("finished")
            }
            Ok(Fate::Outdated) => self.anew(delivery).await,
            // The stored data or the new data is invalid, so waiting does not help.
            Ok(Fate::Refused(error)) if delivery.attempt >= ATTEMPTS => {
                self.bury(delivery, delivery.attempt, error.reason(), "dead").await
            }
            Ok(Fate::Refused(error)) => again(delivery, &error),
            Ok(Fate::GivenUp) => End::Again(Duration::ZERO),
            _ => End::Again(pause(delivery.attempt)),
        }
    }

    /// The deployments had changed for this candle before it was evaluated, and this process did not know. Reads the
    /// log again.
    async fn anew(&self, delivery: &Delivery) -> End {
        match self.analyst.rollout.refresh().await {
            Ok(()) => End::Anew,
            Err(error) => again(delivery, &error),
        }
    }

    /// Analyses a job, several times if necessary, unless a store is unavailable.
    async fn analyse(
        &self,
        (delivery, trace): (&Delivery, &Span),
        stop: &CancellationToken,
    ) -> Result<Analysis, Decided> {
        let job = delivery.job();
        let mut attempts = 1;
        loop {
            match self.try_to_analyse((delivery, trace), attempts, stop).await {
                Ok(Some(analysis)) => return Ok(analysis),
                Ok(None) => return Err(Decided::End(End::Again(Duration::ZERO))),
                Err(error) if error.is_stores() => return Err(Decided::End(again(delivery, &error))),
                Err(error) if error.is_without_candle() && self.analyst.candles.is_awaited(job.candle_close) => {
                    return Err(Decided::TooEarly);
                }
                // Its writer had its time, and nothing here can mend a row.
                Err(error @ AnalysisError::Refused { .. }) => return Err(self.give_up(delivery, &error).await),
                Err(error) if attempts >= ATTEMPTS => {
                    return Err(Decided::End(self.bury(delivery, attempts, error.reason(), "dead").await));
                }
                Err(error) => tracing::warn!(%job, attempts, %error, "job failed and is tried again"),
            }
            tokio::time::sleep(pause(attempts)).await;
            attempts += 1;
        }
    }

    /// Returns `None` if the process stops before the evaluation begins.
    async fn try_to_analyse(
        &self,
        (delivery, trace): (&Delivery, &Span),
        attempt: u32,
        stop: &CancellationToken,
    ) -> Result<Option<Analysis>, AnalysisError> {
        let reading = trace.child(|| Begun::internal("read candles", traces::candle(delivery.job())));
        let prepared = self.analyst.prepare(delivery.job()).await.inspect_err(|error| reading.fail(error));
        drop(reading);
        let prepared = prepared?;
        let Some(_turn) = stop.run_until_cancelled(self.evaluating.acquire()).await else { return Ok(None) };
        let comes_again = delivery.attempt > 1 || attempt > 1;
        let watching = self.watch.clone().map(|watch| Watching { watch, comes_again });
        self.analyst.look(prepared, trace, watching.as_ref()).await.map(Some)
    }
}

/// The span of the work on a job, below the one that queued it.
fn traced(delivery: &Delivery) -> Span {
    Span::begin(delivery.queued.traceparent.as_deref(), || {
        let mut attributes = traces::candle(delivery.job());
        attributes.extend([
            KeyValue::new("messaging.operation.type", "process"),
            KeyValue::new("messaging.destination.name", "jobs"),
            KeyValue::new("messaging.delivery.attempt", i64::from(delivery.attempt)),
        ]);
        Begun { name: "process jobs".into(), kind: SpanKind::Consumer, attributes }
    })
}

/// What of an analysis is kept until it is committed, which may take long.
fn decided(job: &Job, analysis: Analysis) -> (FinishedJob, Option<ToCompare>) {
    let Analysis { revision, outcomes, beside, .. } = analysis;
    let signals = outcomes.into_iter().filter_map(|outcome| match outcome.outcome {
        Outcome::Signal(signal) => Some(*signal),
        _ => None,
    });
    (FinishedJob { job: job.clone(), signals: signals.collect(), revision }, beside)
}
