//! Commits finished jobs, as many at once as are ready.
//!
//! If the store fails, what was decided is kept here, and only its commit is tried again: to decide a candle once more
//! would cost as much as the first time and change nothing. Another replica, or a commit whose answer was lost, may
//! have finished a job meanwhile; then the commit changes nothing either.

use std::{collections::HashSet, sync::Arc, time::Duration};

use ta_bot_core::{Job, SignalId, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    signals::outbox::{Committed, FinishedJob, Outbox},
    support::{
        abilities::{Abilities, Ability, Trouble},
        backoff::Backoff,
        log_limit::LogLimit,
        metrics::Metrics,
        store_error::StoreError,
    },
};

/// The largest number of finished jobs in one transaction.
pub(super) const COMMIT_BATCH: usize = 64;
/// How many jobs the store may refuse one after the other before the others wait for the next try. A store whose disk
/// is full still takes some.
const REFUSED_IN_A_ROW: usize = 2;
/// Pauses before a commit that failed is tried again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));

/// What became of a finished job.
#[derive(Debug)]
pub(super) enum Fate {
    /// The job is finished for good.
    Committed,
    /// The job was decided by an older log of deployments than the one that applies to its candle, and has to be
    /// decided again.
    Outdated,
    /// The stored data or the job's is invalid. Waiting does not help.
    Refused(StoreError),
    /// The process stops while the store fails.
    GivenUp,
}

/// A finished job, with the sender for its fate.
pub(super) struct ToCommit {
    finished: FinishedJob,
    waiting: oneshot::Sender<Fate>,
}

impl ToCommit {
    pub(super) fn new(finished: FinishedJob) -> (Self, oneshot::Receiver<Fate>) {
        let (waiting, fate) = oneshot::channel();
        (Self { finished, waiting }, fate)
    }
}

/// How the commit of one job ended.
enum Ended {
    Known(Fate),
    /// The store failed: the job is kept.
    Failed(StoreError),
}

/// Commits finished jobs.
pub(super) struct Committer {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) relay_wakeup: Arc<Notify>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) abilities: Arc<Abilities>,
    pub(super) failures: LogLimit,
}

impl Committer {
    /// Commits until every sender is dropped. What a failing store does not take is kept and tried again until `stop`
    /// is cancelled, and then once more. How much is kept is up to those who send.
    pub(super) async fn run(self, mut to_commit: mpsc::Receiver<ToCommit>, stop: CancellationToken) {
        let mut kept = Vec::with_capacity(COMMIT_BATCH);
        let mut pauses = PAUSES;
        while !kept.is_empty() || to_commit.recv_many(&mut kept, COMMIT_BATCH).await > 0 {
            let is_last = stop.is_cancelled();
            kept = self.commit_all(kept).await;
            self.metrics.delivery.decisions_kept.set(kept.len() as i64);
            if kept.is_empty() {
                pauses.reset();
            } else if is_last {
                // A receiver may be gone.
                kept.drain(..).for_each(|one| drop(one.waiting.send(Fate::GivenUp)));
            } else {
                self.wait(pauses.pause(), &mut to_commit, &mut kept, &stop).await;
            }
        }
        self.metrics.delivery.decisions_kept.set(0);
    }

    /// Waits for `pause`, or until `stop` is cancelled. Keeps what comes meanwhile.
    async fn wait(
        &self,
        pause: Duration,
        to_commit: &mut mpsc::Receiver<ToCommit>,
        kept: &mut Vec<ToCommit>,
        stop: &CancellationToken,
    ) {
        let up = tokio::time::sleep(pause);
        tokio::pin!(up);
        loop {
            tokio::select! {
                () = &mut up => return,
                () = stop.cancelled() => return,
                came = to_commit.recv_many(kept, COMMIT_BATCH) => {
                    self.metrics.delivery.decisions_kept.set(kept.len() as i64);
                    if came == 0 {
                        return;
                    }
                }
            }
        }
    }

