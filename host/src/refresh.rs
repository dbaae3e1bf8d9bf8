//! Keeps the books in step with what is stored: at once when a replica tells of a change, and by the clock where no such
//! word arrives.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{bus::Bus, metrics::Metrics, parameters::ParameterBook, registry::Registry, settings::SettingsBook};

/// What refreshing needs.
pub struct Refresh {
    /// The parameters in use.
    pub parameters: Arc<ParameterBook>,
    /// The settings in use.
    pub settings: Arc<SettingsBook>,
    /// The strategies, for the series of what is newly scheduled.
    pub registry: Arc<Registry>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where changes are told.
    pub bus: Arc<dyn Bus>,
    /// How old the books may be.
    pub interval: Duration,
}

impl Refresh {
    /// Refreshes until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut notices = self.bus.notices();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                // Whatever the notice, and even if some were missed: the books are read whole.
                notice = notices.recv() => if matches!(notice, Err(tokio::sync::broadcast::error::RecvError::Closed)) {
                    return;
                },
                () = tokio::time::sleep(self.interval) => {}
            }
            self.refresh().await;
        }
    }

    async fn refresh(&self) {
        let refreshed = match self.parameters.refresh().await {
            Ok(()) => self.settings.refresh().await,
            Err(error) => Err(error),
        };
        match refreshed {
            Ok(()) => self.metrics.announce(&self.settings.current().settings, &self.registry.strategies().keys()),
            Err(error) => tracing::warn!(%error, "settings can't be read; the last known ones stay in use"),
        }
    }
}
