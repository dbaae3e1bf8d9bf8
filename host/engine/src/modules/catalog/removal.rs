//! Removing a module: whatever its bytes are, it is gone from the store, and who removed it stays.

use ta_bot_core::{DeploymentLog, ModuleDigest, SignalId, StrategyId};
use thiserror::Error;

use super::Catalog;
use crate::{
    modules::module_store::{KeptModule, Removal, RemovedModule},
    retention::store::RetentionStore,
    support::store_error::StoreError,
};

/// Why a module is not removed.
#[derive(Debug, Error)]
pub enum RemoveError {
    /// No such module is kept.
    #[error("there is no module {0}; GET /api/v1/modules and `ta-bot modules list` list those that were uploaded")]
    Unknown(ModuleDigest),
    /// It came with the service.
    #[error("the module {0} came with the service, and each start keeps it again: take its file out of STRATEGIES_DIR")]
    Bundled(ModuleDigest),
    /// One of the newest deployments names it, or the one that a strategy would be rolled back to.
    #[error(
        "the module {module} decides, looks on, or is what a strategy can be rolled back to, says entry {revision} of \
         {strategy}: activate another module first, or end its shadow; it can be removed once the newest entries of the \
         history do not name it"
    )]
    InUse {
        /// The module.
        module: ModuleDigest,
        /// The strategy whose history names it.
        strategy: StrategyId,
        /// The entry of the history.
        revision: i64,
    },
    /// A kept signal can't be replayed without it.
    #[error(
        "the module {module} made the signal {signal}, which can't be replayed without it: it can be removed when the signals \
         that it made are no longer kept (RETENTION_SIGNALS_DAYS), and goes by itself some time after that \
         (RETENTION_MODULES_DAYS)"
    )]
    MadeSignals {
        /// The module.
        module: ModuleDigest,
        /// The newest signal that it made.
        signal: SignalId,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RemoveError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "unknown_module",
            Self::Bundled(_) => "bundled_module",
            Self::InUse { .. } => "module_in_use",
            Self::MadeSignals { .. } => "module_of_signals",
            Self::Store(error) => error.code(),
        }
    }
}

impl Catalog {
    /// Removes a module that no recent deployment of `log` and no kept signal needs. Its bytes are not looked at.
    pub async fn remove(
        &self,
        digest: ModuleDigest,
        removal: &Removal,
        log: &DeploymentLog,
        signals: &dyn RetentionStore,
    ) -> Result<KeptModule, RemoveError> {
        let module = self.store.find(digest).await?.ok_or(RemoveError::Unknown(digest))?;
        if module.upload.is_none() {
            return Err(RemoveError::Bundled(digest));
        }
        if let Some(entry) = log.needing(digest).first() {
            let (strategy, revision) = (entry.change.strategy.clone(), entry.revision);
            return Err(RemoveError::InUse { module: digest, strategy, revision });
        }
        for strategy in log.decided_by(digest) {
            if let Some(signal) = signals.signal_of(strategy, digest).await? {
                return Err(RemoveError::MadeSignals { module: digest, signal });
            }
        }
        if !self.store.remove(digest, removal).await? {
            return Err(RemoveError::Unknown(digest));
        }
        self.lock().remove(&digest);
        self.sandbox.forget(digest);
        tracing::info!(
            module = %digest,
            by = %removal.by,
            reason = removal.reason.as_deref().unwrap_or_default(),
            "module removed"
        );
        Ok(module)
    }

    /// The modules that were removed last, newest first.
    pub async fn removed(&self, most: u32) -> Result<Vec<RemovedModule>, StoreError> {
        self.store.removed(most).await
    }
}
