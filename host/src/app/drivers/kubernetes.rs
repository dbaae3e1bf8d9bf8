//! Leader election by a Lease of the Kubernetes API.

use std::sync::Arc;

use ta_bot_drivers::kubernetes::lease::{self, Timing};
use ta_bot_engine::{
    pipeline::leadership::Leadership,
    support::{checkup::Finding, metrics::Metrics},
};

use super::Task;
use crate::environment::{Election, Environment};

/// Returns how this process is elected, and the task that keeps the Lease as long as it runs.
pub(super) async fn open(
    election: &Election,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Leadership, Task)> {
    let Election { namespace, kubeconfig } = election.clone();
    let client = lease::client(kubeconfig.as_deref()).await?;
    let options = lease::Options { namespace, identity: environment.identity.clone(), timing: Timing::default() };
    let (leadership, keeper) = lease::lease(client, options, Arc::clone(metrics));
    Ok((leadership, Box::new(move |stop| Box::pin(keeper.run(stop)))))
}

/// Looks at what an operator would look at.
pub(super) async fn inspect(election: &Election, environment: &Environment) -> Vec<Finding> {
    let Election { namespace, kubeconfig } = election.clone();
    lease::inspect::inspect(namespace, kubeconfig.as_deref(), &environment.identity).await
}
