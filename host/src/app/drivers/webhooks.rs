//! Receivers of signals over HTTP.

use std::sync::Arc;

use ta_bot_drivers::webhooks::{Sources, Webhooks as File, reader_of};
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
    let board = Arc::clone(&receivers);
    let names = move || -> Vec<String> { board.all().iter().map(|receiver| reader_of(&receiver.name)).collect() };
    metrics.add(Box::new(ReceiverMetrics::new(Arc::clone(&receivers))?))?;
    let deliver = |Deliveries { outbox, feed, leadership, expiry }, stop| {
        Box::pin(file.run(Sources { outbox, feed, leadership, expiry }, stop)) as super::Done
    };
    Ok(Webhooks { receivers, readers: Arc::new(names), deliver: Box::new(deliver) })
}

/// Reads the file, and returns how many receivers there are, or what is wrong with it.
#[allow(clippy::unused_async, reason = "looking at servers is asynchronous")]
pub(super) async fn inspect(path: &WebhooksFile, environment: &Environment) -> Result<usize, String> {
    let file = File::open(path, &environment.published_actions).map_err(|error| error.to_string())?;
    Ok(file.receivers().all().len())
}
