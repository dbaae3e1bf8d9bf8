//! The bus and the job queue on NATS, which share a connection.

use std::sync::Arc;

use ta_bot_drivers::nats::{
    NAMESPACE, Nats,
    bus::NatsBus,
    job_queue::{ACK_WAIT, NatsQueue},
};
use ta_bot_engine::support::metrics::Metrics;

use super::{Messaging, Opened};
use crate::environment::{Environment, NatsSettings};

pub(super) async fn open(
    NatsSettings { address, events, signals, jobs }: &NatsSettings,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Opened<Messaging>> {
    let nats = Nats::connect(address, &environment.identity, NAMESPACE, Arc::clone(metrics)).await?;
    let bus = Arc::new(NatsBus::start(nats.clone(), events, signals.clone(), Arc::clone(metrics)).await?);
    let queue = Arc::new(NatsQueue::new(nats.clone(), ACK_WAIT, *jobs, Arc::clone(metrics)));
    let close = move || {
        let nats = nats.clone();
        async move {
            if let Err(error) = nats.flush().await {
                tracing::warn!(%error, "the last messages to NATS may not have been sent");
            }
        }
    };
    Ok(Opened { parts: Messaging { bus, local_bus: None, queue }, close: super::closing(close) })
}
