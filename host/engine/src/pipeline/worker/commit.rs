//! Commits finished jobs, as many at once as are ready.

use std::{collections::HashSet, sync::Arc};

use ta_bot_core::{Job, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    signals::outbox::{Committed, FinishedJob, Outbox},
    support::store_error::StoreError,
};

/// The largest number of finished jobs in one transaction.
pub(super) const COMMIT_BATCH: usize = 64;

/// The fate of a finished job after a successful commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// The job is finished for good.
    Committed,
    /// The job was decided by an older log of deployments than the one that applies to its candle, and has to be
    /// decided again.
    Outdated,
}

impl Fate {
    fn of(done: &FinishedJob, outdated: &HashSet<Job>) -> Self {
        if outdated.contains(&done.job) { Self::Outdated } else { Self::Committed }
    }
}

type CommitResult = Result<Fate, StoreError>;

/// A finished job, with the sender for the result of its commit.
pub(super) struct ToCommit {
    finished: FinishedJob,
    waiting: oneshot::Sender<CommitResult>,
}

impl ToCommit {
    pub(super) fn new(finished: FinishedJob) -> (Self, oneshot::Receiver<CommitResult>) {
        let (waiting, committed) = oneshot::channel();
        (Self { finished, waiting }, committed)
    }
}

/// Commits finished jobs.
pub(super) struct Committer {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) relay_wakeup: Arc<Notify>,
}

impl Committer {
    /// Commits until every sender is dropped.
    pub(super) async fn run(self, mut to_commit: mpsc::Receiver<ToCommit>) {
        let mut batch = Vec::with_capacity(COMMIT_BATCH);
        while to_commit.recv_many(&mut batch, COMMIT_BATCH).await > 0 {
            let (jobs, waiting): (Vec<_>, Vec<_>) = batch.drain(..).map(|one| (one.finished, one.waiting)).unzip();
            let committed = self.commit(&jobs).await;
            self.relay_wakeup.notify_one();
            // A job is committed even if its receiver is gone.
            for (waiting, committed) in waiting.into_iter().zip(committed) {
                let _ = waiting.send(committed);
            }
        }
    }

    /// Commits all jobs at once, or one by one if the store may have rejected just one of them.
    async fn commit(&self, jobs: &[FinishedJob]) -> Vec<CommitResult> {
        match self.try_commit(jobs).await {
            Ok(outdated) => jobs.iter().map(|done| Ok(Fate::of(done, &outdated))).collect(),
            Err(StoreError::Corrupt { .. }) if jobs.len() > 1 => {
                let mut committed = Vec::with_capacity(jobs.len());
                for job in jobs {
                    let outdated = self.try_commit(std::slice::from_ref(job)).await;
                    committed.push(outdated.map(|outdated| Fate::of(job, &outdated)));
                }
                committed
            }
            Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Returns the jobs that were left out.
    async fn try_commit(&self, jobs: &[FinishedJob]) -> Result<HashSet<Job>, StoreError> {
        match self.outbox.commit(jobs, Timestamp::now()).await {
            Ok(Committed { new, outdated }) => {
                if !(new.is_empty() && outdated.is_empty()) {
                    let signals = new.len();
                    let outdated = outdated.len();
                    tracing::debug!(jobs = jobs.len(), signals, outdated, "committed");
                }
                Ok(outdated.into_iter().collect())
            }
            Err(error) => {
                tracing::error!(jobs = jobs.len(), %error, "commit failed and is tried again");
                Err(error)
            }
        }
    }
}
