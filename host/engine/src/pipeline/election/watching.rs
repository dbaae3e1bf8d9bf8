//! Reports changes of the record at once. The reports save time and decide nothing: without them the record is read
//! every retry period.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::{
    Record, Register, RegisterError, Timing,
    pace::{Failures, jittered},
};
use crate::support::metrics::Metrics;

/// How long one watch may last: this is how a connection that went silent is noticed.
const LONGEST_WATCH: Duration = Duration::from_secs(25);
/// The longest pause while the record can't be watched.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Sends the states of the record for as long as the receiver exists.
pub(super) async fn watch<R: Register>(
    register: R,
    timing: Timing,
    metrics: Arc<Metrics>,
    states: mpsc::Sender<Option<Record<R::Rest>>>,
) {
    let mut failures = Failures::default();
    while !states.is_closed() {
        let watched = tokio::time::timeout(LONGEST_WATCH, one_watch(&register, timing, &states)).await;
        let pause = match watched {
            Ok(Err(error)) => {
                metrics.election.failures.with_label_values(&["watch"]).inc();
                let text = error.to_string();
                if failures.add(&text) {
                    tracing::warn!(
                        error = text,
                        "{} can't be watched; changes are seen up to a retry period later",
                        R::WHAT
                    );
                }
                failures.pause(timing.retry(), LONGEST_PAUSE)
            }
            Ok(Ok(Watched::Never)) => return states.closed().await,
            Ok(Ok(Watched::ToTheEnd)) | Err(_) => {
                failures.clear();
                // The usual end of a watch. The pause keeps a server that ends every watch at once from being flooded
                // with requests.
                jittered(timing.retry() / 4)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

enum Watched {
    ToTheEnd,
    Never,
}

/// Runs one watch to its end.
async fn one_watch<R: Register>(
    register: &R,
    timing: Timing,
    told: &mpsc::Sender<Option<Record<R::Rest>>>,
) -> Result<Watched, RegisterError> {
    let Some(mut states) = register.watch(timing.call()).await? else { return Ok(Watched::Never) };
    while let Some(state) = states.next().await {
        if told.send(state?).await.is_err() {
            break;
        }
    }
    Ok(Watched::ToTheEnd)
}
