//! The deployments in use: this replica's copy of the log, the modules that the log names, and the changes that
//! operators make.
//!
//! A replica may know less of the log than another one. If a missing entry matters for a candle, the commit leaves out
//! what was decided by the older log, see [`deployments`](crate::deployments::log). Then the log is read again and the
//! candle is decided anew.

use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use ta_bot_core::{ModuleDigest, Timestamp};
use tokio::{sync::Mutex, time::timeout};

use crate::{
    deployments::log::DeploymentStore,
    market::candles::Candles,
    modules::{
        loader::{LoadingError, ModuleLoader},
        module_store::ModuleStore,
        registry::Registry,
    },
    settings::{application::SettingsBook, parameters::ParameterBook},
    support::{freshness::Freshness, store_error::StoreError},
};

mod change;
mod error;
pub mod warden;

pub use change::Deployed;
pub use error::RolloutError;

/// The allowed range for the number of candles that a shadow has to look at before it is promoted automatically.
pub const PROMOTE_AFTER: RangeInclusive<u32> = 1..=1_000_000_000;
/// How long a refresh of the log waits for a module to be installed. A module written in Python takes ten seconds to
/// compile.
const INSTALL_LIMIT: Duration = Duration::from_secs(30);
/// The pause before a module that nothing waits for is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// The parts that a rollout works with.
#[allow(missing_docs, reason = "the types explain the fields")]
pub struct Parts {
    pub store: Arc<dyn DeploymentStore>,
    pub modules: Arc<dyn ModuleStore>,
    pub loader: Arc<ModuleLoader>,
    pub registry: Arc<Registry>,
    pub parameters: Arc<ParameterBook>,
    pub settings: Arc<SettingsBook>,
    pub candles: Arc<Candles>,
}

/// The deployments of every strategy.
pub struct Rollout {
    parts: Parts,
    /// Only one refresh runs at a time, so that an older read can't replace a newer one.
    refreshing: Mutex<()>,
    state: Freshness,
    /// When each module that nothing waits for was last tried.
    tried: std::sync::Mutex<HashMap<ModuleDigest, Instant>>,
}

impl Rollout {
    /// Creates a rollout that has not read the log yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, refreshing: Mutex::default(), state: Freshness::default(), tried: std::sync::Mutex::default() }
    }

    /// Reads the new entries of the log. Their modules are installed before the entries take effect, so that no candle
    /// waits for them.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.refreshing.lock().await;
        let mut log = self.parts.registry.log();
        let entries = match self.parts.store.since(log.revision()).await {
            Ok(entries) => entries,
            Err(error) => {
                self.state.failed(Timestamp::now());
                return Err(error);
            }
        };
        if !entries.is_empty() {
            Arc::make_mut(&mut log).extend(entries);
        }
        let newest = log.newest_modules();
        let recent = log.recent_modules();
        // All newest modules are tried: one that could not be installed before may be available now.
        self.install_all(&newest).await;
        self.parts.registry.follow(&log);
        // Earlier modules are copied for a rollback, as far as there is room.
        self.parts.loader.copy_later(newest.iter().chain(recent.difference(&newest)).copied().collect());
        self.state.succeeded();
        Ok(())
    }

    /// Installs modules. A module that can't be installed is tried again by the first candle that needs it, and by the
    /// next refresh.
    async fn install_all(&self, modules: &BTreeSet<ModuleDigest>) {
        let missing: Vec<_> = modules.iter().filter(|digest| self.parts.registry.module(**digest).is_none()).collect();
        let installs = missing.iter().map(|digest| timeout(INSTALL_LIMIT, self.install(**digest)));
        for (digest, installed) in missing.iter().zip(join_all(installs).await) {
            let problem = match installed {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("it took more than {} s", INSTALL_LIMIT.as_secs()),
            };
            tracing::error!(module = %digest, problem, "a deployed module is not installed yet; its candles wait for it");
        }
    }

    /// Installs a module, unless it is already installed.
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

    /// Installs a module that nothing waits for. A module that can't be loaded is tried again only after a pause,
    /// however often this is called.
    pub fn install_later(self: &Arc<Self>, digest: ModuleDigest) {
        // A poisoned lock is fine: the map is valid after each operation.
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        tried.retain(|_, at| at.elapsed() < RETRY);
        if tried.contains_key(&digest) {
            return;
        }
        tried.insert(digest, Instant::now());
        let rollout = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = rollout.install(digest).await {
                tracing::warn!(module = %digest, %error, "a shadow can't be installed yet; it misses candles");
            }
        });
    }

    /// The strategies, and this replica's copy of the log.
    pub fn registry(&self) -> &Registry {
        &self.parts.registry
    }

    /// The settings. They determine which strategies run, unless a deployment does.
    pub fn settings(&self) -> &SettingsBook {
        &self.parts.settings
    }

    /// Returns an error as long as the log was never read: the bundled modules may have been replaced long ago.
    pub fn known(&self) -> Result<(), StoreError> {
        self.state.known("deployments")
    }

    /// The moment since which this copy of the log may be outdated; `None` if the last refresh succeeded.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.state.stale_since()
    }
}

#[cfg(test)]
mod tests;
