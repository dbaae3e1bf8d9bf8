//! Modules, and what they were compiled to, that nothing needs any more.
//!
//! A module is needed as long as a deployment names it, a strategy can be rolled back to it, or a kept signal was made
//! by it. It goes some time after that, and is recorded as removed, as if an operator had done it. What it was compiled
//! to lies on each replica, and can be made again.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use ta_bot_core::{DeploymentLog, ModuleDigest, Timestamp};
use ta_bot_wasm::Sandbox;

use super::{
    kind::Kind,
    store::{Prunable, RetentionStore, Stored},
};
use crate::{
    deployments::log::DeploymentStore,
    modules::{
        catalog::{Catalog, RemoveError},
        module_store::{KeptModule, ModuleStore, Removal},
        registry::Registry,
    },
    support::store_error::StoreError,
};

/// Who removes modules that nothing names.
const AUTHOR: &str = "ta-bot";

/// Uploaded modules that nothing names any more.
pub struct UnusedModules {
    /// The uploads.
    pub catalog: Arc<Catalog>,
    /// The modules that are ready to run.
    pub registry: Arc<Registry>,
    /// The log of deployments. It is read anew each time: a log that is not known names nothing.
    pub deployments: Arc<dyn DeploymentStore>,
    /// The signals, which name the modules that made them.
    pub signals: Arc<dyn RetentionStore>,
}

impl UnusedModules {
    /// Those that were uploaded before a moment and that no deployment since then names, with the log.
    async fn unnamed(&self, before: Timestamp) -> Result<(Vec<KeptModule>, DeploymentLog), StoreError> {
        let mut log = DeploymentLog::default();
        log.extend(self.deployments.since(0).await?);
        let named = log.modules_since(before);
        let mut modules = self.catalog.uploaded().await?;
        modules.retain(|module| {
            let since = module.upload.as_ref().map_or(module.kept_at, |upload| upload.at.max(module.kept_at));
            since < before && !named.contains(&module.digest) && self.registry.module(module.digest).is_none()
        });
        modules.sort_by_key(|module| module.kept_at);
        Ok((modules, log))
    }
}

#[async_trait]
impl Prunable for UnusedModules {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Modules]
    }

    /// A module that made a kept signal stays, and is looked at again in the next round.
    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if kind != Kind::Modules {
            return Ok(0);
        }
        let (unnamed, log) = self.unnamed(before).await?;
        let mut removed = 0;
        for module in unnamed {
            if removed == u64::from(limit) {
                break;
            }
            let reason = Some(format!("nothing has named it since {before} or longer ({})", kind.variable()));
            let removal = Removal { by: AUTHOR.to_owned(), at: Timestamp::now(), reason };
            match self.catalog.remove(module.digest, &removal, &log, &*self.signals).await {
                Ok(_) => removed += 1,
                Err(RemoveError::Store(error)) => return Err(error),
                // It made a signal that is kept, or somebody was quicker.
                Err(_) => {}
            }
        }
        Ok(removed)
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        if kind != Kind::Modules {
            return Ok(0);
        }
        let (unnamed, log) = self.unnamed(before).await?;
        let mut due = 0;
        for module in unnamed {
            let mut made_signals = false;
            for strategy in log.decided_by(module.digest) {
                made_signals |= self.signals.signal_of(strategy, module.digest).await?.is_some();
            }
            due += u64::from(!made_signals && due < u64::from(most));
        }
        Ok(due)
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        if kind != Kind::Modules {
            return Ok(Stored::default());
        }
        let modules = self.catalog.uploaded().await?;
        Ok(Stored {
            rows: Some(modules.len() as u64),
            bytes: Some(modules.iter().map(|module| module.size).sum()),
            oldest: modules.iter().map(|module| module.kept_at).min(),
        })
    }
}

/// Compiled modules on the disk of this replica that nothing needs any more.
pub struct CompiledModules {
    /// The sandbox that keeps them.
    pub sandbox: Sandbox,
    /// The modules that are kept.
    pub modules: Arc<dyn ModuleStore>,
    /// The modules that are ready to run.
    pub registry: Arc<Registry>,
}

impl CompiledModules {
    /// The modules whose code may be wanted again: those that are kept, and those that are ready to run.
    async fn wanted(&self) -> Result<BTreeSet<ModuleDigest>, StoreError> {
        let kept = self.modules.list().await?.into_iter().map(|module| module.digest);
        let ready = self.registry.strategies();
        Ok(kept.chain(ready.values().map(|module| module.digest())).collect())
    }
}

#[async_trait]
impl Prunable for CompiledModules {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Compiled]
    }

    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if kind != Kind::Compiled {
            return Ok(0);
        }
        let (wanted, sandbox) = (self.wanted().await?, self.sandbox.clone());
        let removed = move || sandbox.forget_compiled(&wanted, before, limit as usize);
        on_disk(tokio::task::spawn_blocking(removed).await.map_err(std::io::Error::other).flatten())
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        if kind != Kind::Compiled {
            return Ok(0);
        }
        let wanted = self.wanted().await?;
        let files = on_disk(self.sandbox.compiled_files())?;
        let due = files.iter().filter(|file| file.is_over(&wanted, before)).take(most as usize).count();
        Ok(due as u64)
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        if kind != Kind::Compiled {
            return Ok(Stored::default());
        }
        let files = on_disk(self.sandbox.compiled_files())?;
        Ok(Stored {
            rows: Some(files.len() as u64),
            bytes: Some(files.iter().map(|file| file.bytes).sum()),
            oldest: files.iter().map(|file| file.written_at).min(),
        })
    }
}

fn on_disk<T>(done: std::io::Result<T>) -> Result<T, StoreError> {
    done.map_err(|error| StoreError::Unavailable {
        store: "compiled",
        reason: format!("the folder of compiled modules in DATA_DIR: {error}"),
    })
}

#[cfg(test)]
mod tests;
