//! Keeps the books in step with what is stored: at once when a replica announces a change, and by the clock if no such
//! notice arrives.

use std::{sync::Arc, time::Duration};

use ta_bot_core::Timestamp;
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    deployments::rollout::Rollout,
    modules::registry::Registry,
    settings::{application::SettingsBook, parameters::ParameterBook},
    signals::bus::Notice,
    support::{backoff::Backoff, metrics::Metrics, store_error::StoreError},
};

#[cfg(test)]
mod tests;

/// Pauses between tries while the store can't be read.
const RETRIES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));

/// The books that are kept in step.
#[derive(Clone)]
pub struct Books {
    /// The parameters in use.
    pub parameters: Arc<ParameterBook>,
    /// The settings in use.
    pub settings: Arc<SettingsBook>,
    /// The deployments in use.
    pub rollout: Arc<Rollout>,
}

/// What refreshing needs.
pub struct Refresh {
    /// The books that are kept in step.
    pub books: Books,
    /// The strategies, for the metrics of newly scheduled ones.
    pub registry: Arc<Registry>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The notices that arrived since before the books were first read.
    pub notices: Receiver<Notice>,
    /// How old the books may become.
    pub interval: Duration,
}

impl Refresh {
    /// Refreshes the books until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut retries = RETRIES;
        let mut fresh = self.books.stale_since().is_none();
        self.announce_deployments();
        loop {
            // A store that is away is asked again sooner than one that was just read.
            let pause = if fresh { self.interval } else { retries.pause().min(self.interval) };
            if stop.run_until_cancelled(self.wait(pause)).await != Some(true) {
                return;
            }
            // One read covers all notices that have arrived so far.
            while !matches!(self.notices.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {}
            fresh = self.refresh().await;
            if fresh {
                retries.reset();
            }
        }
    }

    /// Waits until all books have to be read: a change was announced, a notice was missed, or the time is up. Returns
    /// whether there still is a bus. If deployments are announced meanwhile, their log is read at once, and nothing
    /// else: what a swap costs the candles that it meets must not depend on the store of parameters.
    async fn wait(&mut self, pause: Duration) -> bool {
        let up = tokio::time::sleep(pause);
        tokio::pin!(up);
        loop {
            let notice = tokio::select! {
                () = &mut up => return true,
                notice = self.notices.recv() => notice,
            };
            match notice {
                Ok(Notice::JobsRetried) => {}
                Ok(Notice::DeploymentsChanged) if self.books.rollout.refresh().await.is_ok() => self.announce(),
                Ok(Notice::DeploymentsChanged | Notice::ConfigurationChanged) | Err(RecvError::Lagged(_)) => {
                    return true;
                }
                Err(RecvError::Closed) => return false,
            }
        }
    }

    async fn refresh(&self) -> bool {
        let refreshed = self.books.refresh().await;
        match &refreshed {
            Ok(()) => self.announce(),
            Err(error) => {
                tracing::warn!(%error, "settings can't be read; the last known ones stay in use");
                // The deployments may have been read all the same.
                self.announce_deployments();
            }
        }
        refreshed.is_ok()
    }

    /// Updates the metrics to what there is now.
    fn announce(&self) {
        self.metrics.announce(&self.books.settings.current().settings, self.registry.strategies().keys());
        self.announce_deployments();
    }

    fn announce_deployments(&self) {
        let strategies = self.registry.strategies();
        let log = self.registry.log();
        for strategy in strategies.keys().chain(log.strategies()) {
            let is_quarantined =
                log.newest(strategy).is_some_and(|newest| newest.change.deployment.quarantined.is_some());
            self.metrics.failures.quarantined(strategy, is_quarantined);
        }
    }
}

impl Books {
    /// Reads the books for the first time. A remote store may be away: then the last known configuration is in use. If
    /// there is none, the books stay unknown and nothing is evaluated, see [`until_known`](Self::until_known).
    pub async fn begin(&self, is_remote: bool) -> Result<(), StoreError> {
        match self.refresh().await {
            Err(error) if is_remote => {
                tracing::warn!(%error, "the configuration can't be read at the start");
                Ok(())
            }
            done => done,
        }
    }

    /// Waits until all books are known, from the store or from the file.
    pub async fn until_known(&self) {
        let mut retries = RETRIES;
        while let Err(error) = self.known() {
            tracing::warn!(%error, "nothing is evaluated before the configuration is known; waiting");
            tokio::time::sleep(retries.pause()).await;
            // `known` reports what is wrong.
            let _ = self.refresh().await;
        }
    }

    /// An error if one of the books was never read.
    pub fn known(&self) -> Result<(), StoreError> {
        self.parameters.known()?;
        self.settings.known()?;
        self.rollout.known()
    }

    /// Since when one of the books may be older than what is stored.
    pub fn stale_since(&self) -> Option<Timestamp> {
        let since = [self.parameters.stale_since(), self.settings.stale_since(), self.rollout.stale_since()];
        since.into_iter().flatten().min()
    }

    /// Reads all books, so that each knows how fresh it is.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let (parameters, settings, rollout) =
            tokio::join!(self.parameters.refresh(), self.settings.refresh(), self.rollout.refresh());
        parameters.and(settings).and(rollout)
    }
}
