//! Sends the signals of an analysis the way in which a job's are sent: into the outbox, from which the relay takes them.
//!
//! The candle is the newest closed one, so the signals are the same, by id, as those of its job, and whoever comes second
//! changes nothing. Where the job was decided by other parameters before, the signals are other ones; an operator
//! who asks to publish wants those too, so they are added beside the finished job.

use serde::Serialize;
use ta_bot_core::{Signal, SignalId, Timestamp};
use ta_bot_engine::{
    pipeline::analysis::Analysis,
    signals::outbox::{Committed, FinishedJob},
};
use utoipa::ToSchema;

use crate::{Services, error::ApiError};

/// What was sent.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    /// The ids of the signals that go out by this request.
    sent: Vec<String>,
    /// How many of the signals had gone out, or were about to, before.
    already_sent: usize,
}

/// None where another module decides this candle since the strategies looked: nothing was sent.
pub(super) async fn publish(services: &Services, analysis: &Analysis) -> Result<Option<Published>, ApiError> {
    let signals: Vec<Signal> = analysis.signals().cloned().collect();
    let now = Timestamp::now();
    let finished = FinishedJob { job: analysis.job.clone(), signals: signals.clone(), revision: analysis.revision };
    let Committed { new: mut sent, outdated } = services.outbox.commit(&[finished], now).await?;
    if !outdated.is_empty() {
        return Ok(None);
    }
    sent.extend(services.outbox.add(&signals, now).await?);
    if !sent.is_empty() {
        services.relay_wakeup.notify_one();
    }
    let sent: Vec<String> = sent.iter().map(SignalId::to_string).collect();
    Ok(Some(Published { already_sent: signals.len() - sent.len(), sent }))
}
