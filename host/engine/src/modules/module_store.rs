//! Where the bytes of modules are kept, by their digest.
//!
//! A signal names the digest of the module that made it. As long as the bytes are here it can be replayed, also when the
//! module has been replaced since.

use ta_bot_core::{ModuleDigest, Timestamp};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
pub use ta_bot_wasm::LARGEST_MODULE;
use thiserror::Error;

use crate::{modules::admission::Verdict, support::store_error::StoreError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

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

/// How a module came here through the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// Who uploaded it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// The public key whose signature it came with.
    pub signed_by: Option<String>,
}

/// What was found out about a module that was uploaded. It is final: the same bytes are not judged twice, so that replicas
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
        /// A stable word for why.
        code: String,
        /// Why.
        reason: String,
    },
    /// It was checked.
    Checked {
        /// When.
        at: Timestamp,
        /// The version of the strategy, as it says itself.
        version: String,
        /// The WIT version that it speaks.
        wit_version: String,
        /// Each check.
        verdict: Verdict,
    },
}

impl Judgement {
    /// Reads what is stored. What another version wrote and this one does not understand is a judgement all the same, and
    /// admits nobody.
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| Self::Unusable {
            at: Timestamp::from_millis(0),
            host_version: "unknown".to_owned(),
            code: "unreadable".to_owned(),
            reason: format!("this version of TA Bot can't read what another one found out: {error}"),
        })
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
    /// How it was uploaded; none where it only ever was a bundled one.
    pub upload: Option<Upload>,
    /// What was found out about it; none where it was not uploaded, or is being checked.
    pub judgement: Option<Judgement>,
}

impl KeptModule {
    /// Whether it was uploaded and is not judged yet.
    pub const fn waits(&self) -> bool {
        self.upload.is_some() && self.judgement.is_none()
    }
}

/// A store of modules.
#[async_trait]
pub trait ModuleStore: Send + Sync {
    /// Keeps a module. Where the same bytes are kept already, nothing changes; where they were damaged since, they take the
    /// place of what is there.
    async fn put(&self, bytes: &[u8]) -> Result<ModuleDigest, KeepError>;

    /// The bytes of a module; none where it was never kept. Bytes that do not have this digest any more are an error.
    async fn get(&self, digest: ModuleDigest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Notes how a module that is kept was uploaded, unless that is noted.
    async fn note_upload(&self, digest: ModuleDigest, upload: &Upload) -> Result<(), StoreError>;

    /// Notes what was found out about a module that is kept, unless it was judged before; the first judgement stays.
    async fn judge(&self, digest: ModuleDigest, judgement: &Judgement) -> Result<(), StoreError>;

    /// What is known of a module; none where it was never kept.
    async fn find(&self, digest: ModuleDigest) -> Result<Option<KeptModule>, StoreError>;

    /// Every module that is kept, by digest.
    async fn list(&self) -> Result<Vec<KeptModule>, StoreError>;
}

/// The digest of bytes that are to be kept.
pub fn admitted(bytes: &[u8]) -> Result<ModuleDigest, KeepError> {
    if bytes.len() > LARGEST_MODULE {
        return Err(KeepError::TooLarge { given: bytes.len() });
    }
    Ok(ModuleDigest::of(bytes))
}

/// What a store has of a module that is to be kept.
pub enum There {
    /// It was never kept.
    Nothing,
    /// Its bytes are not what they were.
    Damaged,
    /// It is there.
    Whole,
}

/// Looks what a store has, by reading it.
pub async fn what_is_there(store: &impl ModuleStore, digest: ModuleDigest) -> Result<There, StoreError> {
    match store.get(digest).await {
        Ok(None) => Ok(There::Nothing),
        Ok(Some(_)) => Ok(There::Whole),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::warn!(module = %digest, %error, "the module is kept anew");
            Ok(There::Damaged)
        }
        Err(error) => Err(error),
    }
}

/// Bytes that were read, if they are what they were kept as.
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
