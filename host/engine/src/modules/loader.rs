//! Modules by their digest, from the store, compiled and ready to be evaluated.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::ModuleDigest;
use ta_bot_wasm::{LoadError, Sandbox, StrategyModule};
use thiserror::Error;
use tokio::sync::{OnceCell, Semaphore};

use crate::{
    modules::{copies::Copies, module_store::ModuleStore, registry::Registry},
    support::store_error::StoreError,
};

/// How many modules stay loaded besides the registered ones: those of a few strategies, each with its previous
/// version.
const MOST: usize = 16;
/// How many modules are compiled at once. A module written in Python takes ten seconds of a core.
const AT_ONCE: usize = 2;

/// Why there is no module for a digest.
#[derive(Debug, Clone, Error)]
pub enum LoadingError {
    /// No such module is kept.
    #[error("the module {0} is not kept here")]
    Unknown(ModuleDigest),
    /// Its bytes no longer match the digest.
    #[error("the bytes that are kept of the module {0} are damaged")]
    Damaged(ModuleDigest),
    /// Its bytes can't be loaded as a strategy by this version.
    #[error("the module {module} can't be loaded by this version: {reason}")]
    Unusable {
        /// Which module.
        module: ModuleDigest,
        /// Why.
        reason: String,
    },
    /// The host had no room for an instance that describes the module.
    #[error("the host has no room for another instance: {0}")]
    NoRoom(String),
    /// The process that compiles modules gave no answer, which says nothing about the module.
    #[error("{0}")]
    NotCompiled(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The load panicked, or the process is ending.
    #[error("loading the module was given up")]
    GivenUp,
}

impl LoadingError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_module",
            Self::Damaged(_) => "damaged_module",
            Self::Unusable { .. } => "unusable_module",
            Self::NoRoom(_) => "busy",
            Self::NotCompiled(_) => "not_compiled",
            Self::GivenUp => "given_up",
            Self::Store(error) => error.code(),
        }
    }

    /// Whether trying again later may help.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::NoRoom(_)
                | Self::NotCompiled(_)
                | Self::GivenUp
                | Self::Store(StoreError::Unavailable { .. } | StoreError::CannotWrite { .. })
        )
    }
}

/// How long a failure is returned to callers that waited meanwhile: otherwise each would try again, one after the
/// other.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

/// A module, once it is loaded. Callers that want the same module wait for it.
type Loaded = Arc<LoadSlot>;

/// The slot for one module.
#[derive(Default)]
struct LoadSlot {
    module: OnceCell<Arc<StrategyModule>>,
    failed: Mutex<Option<(Instant, LoadingError)>>,
}

impl LoadSlot {
    /// The last failure, if it is recent.
    fn failure(&self) -> Option<LoadingError> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|(at, _)| at.elapsed() < FAILURE_HOLDS).map(|(_, error)| error.clone())
    }

    /// Records a failure that waiting callers would meet as well. A lasting failure is not recorded: it costs nothing
    /// to find out again.
    fn note(&self, error: &LoadingError) {
        if !error.is_passing() {
            return;
        }
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
    }
}

/// Modules by their digest: a registered module is taken as it is, others come from the store.
pub struct ModuleLoader {
    store: Arc<dyn ModuleStore>,
    registry: Arc<Registry>,
    sandbox: Sandbox,
    /// For modules that are asked for while the store is away; `None` if the store is embedded.
    copies: Option<Copies>,
    /// Which modules are to have copies.
    to_copy: Mutex<Arc<[ModuleDigest]>>,
    /// Held while copying: one task copies at a time.
    copying: tokio::sync::Mutex<()>,
    /// Ordered by last use, with the latest at the end.
    kept: Mutex<Vec<(ModuleDigest, Loaded)>>,
    compiling: Semaphore,
}

impl ModuleLoader {
    /// Creates a loader that has loaded nothing yet.
    pub fn new(store: Arc<dyn ModuleStore>, registry: Arc<Registry>, sandbox: Sandbox) -> Self {
        Self {
            store,
            registry,
            sandbox,
            copies: None,
            to_copy: Mutex::default(),
            copying: tokio::sync::Mutex::default(),
            kept: Mutex::default(),
            compiling: Semaphore::new(AT_ONCE),
        }
    }

    /// Loads from copies if there are any, and keeps copies of the modules that it is told to copy.
    #[must_use]
    pub fn with_copies(self, copies: Copies) -> Self {
        Self { copies: Some(copies), ..self }
    }

    /// The module with this digest.
    pub async fn get(&self, digest: ModuleDigest) -> Result<Arc<StrategyModule>, LoadingError> {
        if let Some(registered) = self.registry.module(digest) {
            return Ok(registered);
        }
        let place = self.kept(digest);
        let load = async || match place.failure() {
            Some(error) => Err(error),
            None => self.load(digest).await.inspect_err(|error| place.note(error)),
        };
        place.module.get_or_try_init(load).await.cloned()
    }

