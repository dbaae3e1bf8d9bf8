//! The bus and the job queue on NATS, which share a connection.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use ta_bot_drivers::nats::{
    NAMESPACE, Nats,
    bus::{NatsBus, StreamPlan, StreamStep as Planned, plan_stream},
    inspect::{self, Use},
    job_queue::{ACK_WAIT, NatsQueue},
};
use ta_bot_engine::support::{checkup::Finding, metrics::Metrics};

use super::{Messaging, Opened};
use crate::{
    app::found::{Stream, StreamStep},
    environment::{Environment, NatsSettings},
};

/// How long a look at the stream waits for the connection.
const CONNECTING: Duration = Duration::from_secs(5);

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

/// Finds out what a start of the service would do to the stream of signals.
pub(super) async fn look(settings: &NatsSettings, environment: &Environment) -> anyhow::Result<Stream> {
    let NatsSettings { address, signals, .. } = settings;
    let nats = Nats::connect(address, &environment.identity, NAMESPACE, Arc::new(Metrics::new()?)).await?;
    let plan = plan_stream(nats, signals.clone(), CONNECTING).await;
    let StreamPlan { stream, step, subjects, passes_on_to, copies } = plan.with_context(|| format!("{address}"))?;
    let step = match step {
        Planned::Nothing => StreamStep::Nothing,
        Planned::Make => StreamStep::Make,
        Planned::Adjust { before, given_up } => StreamStep::Change { before, given_up },
        Planned::OfOthers => StreamStep::OfOthers,
        Planned::OnlyPart(names) => StreamStep::OnlyPart(names),
    };
    let copies = copies.into_iter().map(|copy| (copy.name, copy.losses)).collect();
    Ok(Stream { name: stream, step, subjects, passes_on_to, copies })
}

/// Looks at what an operator would look at.
pub(super) async fn inspect(settings: &NatsSettings, _: &Environment) -> Vec<Finding> {
    let NatsSettings { address, events, signals, jobs } = settings;
    inspect::inspect(&Use { address, events, signals, jobs: *jobs }).await
}
