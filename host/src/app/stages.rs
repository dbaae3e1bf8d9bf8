//! The parts that run beside HTTP, and the order in which they end.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long jobs and the relay may take to finish at shutdown.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(20);

/// The running parts, in the order in which they end.
pub(super) struct Work {
    pub(super) intake: Vec<JoinHandle<()>>,
    pub(super) pipeline: JoinHandle<()>,
    pub(super) relay: JoinHandle<()>,
    pub(super) failures: JoinHandle<()>,
    pub(super) ledger: JoinHandle<()>,
    pub(super) revisions: JoinHandle<()>,
    /// Ends with the intake, and is waited for last: a receiver that does not answer delays nothing else.
    pub(super) webhooks: Option<JoinHandle<()>>,
}

/// The stages of the shutdown. Each ends after the one before it has ended.
#[derive(Default)]
pub(super) struct Stages {
    pub(super) intake: CancellationToken,
    pub(super) pipeline: CancellationToken,
    pub(super) relay: CancellationToken,
    pub(super) failures: CancellationToken,
    pub(super) ledger: CancellationToken,
    pub(super) revisions: CancellationToken,
    pub(super) http: CancellationToken,
    /// Cancelled when any part ends, whether or not it was told to.
    pub(super) broken: CancellationToken,
}

impl Stages {
    /// Runs a part. If it ends without being told to, the service must end too: nobody would notice that half of it is
    /// missing.
    pub(super) fn spawn(&self, part: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let ended = self.broken.clone().drop_guard();
        tokio::spawn(async move {
            let _ended = ended;
            part.await;
        })
    }

    /// Ends the parts, all within the deadline: first no new work is taken, then the jobs in progress finish, then what
    /// waits is published.
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
            self.revisions.cancel();
            report(work.revisions.await);
            if let Some(webhooks) = work.webhooks {
                report(webhooks.await);
            }
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
