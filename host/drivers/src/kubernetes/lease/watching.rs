//! Reports changes of the Lease at once. The reports save time and decide nothing: without them the Lease is read every
//! retry period.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::{
    Timing,
    api::{LeaseApi, LeaseError, WATCH_SECONDS},
    pace::{Failures, jittered},
    record::Record,
};

/// How long one watch may last: this is how a connection that went silent is noticed.
const LONGEST_WATCH: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);
/// The longest pause while the Lease can't be watched.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends the states of the Lease for as long as the receiver exists.
pub(super) async fn watch(api: LeaseApi, timing: Timing, states: mpsc::Sender<Option<Record>>) {
    let mut failures = Failures::default();
    while !states.is_closed() {
        let watched = tokio::time::timeout(LONGEST_WATCH, one_watch(&api, timing, &states)).await;
        let pause = if let Ok(Err(error)) = watched {
            let text = error.to_string();
            if failures.add(&text) {
                tracing::warn!(error = text, "the Lease can't be watched; changes are seen up to a retry period later");
            }
            failures.pause(timing.retry(), LONGEST_PAUSE)
        } else {
            failures.clear();
            // The usual end of a watch. The pause keeps a server that ends every watch at once from being flooded with
            // requests.
            jittered(timing.retry() / 4)
        };
        tokio::time::sleep(pause).await;
    }
}

/// Runs one watch to its end.
async fn one_watch(api: &LeaseApi, timing: Timing, told: &mpsc::Sender<Option<Record>>) -> Result<(), LeaseError> {
    let mut states = api.watch(timing.call()).await?;
    while let Some(state) = states.next().await {
        if told.send(state?).await.is_err() {
            break;
        }
    }
    Ok(())
}
