//! Committing what is finished, as much at once as there is.

use std::{collections::HashSet, sync::Arc};

use ta_bot_core::{Job, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::{
    signals::outbox::{Committed, FinishedJob, Outbox},
    support::store_error::StoreError,
};

/// How many finished jobs one transaction takes.
pub(super) const COMMIT_BATCH: usize = 64;

/// What became of a finished job that the store took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is finished for good.
    Committed,
    /// It was decided by an older log of deployments than holds for its candle, and is to be decided again.
    Outdated,
}

impl Fate {
    fn of(done: &FinishedJob, outdated: &HashSet<Job>) -> Self {
        if outdated.contains(&done.job) { Self::Outdated } else { Self::Committed }
    }
}

type CommitResult = Result<Fate, StoreError>;

/// A finished job, and who waits for its commit.
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

/// Commits.
pub(super) struct Committer {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) relay_wakeup: Arc<Notify>,
}

impl Committer {
    /// Commits until nobody finishes anything any more.
    pub(super) async fn run(self, mut to_commit: mpsc::Receiver<ToCommit>) {
        let mut batch = Vec::with_capacity(COMMIT_BATCH);
        while to_commit.recv_many(&mut batch, COMMIT_BATCH).await > 0 {
            let (jobs, waiting): (Vec<_>, Vec<_>) = batch.drain(..).map(|one| (one.finished, one.waiting)).unzip();
            let committed = self.commit(&jobs).await;
            self.relay_wakeup.notify_one();
            // A job that nobody waits for any more is committed all the same.
            for (waiting, committed) in waiting.into_iter().zip(committed) {
                let _ = waiting.send(committed);
            }
        }
    }

    /// Commits all at once; one by one where one of them may be what the store can't take.
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

    /// Answers the jobs that were left out.
    async fn try_commit(&self, jobs: &[FinishedJob]) -> Result<HashSet<Job>, StoreError> {
        match self.outbox.commit(jobs, Timestamp::now()).await {
            Ok(Committed { new, outdated }) => {
                if !(new.is_empty() && outdated.is_empty()) {
                    let (signals, outdated) = (new.len(), outdated.len());
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