    fn kept(&self, digest: ModuleDigest) -> Loaded {
        // A poisoned lock is fine: a panic leaves the list whole.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(known, _)| *known == digest).map(|place| kept.remove(place).1);
        let loaded = known.unwrap_or_default();
        kept.push((digest, Arc::clone(&loaded)));
        if kept.len() > MOST {
            kept.remove(0);
        }
        loaded
    }

    async fn load(&self, digest: ModuleDigest) -> Result<Arc<StrategyModule>, LoadingError> {
        // The turn is taken before the bytes are read, so that only a few modules' bytes are in memory. The semaphore
        // is never closed.
        let _turn = self.compiling.acquire().await.map_err(|_| LoadingError::GivenUp)?;
        let copies = self.copies.clone();
        let copied = tokio::task::spawn_blocking(move || copies?.get(digest));
        let bytes = match copied.await.map_err(|_| LoadingError::GivenUp)? {
            Some(bytes) => bytes,
            None => self.stored(digest).await?,
        };
        let sandbox = self.sandbox.clone();
        let loaded = tokio::task::spawn_blocking(move || StrategyModule::load(&sandbox, &bytes)).await;
        match loaded.map_err(|_| LoadingError::GivenUp)? {
            Ok(module) => Ok(Arc::new(module)),
            Err(LoadError::NoRoom(reason)) => Err(LoadingError::NoRoom(reason)),
            Err(error) if error.is_passing() => Err(LoadingError::NotCompiled(error.to_string())),
            Err(reason) => Err(LoadingError::Unusable { module: digest, reason: reason.to_string() }),
        }
    }

    /// Keeps copies of these modules and of no others. If there is no room for all, the first ones are copied. The
    /// caller does not wait for that, and what can't be copied now is tried again on the next call.
    pub fn copy_later(self: &Arc<Self>, wanted: Arc<[ModuleDigest]>) {
        let Some(copies) = self.copies.clone() else { return };
        // A poisoned lock is fine: the value is only replaced as a whole.
        *self.to_copy.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
        let loader = Arc::clone(self);
        tokio::spawn(async move {
            let _turn = loader.copying.lock().await;
            // What was asked for last counts, whichever task's turn it is.
            let wanted = Arc::clone(&loader.to_copy.lock().unwrap_or_else(PoisonError::into_inner));
            if let Err(problem) = loader.copy(copies, wanted).await {
                tracing::warn!(
                    problem,
                    "not all deployed modules are copied; a start while their store is away would have to wait"
                );
            }
        });
    }

    /// Copies the modules that are not copied yet. A module that can't be copied does not keep the others from being
    /// copied.
    async fn copy(&self, copies: Copies, wanted: Arc<[ModuleDigest]>) -> Result<(), String> {
        let of_all = (copies.clone(), Arc::clone(&wanted));
        let missing = blocking(move || of_all.0.retain(&of_all.1)).await?;
        let mut done = Ok(());
        for place in missing {
            let copies = copies.clone();
            let wanted = Arc::clone(&wanted);
            match self.bytes_to_copy(&copies, &wanted, place).await {
                Ok(Some(bytes)) => blocking(move || copies.keep(&wanted, place, &bytes)).await?,
                Ok(None) => {}
                Err(error) if error.is_passing() => return Err(error.to_string()),
                Err(error) => done = Err(error.to_string()),
            }
        }
        done
    }

    /// The bytes of the module at this index of `wanted`, if there is room for a copy.
    async fn bytes_to_copy(
        &self,
        copies: &Copies,
        wanted: &Arc<[ModuleDigest]>,
        place: usize,
    ) -> Result<Option<Vec<u8>>, LoadingError> {
        let digest = wanted[place];
        let size = self.store.find(digest).await?.ok_or(LoadingError::Unknown(digest))?.size;
        let copies = copies.clone();
        let wanted = Arc::clone(wanted);
        let has_room = tokio::task::spawn_blocking(move || copies.has_room(&wanted, place, size)).await;
        if has_room.map_err(|_| LoadingError::GivenUp)? { self.stored(digest).await.map(Some) } else { Ok(None) }
    }

    /// The bytes of a module, from the store.
    async fn stored(&self, digest: ModuleDigest) -> Result<Vec<u8>, LoadingError> {
        match self.store.get(digest).await {
            Ok(bytes) => bytes.ok_or(LoadingError::Unknown(digest)),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(module = %digest, %error, "a kept module is damaged");
                Err(LoadingError::Damaged(digest))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Runs work that blocks.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests;
