//! Leadership on a Kubernetes Lease.
//!
//! One object, `ta-bot-leader`, names the holder; whoever writes it must have seen what is written there, so of two that
//! write at once one is refused. The holder renews it every [`Timing::retry`].
//!
//! **Nobody trusts another's clock.** A candidate takes over only where the Lease has not changed for its whole duration
//! by the candidate's own clock. The holder's term ends by the holder's own clock, a [`Timing::renew_deadline`] after the
//! moment before its last successful renewal was *sent*. A candidate can't have seen that renewal earlier, and waits
//! longer: so the old term is over before a new one begins, whatever hangs, is cut off or is paused.
//!
//! **A holder is known by its claim**, the moment of its acquisition, and not by its name alone: a container that was
//! killed and started again has the same name and did not hold the Lease. It waits like everybody else.
//!
//! **Only the holder itself can give the Lease up at once**, by emptying holder and renewal time. Where a person empties
//! the holder or deletes the Lease, candidates that knew the Lease wait for its duration: the old leader may be cut off
//! and not know.

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

mod api;
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

/// The times of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// Why times do not make an election.
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
    /// Times that make an election: `lease` > `renew_deadline` >= 2 `retry` > 0.
    pub fn new(lease: Duration, renew_deadline: Duration, retry: Duration) -> Result<Self, TimingError> {
        let whole_seconds = lease.subsec_nanos() == 0 && i32::try_from(lease.as_secs()).is_ok();
        if whole_seconds && lease > renew_deadline && renew_deadline >= 2 * retry && !retry.is_zero() {
            Ok(Self { lease, renew_deadline, retry })
        } else {
            Err(TimingError { lease, renew_deadline, retry })
        }
    }

    /// How long the Lease must stay unchanged before another takes it.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// How long a term lasts after a renewal.
    pub const fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// How often the holder renews, and the others look.
    pub const fn retry(&self) -> Duration {
        self.retry
    }

    /// How long one call may take: a second one must fit before the term ends.
    fn call(&self) -> Duration {
        self.renew_deadline / 2
    }
}

impl Default for Timing {
    /// 6, 4 and 1 s: Kubernetes' own proportions (15, 10 and 2 s), shorter, so that a leader that dies is followed within
    /// 6 s. Renewals may fail for 3 s before a term ends. Between two terms 2 s are left for clocks that run unevenly, and
    /// for what was begun under the old one.
    fn default() -> Self {
        Self { lease: Duration::from_secs(6), renew_deadline: Duration::from_secs(4), retry: Duration::from_secs(1) }
    }
}

/// Who takes part, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The namespace of the Lease; the client's own where none is given.
    pub namespace: Option<String>,
    /// The name of this process among the replicas.
    pub identity: String,
    /// The times of the election, the same for all replicas.
    pub timing: Timing,
}

/// Leadership by election, and the task that keeps it. No call is made before the task runs, so that a Kubernetes API
/// which is away is waited for.
pub fn lease(client: Client, options: Options, metrics: Arc<Metrics>) -> (Leadership, Keeper) {
    let (sender, standing) = watch::channel(Standing { renewed: Some(Instant::now()), ..Standing::default() });
    let leadership = Leadership::elected(options.identity.clone(), standing);
    (leadership, Keeper::new(client, options, metrics, sender))
}

/// Why there is no client of the Kubernetes API.
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

/// A client by the service account of the pod, or by a kubeconfig file where one is given. No call is made.
pub async fn client(kubeconfig: Option<&Path>) -> Result<Client, ClientError> {
    let config = match kubeconfig {
        Some(path) => from_file(path).await.map_err(|error| ClientError::Kubeconfig {
            path: path.display().to_string(),
            reason: api::with_causes(&error),
        })?,
        None => Config::incluster().map_err(|error| ClientError::NotInCluster(api::with_causes(&error)))?,
    };
    client_of(config)
}

/// A client by a configuration. Failures are tried again here, by the times of the election.
pub fn client_of(mut config: Config) -> Result<Client, ClientError> {
    config.connect_timeout = Some(CONNECT);
    config.default_retry = false;
    Client::try_from(config).map_err(|error| ClientError::Client(api::with_causes(&error)))
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
