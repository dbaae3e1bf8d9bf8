//! Removing a module: whatever its bytes are, it is gone from the store, and who removed it stays.

use ta_bot_core::{DeploymentLog, ModuleDigest};
use thiserror::Error;

use super::Catalog;
use crate::{
    modules::module_store::{KeptModule, Removal, RemovedModule},
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
    /// One of the newest deployments names it.
    #[error(
        "the module {0} decides, looks on, or is what a strategy can be rolled back to: activate another module first, or          end its shadow; it can be removed once the newest entries of the history do not name it"
    )]
    InUse(ModuleDigest),
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
            Self::InUse(_) => "module_in_use",
            Self::Store(error) => error.code(),
        }
    }
}

impl Catalog {
    /// Removes a module that no recent deployment of `log` names. Its bytes are not looked at. Signals that it made
    /// stay, and can be replayed once it is uploaded again.
    pub async fn remove(
        &self,
        digest: ModuleDigest,
        removal: &Removal,
        log: &DeploymentLog,
    ) -> Result<KeptModule, RemoveError> {
        let module = self.store.find(digest).await?.ok_or(RemoveError::Unknown(digest))?;
        if module.upload.is_none() {
            return Err(RemoveError::Bundled(digest));
        }
        if log.recent_modules().contains(&digest) {
            return Err(RemoveError::InUse(digest));
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
