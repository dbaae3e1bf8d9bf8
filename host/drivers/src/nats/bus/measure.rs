//! Measures how much room there is for signals: in their stream, and in all of the account's.

use std::{sync::Arc, time::Duration};

use ta_bot_engine::support::metrics::Metrics;

use super::stream::SignalStream;
use crate::nats::connection::{
    Nats, NatsError,
    room::{covering, note_room},
    within,
};

/// The pause between two measurements.
const PAUSE: Duration = Duration::from_secs(5);

/// Measures as long as it runs.
pub(super) async fn keep_measuring(nats: Nats, stream: Arc<SignalStream>, metrics: Arc<Metrics>) {
    loop {
        nats.connected().await;
        // An account may publish although it may ask for neither. What is not known has no series then.
        let pattern = stream.pattern();
        let (of_stream, of_account) =
            tokio::join!(measure_stream(&nats, &pattern, &metrics), measure_account(&nats, &metrics));
        for error in [of_stream, of_account].into_iter().filter_map(Result::err) {
            tracing::debug!(%error, "the room for signals can't be measured");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn measure_stream(nats: &Nats, pattern: &str, metrics: &Metrics) -> Result<(), NatsError> {
    let streams = nats.streams_of(pattern).await?;
    if let Some(stream) = covering(&streams, pattern) {
        note_room(stream, metrics);
    }
    Ok(())
}

async fn measure_account(nats: &Nats, metrics: &Metrics) -> Result<(), NatsError> {
    let account = within(nats.jetstream().query_account()).await?;
    // With tiers each number of replicas has a limit of its own, and what is used is not the sum.
    let limit = account.limits.max_storage.filter(|_| account.tiers.is_empty());
    metrics.surroundings.account(account.storage, limit.and_then(|limit| u64::try_from(limit).ok()));
    Ok(())
}
