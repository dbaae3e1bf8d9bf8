//! The store of modules' bytes, by their digest.
//!
//! A signal names the digest of the module that made it. As long as the bytes are here, the signal can be replayed,
//! even if the module has been replaced since.

use ta_bot_core::{ModuleDigest, Timestamp, cut};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
pub use ta_bot_wasm::LARGEST_MODULE;
use thiserror::Error;

use crate::{modules::admission::Verdict, support::store_error::StoreError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// How many bytes of the reason of a judgement are stored and read. Versions before there was this bound stored more.
pub(super) const MOST_REASON: usize = 2000;

/// Why a module was not kept.
#[derive(Debug, Error)]
pub enum KeepError {
    /// It has too many bytes.
    #[error(
        "the module has {given} bytes, and a module may have at most {LARGEST_MODULE}: strip its debug information"
    )]
    TooLarge {
        /// How many it has.
        given: usize,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a module was uploaded through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Who uploaded it.
    pub by: String,
    /// When it was uploaded.
    pub at: Timestamp,
    /// The public key of the signature that it came with.
    pub signed_by: Option<String>,
}

/// What was found out about an uploaded module. It is final: the same bytes are not judged twice, so that replicas
/// agree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Judgement {
    /// It can't be run at all.
    Unusable {
        /// When that was found.
        at: Timestamp,
        /// The version of the host that found it.
        host_version: String,
        /// A stable word for the reason.
        code: String,
        /// The reason.
        reason: String,
    },
    /// It was checked.
    Checked {
        /// When it was checked.
        at: Timestamp,
        /// The version of the strategy, as the module states it.
        version: String,
        /// The WIT version of the module.
        wit_version: String,
        /// The result of each check.
        verdict: Verdict,
    },
}

impl Judgement {
    /// Reads a stored judgement. One that another version wrote and this version does not understand is a judgement
    /// all the same, and admits nothing.
    pub fn read(text: &str) -> Self {
        let read = serde_json::from_str(text).unwrap_or_else(|error| Self::Unusable {
            at: Timestamp::from_millis(0),
            host_version: "unknown".to_owned(),
            code: "unreadable".to_owned(),
            reason: format!("this version of TA Bot can't read what another one found out: {error}"),
        });
        match read {
            Self::Unusable { at, host_version, code, reason } => {
                Self::Unusable { at, host_version, code, reason: cut(&reason, MOST_REASON).into_owned() }
            }
            read @ Self::Checked { .. } => read,
        }
    }

    /// Whether the module may be enabled.
    pub fn admits(&self) -> bool {
        matches!(self, Self::Checked { verdict, .. } if verdict.admitted())
    }
}

/// A module that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptModule {
    /// Its digest.
    pub digest: ModuleDigest,
    /// How many bytes it has.
    pub size: u64,
    /// When it was first kept.
    pub kept_at: Timestamp,
    /// How it was uploaded; `None` if it has only ever been a bundled module.
    pub upload: Option<Upload>,
    /// What was found out about it; `None` if it was not uploaded or is still being checked.
    pub judgement: Option<Judgement>,
}

impl KeptModule {
    /// Whether it was uploaded and is not judged yet.
    pub const fn waits(&self) -> bool {
        self.upload.is_some() && self.judgement.is_none()
    }
}

/// Who removed a module, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Who removed it.
    pub by: String,
    /// When it was removed.
    pub at: Timestamp,
    /// The reason that was given.
    pub reason: Option<String>,
}

/// A module that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemovedModule {
    /// Its digest.
    pub digest: ModuleDigest,
    /// How many bytes it had.
    pub size: u64,
    /// How it had been uploaded; `None` if that could not be read.
    pub upload: Option<Upload>,
    /// Its removal.
    pub removal: Removal,
}

/// A store of modules.
#[async_trait]
pub trait ModuleStore: Send + Sync {
    /// Keeps a module. If the same bytes are already kept, nothing changes; if the kept bytes have been damaged, the
    /// given bytes replace them.
    async fn put(&self, bytes: &[u8]) -> Result<ModuleDigest, KeepError>;

    /// The bytes of a module; `None` if it was never kept. Bytes that no longer have this digest are an error.
    async fn get(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Records how a kept module was uploaded, unless that is already recorded.
    async fn note_upload(&self, digest: ModuleDigest, upload: &Upload) -> Result<(), StoreError>;

    /// Records what was found out about a kept module, unless it was judged before: the first judgement stays.
    async fn judge(&self, digest: ModuleDigest, judgement: &Judgement) -> Result<(), StoreError>;

    /// What is known about a module; `None` if it was never kept.
    async fn find(&self, digest: ModuleDigest) -> Result<Option<KeptModule>, StoreError>;

    /// Every kept module, sorted by digest.
    async fn list(&self) -> Result<Vec<KeptModule>, StoreError>;

    /// Removes a module with all that is known about it, and records who did. Its bytes need not be sound. Returns
    /// whether it was kept.
    async fn remove(&self, digest: ModuleDigest, removal: &Removal) -> Result<bool, StoreError>;

    /// The modules that were removed last, newest first.
    async fn removed(&self, most: u32) -> Result<Vec<RemovedModule>, StoreError>;
}

/// Checks the size of bytes that are to be kept, and returns their digest.
pub fn admitted(bytes: &[u8]) -> Result<ModuleDigest, KeepError> {
    if bytes.len() > LARGEST_MODULE {
        return Err(KeepError::TooLarge { given: bytes.len() });
    }
    Ok(ModuleDigest::of(bytes))
}

/// What a store already has of a module that is to be kept.
pub enum There {
    /// It was never kept.
    Nothing,
    /// Its bytes have been damaged.
    Damaged,
    /// It is there and whole.
    Whole,
}

/// Finds out what a store has of a module, by reading it.
pub async fn what_is_there(store: &impl ModuleStore, digest: ModuleDigest) -> Result<There, StoreError> {
    match store.get(digest).await {
        Ok(None) => Ok(There::Nothing),
        Ok(Some(_)) => Ok(There::Whole),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::warn!(module = %digest, %error, "a kept module is damaged and will be replaced");
            Ok(There::Damaged)
        }
        Err(error) => Err(error),
    }
}

/// Returns bytes that were read, if they still have the digest under which they were kept.
pub fn verified(store: &'static str, digest: ModuleDigest, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let found = ModuleDigest::of(&bytes);
    if found == digest {
        return Ok(bytes);
    }
    let reason = format!(
        "the bytes of module {digest} have the digest {found}: upload it again, and they are kept anew; where it is bundled \
         that happens at the next start"
    );
    Err(StoreError::Corrupt { store, reason })
}
