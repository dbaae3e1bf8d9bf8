//! Leader election by a Lease of the Kubernetes API.

use std::sync::Arc;

use ta_bot_drivers::kubernetes::lease::{self, LeaseApi};
use ta_bot_engine::{
    pipeline::{
        election::{Timing, elect},
        leadership::Leadership,
    },
    support::{checkup::Finding, metrics::Metrics},
};

use super::Task;
use crate::environment::{Environment, LeasePlace};

/// Returns how this process is elected, and the task that keeps the Lease as long as it runs.
pub(super) async fn open(
    place: &LeasePlace,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Leadership, Task)> {
    let LeasePlace { namespace, kubeconfig } = place.clone();
    let client = lease::client(kubeconfig.as_deref()).await?;
    let register = LeaseApi::new(client, namespace);
    let (leadership, keeper) = elect(register, &environment.identity, Timing::default(), Arc::clone(metrics));
    Ok((leadership, Box::new(move |stop| Box::pin(keeper.run(stop)))))
}

/// Looks at what an operator would look at.
pub(super) async fn inspect(place: &LeasePlace, environment: &Environment) -> Vec<Finding> {
    let LeasePlace { namespace, kubeconfig } = place.clone();
    lease::inspect::inspect(namespace, kubeconfig.as_deref(), &environment.identity).await
}
