//! The job queue of a single process: a channel. Jobs that are lost with the process are found again by the sweep.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use ta_bot_core::{Job, Timestamp};
use tokio::{runtime::Handle, sync::mpsc};

use super::{Delivery, JobQueue, JobsError, QueuedJob, Receipt};
use crate::support::metrics::Metrics;

/// The largest number of jobs that may wait.
const ROOM: usize = 4096;
/// The pause before a job comes again whose worker vanished because of a panic.
const AFTER_A_LOSS: Duration = Duration::from_secs(1);

/// A job queue in this process.
pub struct LocalQueue {
    shared: Arc<Shared>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Waiting>>,
}

#[derive(Clone)]
struct Waiting {
    queued: QueuedJob,
    queued_at: Timestamp,
    attempt: u32,
}

struct Shared {
    sender: mpsc::Sender<Waiting>,
    /// The jobs that are waiting or under way.
    held: Mutex<HashSet<Job>>,
    metrics: Arc<Metrics>,
}

impl Shared {
    /// A poisoned lock is fine: the set is valid before and after each change.
    fn held(&self) -> MutexGuard<'_, HashSet<Job>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self) {
        self.metrics.jobs_queued.set(self.held().len() as i64);
    }
}

impl LocalQueue {
    /// Creates an empty queue.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let (sender, receiver) = mpsc::channel(ROOM);
        let shared = Arc::new(Shared { sender, held: Mutex::default(), metrics });
        Self { shared, receiver: receiver.into() }
    }
}

#[async_trait]
impl JobQueue for LocalQueue {
    async fn push(&self, queued: QueuedJob) -> Result<bool, JobsError> {
        // Room is reserved first, so that a caller that gives up waiting leaves nothing behind.
        let room = self.shared.sender.reserve().await.map_err(|_| JobsError("it is closed".to_owned()))?;
        if !self.shared.held().insert(queued.job.clone()) {
            return Ok(false);
        }
        room.send(Waiting { queued, queued_at: Timestamp::now(), attempt: 1 });
        self.shared.count();
        Ok(true)
    }

    async fn next(&self, most: usize) -> Vec<Delivery> {
        let mut receiver = self.receiver.lock().await;
        let mut waiting = Vec::with_capacity(most);
        // A result of zero would mean that the channel is closed, but it lives as long as this queue.
        receiver.recv_many(&mut waiting, most.max(1)).await;
        let deliver = |waiting: Waiting| {
            let receipt = Box::new(Held { shared: Arc::clone(&self.shared), held: Some(waiting.clone()) });
            let Waiting { queued, queued_at, attempt } = waiting;
            Delivery { queued, queued_at, attempt, heartbeat: None, receipt }
        };
        waiting.into_iter().map(deliver).collect()
    }

    async fn close(&self) {
        // Waiting jobs end with the process, and the next start finds them again.
    }

    async fn depth(&self) -> Result<usize, JobsError> {
        Ok(self.shared.held().len())
    }

    async fn probe(&self) -> Result<(), JobsError> {
        if self.shared.sender.capacity() > 0 {
            return Ok(());
        }
        Err(JobsError(format!("{ROOM} jobs wait, and there is room for no more")))
    }
}

/// A taken job whose end has not been reported yet.
struct Held {
    shared: Arc<Shared>,
    held: Option<Waiting>,
}

impl Held {
    /// Puts the job back after `delay`. If there is no runtime, the process is stopping.
    fn return_after(&mut self, delay: Duration) {
        let (Some(held), Ok(runtime)) = (self.held.take(), Handle::try_current()) else { return };
        let sender = self.shared.sender.clone();
        runtime.spawn(async move {
            tokio::time::sleep(delay).await;
            let _ = sender.send(Waiting { attempt: held.attempt.saturating_add(1), ..held }).await;
        });
    }
}

#[async_trait]
impl Receipt for Held {
    async fn done(mut self: Box<Self>) {
        if let Some(held) = self.held.take() {
            self.shared.held().remove(&held.queued.job);
            self.shared.count();
        }
    }

    async fn give_back(mut self: Box<Self>, delay: Duration) {
        self.return_after(delay);
    }

    async fn working(&self) {}
}

impl Drop for Held {
    fn drop(&mut self) {
        self.return_after(AFTER_A_LOSS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::job_queue::contract::{self, Replicas};

    fn queue() -> Arc<LocalQueue> {
        Arc::new(LocalQueue::new(Arc::new(Metrics::new().unwrap())))
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        contract::all(async || -> Replicas {
            let queue = queue();
            (Arc::clone(&queue) as _, queue as _)
        })
        .await;
    }

    #[tokio::test]
    async fn a_full_queue_makes_whoever_adds_wait_and_forgets_who_gave_up() {
        let queue = queue();
        for index in 0..ROOM {
            assert!(queue.push(contract::job(index as i64).into()).await.unwrap());
        }
        let last = contract::job(ROOM as i64);
        let pushed = tokio::time::timeout(Duration::from_millis(20), queue.push(last.clone().into())).await;
        assert!(pushed.is_err(), "there is no room");
        assert!(queue.probe().await.is_err(), "a probe finds the same");
        assert_eq!(queue.shared.metrics.jobs_queued.get(), ROOM as i64);
        for delivery in queue.next(1).await {
            delivery.done().await;
        }
        assert!(queue.push(last.into()).await.unwrap(), "giving up left nothing behind");
    }
}
