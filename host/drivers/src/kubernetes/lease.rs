//! Leader election with a Kubernetes Lease.
//!
//! One object, `ta-bot-leader`, names the holder. A writer must have read the version that it replaces, so if two
//! processes write at once, one of them is refused. The holder renews the Lease every [`Timing::retry`].
//!
//! **No process trusts another's clock.** A candidate takes over only if the Lease has not changed for its whole
//! duration by the candidate's own clock. The holder's term ends by the holder's own clock, one
//! [`Timing::renew_deadline`] after the moment just before its last successful renewal was *sent*. A candidate can't
//! have seen that renewal any earlier, and it waits longer. So the old term is over before a new one begins, no matter
//! which process hangs, is cut off or is paused.
//!
//! **A holder is identified by its claim**, which includes the moment of acquisition, and not by its name alone. A
//! container that was killed and started again has the same name but does not hold the Lease. It waits like every other
//! candidate.
//!
//! **Only the holder itself can give the Lease up at once**, by clearing both the holder and the renewal time. If a
//! person clears the holder or deletes the Lease, candidates that have seen the Lease wait for its duration, because
//! the old leader may be cut off and not know of the change.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use thiserror::Error;
use tokio::sync::watch;

use ta_bot_engine::{
    pipeline::leadership::{Leadership, Standing},
    support::metrics::Metrics,
};

use crate::causes::with_causes;

mod api;
pub mod inspect;
mod keeper;
mod pace;
mod record;
mod seen;
mod watching;

pub use keeper::Keeper;

/// The name of the Lease.
pub const NAME: &str = "ta-bot-leader";

/// How long connecting to the API may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The timing of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// The error for times that can't make an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{lease:?}, {renew_deadline:?} and {retry:?} make no election: the lease must be whole seconds, longer than the \
     renew deadline, and that at least twice the retry period, which must not be zero"
)]
pub struct TimingError {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

impl Timing {
    /// Makes the timing of an election if `lease` > `renew_deadline` >= 2 `retry` > 0.
    pub fn new(lease: Duration, renew_deadline: Duration, retry: Duration) -> Result<Self, TimingError> {
        let whole_seconds = lease.subsec_nanos() == 0 && i32::try_from(lease.as_secs()).is_ok();
        if whole_seconds && lease > renew_deadline && renew_deadline >= 2 * retry && !retry.is_zero() {
            Ok(Self { lease, renew_deadline, retry })
        } else {
            Err(TimingError { lease, renew_deadline, retry })
        }
    }

    /// How long the Lease must stay unchanged before another process takes it.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// How long a term lasts after a renewal.
    pub const fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// How often the holder renews the Lease, and how often the other replicas read it.
    pub const fn retry(&self) -> Duration {
        self.retry
    }

    /// How long one call may take: a second call must fit in before the term ends.
    fn call(&self) -> Duration {
        self.renew_deadline / 2
    }
}

impl Default for Timing {
    /// 6, 4 and 1 s: Kubernetes' own proportions (15, 10 and 2 s), but shorter, so that a dead leader is replaced
    /// within 6 s. Renewals may fail for 3 s before a term ends. The 2 s between two terms allow for clocks that run
    /// unevenly and for work that began under the old term.
    fn default() -> Self {
        Self { lease: Duration::from_secs(6), renew_deadline: Duration::from_secs(4), retry: Duration::from_secs(1) }
    }
}

/// Which process takes part in the election, and in which namespace.
#[derive(Debug, Clone)]
pub struct Options {
    /// The namespace of the Lease; `None` means the client's own.
    pub namespace: Option<String>,
    /// The name of this process among the replicas.
    pub identity: String,
    /// The times of the election, the same for all replicas.
    pub timing: Timing,
}

/// Returns leadership by election, and the task that keeps it. No call is made before the task runs, and the task waits
/// for a Kubernetes API that is away.
pub fn lease(client: Client, options: Options, metrics: Arc<Metrics>) -> (Leadership, Keeper) {
    let (sender, standing) = watch::channel(Standing { renewed: Some(Instant::now()), ..Standing::default() });
    let leadership = Leadership::elected(options.identity.clone(), standing);
    (leadership, Keeper::new(client, options, metrics, sender))
}

/// Why there is no client for the Kubernetes API.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The process does not run in a cluster.
    #[error(
        "LEADER_ELECTION_ENABLED needs the Kubernetes API, and this process has no service account ({0}): run it in a \
         cluster with automountServiceAccountToken, name a file by KUBECONFIG, or unset LEADER_ELECTION_ENABLED"
    )]
    NotInCluster(String),
    /// The file can't be used.
    #[error("KUBECONFIG names {path}, which can't be used: {reason}")]
    Kubeconfig {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The configuration can't be used.
    #[error("the Kubernetes API can't be called: {0}")]
    Client(String),
}

/// Makes a client from the given kubeconfig file, or from the pod's service account if no file is given. Makes no call.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client, ClientError> {
    let config = match kubeconfig {
        Some(path) => from_file(path).await.map_err(|error| ClientError::Kubeconfig {
            path: path.display().to_string(),
            reason: with_causes(&error),
        })?,
        None => Config::incluster().map_err(|error| ClientError::NotInCluster(with_causes(&error)))?,
    };
    client_of(config)
}

/// Makes a client from a configuration. The client does not retry: the election retries failures on its own schedule.
pub fn client_of(mut config: Config) -> Result<Client, ClientError> {
    config.connect_timeout = Some(CONNECT);
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClientError::Client(with_causes(&error)))
}

async fn from_file(path: &Path) -> Result<Config, kube::config::KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_let_two_lead_are_refused() {
        let seconds = Duration::from_secs;
        let defaults = Timing::default();
        assert_eq!(Timing::new(defaults.lease, defaults.renew_deadline, defaults.retry), Ok(defaults));
        for (lease, renew_deadline, retry) in [
            (seconds(4), seconds(4), seconds(1)),
            (Duration::from_millis(5500), seconds(4), seconds(1)),
            (seconds(6), seconds(4), Duration::from_millis(2001)),
            (seconds(6), seconds(4), seconds(0)),
            (Duration::MAX, seconds(4), seconds(1)),
        ] {
            let refused = Timing::new(lease, renew_deadline, retry).unwrap_err();
            assert!(refused.to_string().contains("longer than the renew deadline"));
        }
    }

    #[tokio::test]
    async fn a_missing_cluster_or_file_names_the_remedy() {
        let told = async |file: Option<&Path>| match client(file).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(told(None).await.contains("unset LEADER_ELECTION_ENABLED"), "{}", told(None).await);
        let file = told(Some(Path::new("/no/such/file"))).await;
        assert!(file.contains("KUBECONFIG names /no/such/file") && file.contains("os error 2"), "{file}");
    }
}
