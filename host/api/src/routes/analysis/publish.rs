//! Sends the signals of an analysis the way a job's signals are sent: through the outbox, from which the relay takes
//! them.
//!
//! The candle is the newest closed one, so its job makes the same signals with the same ids, and whichever comes second
//! changes nothing. If the job was decided with other parameters, its signals are different ones. An operator who asks
//! to publish wants the new signals as well, so they are added to the finished job's.

use serde::Serialize;
use ta_bot_core::{Signal, Timestamp};
use ta_bot_engine::{
    pipeline::analysis::Analysis,
    signals::outbox::{Committed, FinishedJob},
};
use utoipa::ToSchema;

use crate::{Services, error::ApiError};

/// What was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    /// The ids of the signals that this request sends.
    sent: Vec<String>,
    /// How many of the signals had already been sent, or were about to be.
    already_sent: usize,
    /// How many of the signals are stored and not sent, because the candle is too old: the next one of its series has
    /// closed, or it is older than `SIGNAL_MAX_AGE_SECONDS`.
    expired: usize,
    /// How many of the signals are stored and not sent, because their action is none of `NATS_PUBLISH_ACTIONS`.
    withheld: usize,
}

/// Commits the signals of an analysis. Returns `None`, and sends nothing, if another module has come to decide this
/// candle since the evaluation.
pub(super) async fn publish(services: &Services, analysis: &Analysis) -> Result<Option<Published>, ApiError> {
    let signals: Vec<Signal> = analysis.signals().cloned().collect();
    let now = Timestamp::now();
    let finished = FinishedJob { job: analysis.job.clone(), signals: signals.clone(), revision: analysis.revision };
    let Committed { new: mut sent, outdated } = services.outbox.commit(&[finished], now).await?;
    if !outdated.is_empty() {
        return Ok(None);
    }
    sent.extend(services.outbox.add(&signals, now).await?);
    services.metrics.latency.begin(&signals, now);
    services.metrics.latency.committed(&sent, now);
    services.metrics.latency.settle(signals.iter().map(|signal| &signal.id));
    for signal in signals.iter().filter(|signal| sent.contains(&signal.id)) {
        services.metrics.delivery.committed(signal);
    }
    if !sent.is_empty() {
        services.relay_wakeup.notify_one();
    }
    let (withheld, going_out): (Vec<&Signal>, Vec<&Signal>) = signals.iter().partition(|signal| signal.is_withheld);
    let withheld = withheld.len();
    // All signals are of the same candle.
    if services.expiry.is_over(&analysis.job) {
        return Ok(Some(Published { sent: Vec::new(), already_sent: 0, expired: going_out.len(), withheld }));
    }
    let is_new = |signal: &&&Signal| sent.contains(&signal.id);
    let ids: Vec<String> = going_out.iter().filter(is_new).map(|signal| signal.id.to_string()).collect();
    Ok(Some(Published { already_sent: going_out.len() - ids.len(), sent: ids, expired: 0, withheld }))
}