    /// Commits what it can. Returns the jobs whose commit failed. Those that were tried come last, so that others are
    /// tried before them the next time.
    async fn commit_all(&self, waiting: Vec<ToCommit>) -> Vec<ToCommit> {
        let mut waiting = waiting.into_iter();
        let mut failed = Vec::new();
        loop {
            let (jobs, senders): (Vec<_>, Vec<_>) =
                waiting.by_ref().take(COMMIT_BATCH).map(|one| (one.finished, one.waiting)).unzip();
            if jobs.is_empty() {
                return failed;
            }
            let ended = self.commit(&jobs).await;
            self.relay_wakeup.notify_one();
            let before = failed.len();
            for ((finished, sender), ended) in jobs.into_iter().zip(senders).zip(ended) {
                match ended {
                    // A job is committed even if its receiver is gone.
                    Ended::Known(fate) => drop(sender.send(fate)),
                    Ended::Failed(_) => failed.push(ToCommit { finished, waiting: sender }),
                }
            }
            if failed.len() > before {
                let mut kept: Vec<ToCommit> = waiting.collect();
                kept.append(&mut failed);
                return kept;
            }
        }
    }

    /// Commits all jobs at once, or one by one if the store may have refused just one of them.
    async fn commit(&self, jobs: &[FinishedJob]) -> Vec<Ended> {
        let ended = match self.try_commit(jobs).await {
            Err(StoreError::Corrupt { .. } | StoreError::CannotWrite { .. }) if jobs.len() > 1 => {
                self.commit_one_by_one(jobs).await
            }
            Err(error @ StoreError::Corrupt { .. }) => vec![Ended::Known(Fate::Refused(error))],
            Err(error) => jobs.iter().map(|_| Ended::Failed(error.clone())).collect(),
            Ok(fates) => fates.into_iter().map(Ended::Known).collect(),
        };
        self.note(&ended);
        ended
    }

    /// Commits every job by itself, until several in a row fail: then the rest fails with the last error.
    async fn commit_one_by_one(&self, jobs: &[FinishedJob]) -> Vec<Ended> {
        let mut ended = Vec::with_capacity(jobs.len());
        let mut in_a_row = 0;
        let mut broken = None;
        for job in jobs {
            if let Some(error) = &broken {
                ended.push(Ended::Failed(StoreError::clone(error)));
                continue;
            }
            let done = self.try_commit(std::slice::from_ref(job)).await;
            match done {
                Ok(fates) => {
                    in_a_row = 0;
                    ended.extend(fates.into_iter().map(Ended::Known));
                }
                Err(error @ StoreError::Corrupt { .. }) => ended.push(Ended::Known(Fate::Refused(error))),
                Err(error) => {
                    in_a_row += 1;
                    if in_a_row == REFUSED_IN_A_ROW || matches!(error, StoreError::Unavailable { .. }) {
                        broken = Some(error.clone());
                    }
                    ended.push(Ended::Failed(error));
                }
            }
        }
        ended
    }

    /// Notes whether the store takes commits.
    fn note(&self, ended: &[Ended]) {
        let failure = ended.iter().rev().find_map(|ended| match ended {
            Ended::Failed(error) => Some(error),
            Ended::Known(_) => None,
        });
        match failure {
            Some(error) => {
                self.abilities.failed(Ability::Commit, Trouble::of_store(Ability::Commit, error));
                if let Some(withheld) = self.failures.admit() {
                    let jobs = ended.len();
                    tracing::error!(jobs, %error, withheld, "commit failed; the decisions are kept and it is tried again");
                }
            }
            // Jobs that are refused say nothing of the store.
            None if ended.iter().all(|ended| matches!(ended, Ended::Known(Fate::Refused(_)))) => {}
            None => self.abilities.worked(Ability::Commit),
        }
    }

    /// Commits jobs in one transaction, and returns the fate of each.
    async fn try_commit(&self, jobs: &[FinishedJob]) -> Result<Vec<Fate>, StoreError> {
        let at = Timestamp::now();
        let Committed { new, outdated } = self.outbox.commit(jobs, at).await?;
        self.count(jobs, &new, at);
        if !(new.is_empty() && outdated.is_empty()) {
            let (signals, outdated) = (new.len(), outdated.len());
            tracing::debug!(jobs = jobs.len(), signals, outdated, "committed");
        }
        let outdated: HashSet<Job> = outdated.into_iter().collect();
        let fate = |done: &FinishedJob| if outdated.contains(&done.job) { Fate::Outdated } else { Fate::Committed };
        Ok(jobs.iter().map(fate).collect())
    }

    /// Counts the signals that were not stored before.
    fn count(&self, jobs: &[FinishedJob], new: &[SignalId], at: Timestamp) {
        self.metrics.latency.committed(new, at);
        let mut new: HashSet<&SignalId> = new.iter().collect();
        for signal in jobs.iter().flat_map(|done| &done.signals) {
            if new.remove(&signal.id) {
                self.metrics.delivery.committed(signal);
            }
        }
    }
}
