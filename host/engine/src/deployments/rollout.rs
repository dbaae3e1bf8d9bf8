//! Deployments in use: the log as it is known here, the modules that it names, and the changes that operators make.
//!
//! A replica may know less of the log than another one. What it decides by an older log a commit leaves out where it
//! matters, see [`deployments`](crate::deployments::log); then the log is read again and the candle decided anew.

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
    market::candle_store::CandleStore,
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

/// How many candles a shadow may have to look at before it decides by itself.
pub const PROMOTE_AFTER: RangeInclusive<u32> = 1..=1_000_000_000;
/// How long reading the log waits for a module. One that was written in Python takes ten seconds to compile.
const INSTALL_LIMIT: Duration = Duration::from_secs(30);
/// How long a module that nobody waits for is not tried again.
const RETRY: Duration = Duration::from_secs(10);

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
    /// When a module was last tried that nobody waits for.
    tried: std::sync::Mutex<HashMap<ModuleDigest, Instant>>,
}

impl Rollout {
    /// A rollout that has read nothing yet.
    pub fn new(parts: Parts) -> Self {
        Self { parts, refreshing: Mutex::default(), state: Freshness::default(), tried: std::sync::Mutex::default() }
    }

    /// Reads what was added to the log. Its modules are installed before it counts, so that no candle waits for them.
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
        let (newest, recent) = (log.newest_modules(), log.recent_modules());
        // What could not be installed before may be there now.
        self.install_all(&newest).await;
        self.parts.registry.follow(&log);
        // Those before are there for a rollback, as far as there is room.
        self.parts.loader.copy_later(newest.iter().chain(recent.difference(&newest)).copied().collect());
        self.state.succeeded();
        Ok(())
    }

    /// Installs modules. What can't be is tried again by the first candle that needs it, and by the next refresh.
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

    /// Installs a module for which nobody waits. One that can't be had is tried again after a while only, however often this
    /// is called.
    pub fn install_later(self: &Arc<Self>, digest: ModuleDigest) {
        // It is as it was, also where somebody panicked who held it.
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

    /// The strategies, and the log as far as it is known here.
    pub fn registry(&self) -> &Registry {
        &self.parts.registry
    }

    /// The settings, which say what runs unless a deployment does.
    pub fn settings(&self) -> &SettingsBook {
        &self.parts.settings
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
