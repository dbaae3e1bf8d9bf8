//! The leader's task: a round some minutes after it begins to lead, and then one every hour.
//!
//! What lies on the disk of a replica is no matter of the leader's: each replica removes its own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::Timestamp;
use tokio_util::sync::CancellationToken;

use super::pruner::Pruner;
use crate::pipeline::leadership::Leadership;

/// How often to look whether this process still leads.
const LOOK: Duration = Duration::from_secs(5);

/// When rounds begin.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// How long after it begins to lead a process begins its first round: the start is busy enough.
    pub first: Duration,
    /// The pause between two rounds.
    pub pause: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { first: Duration::from_mins(5), pause: Duration::from_hours(1) }
    }
}

/// Makes rounds while this process leads, until `stop` is cancelled. A round under way ends between two batches.
pub async fn while_leading(pruner: Arc<Pruner>, leadership: Leadership, times: Times, stop: CancellationToken) {
    loop {
        let Some(term) = stop.run_until_cancelled(leadership.next_term(None)).await else { return };
        let leads = || leadership.term().as_ref() == Some(&term) && !stop.is_cancelled();
        let mut pause = times.first;
        while leads() {
            let until = Instant::now() + pause;
            while leads() && Instant::now() < until {
                let slice = (until - Instant::now()).min(LOOK);
                if stop.run_until_cancelled(tokio::time::sleep(slice)).await.is_none() {
                    return;
                }
            }
            if leads() {
                pruner.round(Timestamp::now(), leads).await;
            }
            pause = times.pause;
        }
        pruner.forget_measured();
    }
}

/// Makes rounds until `stop` is cancelled, whoever leads: of what lies on the disk of this replica.
pub async fn on_each_replica(pruner: Arc<Pruner>, times: Times, stop: CancellationToken) {
    let mut pause = times.first;
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pruner.round(Timestamp::now(), || !stop.is_cancelled()).await;
        pause = times.pause;
    }
}
