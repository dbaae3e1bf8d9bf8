//! Receivers of signals over HTTP.

use std::sync::Arc;

use ta_bot_drivers::webhooks::{Sources, Webhooks as File};
use ta_bot_engine::support::metrics::{Metrics, ReceiverMetrics};

use super::{Deliveries, Webhooks};
use crate::environment::{EnvError, Environment, WebhooksFile};

#[allow(clippy::unused_async, reason = "opening a server may take a while, and this is called like that")]
pub(super) async fn open(
    path: &WebhooksFile,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Webhooks> {
    let file = File::open(path, &environment.published_actions)
        .map_err(|error| EnvError { name: "WEBHOOKS_FILE", problem: error.to_string() })?;
    let receivers = file.receivers();
    metrics.add(Box::new(ReceiverMetrics::new(Arc::clone(&receivers))?))?;
    let deliver = |Deliveries { outbox, feed, leadership, expiry }, stop| {
        Box::pin(file.run(Sources { outbox, feed, leadership, expiry }, stop)) as super::Done
    };
    Ok(Webhooks { receivers, deliver: Box::new(deliver) })
}
