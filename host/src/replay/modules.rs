//! The modules of old signals.

use std::sync::{Arc, Mutex, PoisonError};

use ta_bot_core::{ModuleDigest, StrategyId};
use ta_bot_wasm::{Sandbox, StrategyModule};
use tokio::sync::{OnceCell, Semaphore};

use super::{Cause, Stop};
use crate::{analysis::AnalysisError, modules::ModuleStore, registry::Registry, store::StoreError};

/// How many modules stay loaded: those of a few strategies, each with the version before.
const MOST: usize = 16;
/// How many are compiled at once. One that was written in Python takes ten seconds of a core.
const AT_ONCE: usize = 2;

/// A module, once it is loaded. Who wants the same one waits for it.
type Loaded = Arc<OnceCell<Arc<StrategyModule>>>;

/// Modules by their digest: a registered one as it is, others from the store.
pub(super) struct Modules {
    store: Arc<dyn ModuleStore>,
    registry: Arc<Registry>,
    sandbox: Sandbox,
    /// The one that was asked for last comes last.
    kept: Mutex<Vec<(ModuleDigest, Loaded)>>,
    compiling: Semaphore,
}

impl Modules {
    pub(super) fn new(store: Arc<dyn ModuleStore>, registry: Arc<Registry>, sandbox: Sandbox) -> Self {
        Self { store, registry, sandbox, kept: Mutex::default(), compiling: Semaphore::new(AT_ONCE) }
    }

    /// The module of a digest, which is `strategy`'s.
    pub(super) async fn get(&self, strategy: &StrategyId, digest: ModuleDigest) -> Result<Arc<StrategyModule>, Stop> {
        if let Some(registered) = self.registry.get(strategy).filter(|module| module.digest() == digest) {
            return Ok(registered);
        }
        let loaded = self.kept(digest);
        loaded.get_or_try_init(|| self.load(digest)).await.cloned()
    }

    fn kept(&self, digest: ModuleDigest) -> Loaded {
        // A list is as it was, also where somebody panicked who held it.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(known, _)| *known == digest).map(|place| kept.remove(place).1);
        let loaded = known.unwrap_or_default();
        kept.push((digest, Arc::clone(&loaded)));
        if kept.len() > MOST {
            kept.remove(0);
        }
        loaded
    }

    async fn load(&self, digest: ModuleDigest) -> Result<Arc<StrategyModule>, Stop> {
        // Before the bytes are read, so that those of a few are in memory. It is never closed.
        let _turn = self.compiling.acquire().await.map_err(|_| AnalysisError::GivenUp)?;
        let bytes = match self.store.get(digest).await {
            Ok(bytes) => bytes.ok_or(Cause::UnknownModule(digest))?,
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(module = %digest, %error, "a kept module is damaged");
                return Err(Cause::DamagedModule(digest).into());
            }
            Err(error) => return Err(error.into()),
        };
        let sandbox = self.sandbox.clone();
        let loaded = tokio::task::spawn_blocking(move || StrategyModule::load(&sandbox, &bytes)).await;
        match loaded.map_err(|_| AnalysisError::GivenUp)? {
            Ok(module) => Ok(Arc::new(module)),
            Err(reason) => Err(Cause::UnusableModule { module: digest, reason: reason.to_string() }.into()),
        }
    }
}
