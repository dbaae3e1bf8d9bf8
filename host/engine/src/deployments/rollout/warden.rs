//! Quarantines modules that fail too often, on every replica and until an operator lifts the quarantine.

use std::{sync::Arc, time::Duration};

use ta_bot_core::{DeploymentRequest, Timestamp};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Deployed, Rollout, RolloutError};
use crate::{
    settings::config_store::Author,
    signals::bus::{Bus, Notice},
    supervision::watch::{OnQuarantine, Quarantine},
    support::{
        backoff::Backoff,
        store_error::{StoreError, WriteError},
    },
};

/// The largest number of modules that may wait for their quarantine. One that finds no room is reported again with its
/// next failure.
const MOST_WAITING: usize = 64;
/// Pauses between tries if the store is unavailable or another writer was quicker.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// The author of a quarantine.
const BY: &str = "ta-bot";

/// Creates the callback that reports modules to a [`Warden`], and the receiver that the warden reads.
pub fn told() -> (OnQuarantine, mpsc::Receiver<Quarantine>) {
    let (sender, told) = mpsc::channel(MOST_WAITING);
    let tell = move |quarantine: Quarantine| {
        // If there is no room, the module is reported again with its next failure.
        let _ = sender.try_send(quarantine);
    };
    (Box::new(tell), told)
}

/// Quarantines modules.
pub struct Warden {
    /// The deployments.
    pub rollout: Arc<Rollout>,
    /// The bus that notifies the other replicas.
    pub bus: Arc<dyn Bus>,
}

impl Warden {
    /// Works until `stop` is cancelled.
    pub async fn run(self, mut told: mpsc::Receiver<Quarantine>, stop: CancellationToken) {
        while let Some(Some(quarantine)) = stop.run_until_cancelled(told.recv()).await {
            stop.run_until_cancelled(self.quarantine(quarantine)).await;
        }
        // Even if every sender is dropped, the task only ends when it is stopped.
        stop.cancelled().await;
    }

    async fn quarantine(&self, Quarantine { strategy, module, since, job, reason }: Quarantine) {
        let mut pauses = PAUSES;
        loop {
            let wanted = DeploymentRequest::Quarantine { module, since, why: reason.clone() };
            let author = Author {
                changed_by: BY.to_owned(),
                claimed_by: None,
                reason: Some(format!("{reason}; GET /api/v1/failures?strategy={strategy} has what it failed on")),
                at: Timestamp::now(),
            };
            match self.rollout.change(&strategy, wanted, None, false, author).await {
                Ok(Deployed::Added(entry)) => {
                    tracing::error!(strategy.id = %strategy, strategy.digest = %module.short(), %job, %reason,
                        from = %entry.from, "the strategy is quarantined until an operator lifts it");
                    if let Err(error) = self.bus.notify(Notice::DeploymentsChanged).await {
                        tracing::warn!(%error, "the other replicas can't be notified of a quarantine yet");
                    }
                    return;
                }
                Ok(_) => return,
                Err(error) if passes(&error) => {
                    tracing::warn!(strategy.id = %strategy, %error, "can't quarantine a strategy yet; trying again");
                    tokio::time::sleep(pauses.pause()).await;
                }
                Err(error) => {
                    return tracing::error!(strategy.id = %strategy, %error, "a strategy can't be quarantined");
                }
            }
        }
    }
}

/// Whether trying again may help.
const fn passes(error: &RolloutError) -> bool {
    matches!(
        error,
        RolloutError::Write(
            WriteError::Conflict { .. }
                | WriteError::Store(StoreError::Unavailable { .. } | StoreError::CannotWrite { .. })
        )
    )
}
