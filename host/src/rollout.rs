//! Deployments in use: the log as it is known here, the modules that it names, and the changes that operators make.
//!
//! A replica may know less of the log than another one. What it decides by an older log a commit leaves out where it
//! matters, see [`deployments`](crate::deployments); then the log is read again and the candle decided anew.

use std::sync::Arc;

use futures_util::future::join_all;
use ta_bot_core::{DeploymentLog, ModuleDigest, Timestamp};
use tokio::sync::Mutex;

use crate::{
    candles::CandleStore,
    deployments::DeploymentStore,
    freshness::Freshness,
    loader::{LoadingError, ModuleLoader},
    modules::ModuleStore,
    parameters::ParameterBook,
    registry::Registry,
    settings::SettingsBook,
    store::StoreError,
};

mod change;
pub(crate) mod view;
pub mod warden;

pub use change::{Deployed, RolloutError, Wanted};

/// What a rollout works with.
#[allow(missing_docs, reason = "the types say it")]
pub struct Parts {
    pub store: Arc<dyn DeploymentStore>,
    pub modules: Arc<dyn ModuleStore>,
    pub loader: Arc<ModuleLoader>,
    pub registry: Arc<Registry>,
    pub parameters: Arc<ParameterBook>,
    pub settings: Arc<SettingsBook>,
    pub candles: Arc<dyn CandleStore>,
}

/// The deployments of every strategy.
pub struct Rollout {
    parts: Parts,
    /// Only one reads at a time, so that what was read first can't replace what was read later.
    refreshing: Mutex<()>,
    state: Freshness,
}

impl Rollout {
    /// A rollout that has read nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, refreshing: Mutex::default(), state: Freshness::default() }
    }

    /// Reads what was added to the log. Its modules are installed before it counts, so that no candle waits for them.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.refreshing.lock().await;
        let known = self.parts.registry.log();
        let entries = match self.parts.store.since(known.revision()).await {
            Ok(entries) => entries,
            Err(error) => {
                self.state.failed(Timestamp::now());
                return Err(error);
            }
        };
        if !entries.is_empty() {
            let mut log = DeploymentLog::clone(&known);
            log.extend(entries);
            self.install_those_of(&log).await;
            self.parts.registry.follow(&Arc::new(log));
        }
        self.state.succeeded();
        Ok(())
    }

    /// Installs what the newest entries name. What can't be is tried again by the first candle that needs it.
    async fn install_those_of(&self, log: &DeploymentLog) {
        let newest = log.strategies().filter_map(|strategy| log.newest(strategy));
        let named = newest.flat_map(|entry| entry.change.deployment.modules()).collect::<Vec<_>>();
        for (digest, installed) in named.iter().zip(join_all(named.iter().map(|digest| self.install(*digest))).await) {
            if let Err(error) = installed {
                tracing::error!(module = %digest, %error, "a deployed module can't be installed; its candles wait for it");
            }
        }
    }

    /// Installs a module, unless it is.
    pub async fn install(&self, digest: ModuleDigest) -> Result<(), LoadingError> {
        if self.parts.registry.module(digest).is_none() {
            let module = self.parts.loader.get(digest).await?;
            self.parts.registry.install(&module);
            let description = module.description();
            tracing::info!(strategy.id = %description.id, strategy.version = %description.version,
                strategy.digest = %digest.short(), "module installed");
        }
        Ok(())
    }

    /// An error while the log was never read: the bundled modules may have been replaced long ago.
    pub fn known(&self) -> Result<(), StoreError> {
        self.state.known("deployments")
    }

    /// Since when the log in use may be older than what is stored, if the last try to read it failed.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.state.stale_since()
    }
}
