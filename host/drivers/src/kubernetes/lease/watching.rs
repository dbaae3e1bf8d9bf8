//! Hears of changes of the Lease at once. What it hears saves time and decides nothing: without it the Lease is read every
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

/// How long one watch may last: a connection that went silent is noticed by then.
const LONGEST_WATCH: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);
/// The longest pause where the Lease can't be watched.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tells the states of the Lease for as long as anybody listens.
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
            // The usual end; with a pause, so that a server which ends every watch at once is not flooded.
            jittered(timing.retry() / 4)
        };
        tokio::time::sleep(pause).await;
    }
}

/// One watch to its end.
async fn one_watch(api: &LeaseApi, timing: Timing, told: &mpsc::Sender<Option<Record>>) -> Result<(), LeaseError> {
    let mut states = api.watch(timing.call()).await?;
    while let Some(state) = states.next().await {
        if told.send(state?).await.is_err() {
            break;
        }
    }
    Ok(())
}
