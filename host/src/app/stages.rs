//! What runs beside HTTP, and the order in which it ends.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long jobs and the relay may take to finish at shutdown.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);

/// What runs, in the order in which it ends.
pub(super) struct Work {
    pub(super) intake: Vec<JoinHandle<()>>,
    pub(super) pipeline: JoinHandle<()>,
    pub(super) relay: JoinHandle<()>,
    pub(super) failures: JoinHandle<()>,
    pub(super) ledger: JoinHandle<()>,
}

/// The stages of the shutdown: each ends when the one before it has.
#[derive(Default)]
pub(super) struct Stages {
    pub(super) intake: CancellationToken,
    pub(super) pipeline: CancellationToken,
    pub(super) relay: CancellationToken,
    pub(super) failures: CancellationToken,
    pub(super) ledger: CancellationToken,
    pub(super) http: CancellationToken,
    /// Set when a part ends, whoever told it to.
    pub(super) broken: CancellationToken,
}

impl Stages {
    /// Runs a part. Where it ends without being told to, the service must not go on half: nobody would notice.
    pub(super) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.broken.clone().drop_guard();
        tokio::spawn(async move {
            let _ended = ended;
            part.await;
        })
    }

    /// No new work, then the jobs under way, then what waits to be published; all within the deadline.
    pub(super) async fn end(&self, work: Work) {
        let in_order = async {
            self.intake.cancel();
            for task in work.intake {
                report(task.await);
            }
            self.pipeline.cancel();
            report(work.pipeline.await);
            self.relay.cancel();
            report(work.relay.await);
            self.failures.cancel();
            report(work.failures.await);
            self.ledger.cancel();
            report(work.ledger.await);
        };
        if tokio::time::timeout(SHUTDOWN_DEADLINE, in_order).await.is_err() {
            tracing::warn!("not everything was finished in time; the next start goes on from what is committed");
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a part of the service stopped by itself");
    }
}
