//! Leader election with a Kubernetes Lease: one object, `ta-bot-leader`, is the register.

use std::{path::Path, time::Duration};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use thiserror::Error;

use crate::causes::with_causes;

mod api;
pub mod inspect;
mod record;

pub use api::LeaseApi;

/// The name of the Lease.
pub const NAME: &str = "ta-bot-leader";

/// How long connecting to the API may take.
const CONNECT: Duration = Duration::from_secs(2);

/// Why there is no client for the Kubernetes API.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The process does not run in a cluster.
    #[error(
        "LEADER_ELECTION=kubernetes (or LEADER_ELECTION_ENABLED=true) needs the Kubernetes API, and this process has no \
         service account ({0}): run it in a cluster with automountServiceAccountToken, name a file by KUBECONFIG, or \
         choose another way by LEADER_ELECTION: mysql, nats, none"
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

    #[tokio::test]
    async fn a_missing_cluster_or_file_names_the_remedy() {
        let told = async |file: Option<&Path>| match client(file).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        assert!(told(None).await.contains("choose another way by LEADER_ELECTION"), "{}", told(None).await);
        let file = told(Some(Path::new("/no/such/file"))).await;
        assert!(file.contains("KUBECONFIG names /no/such/file") && file.contains("os error 2"), "{file}");
    }
}
