//! Why a module is not accepted, or can't be checked now.

use ta_bot_wasm::InspectError;
use thiserror::Error;

use super::MOST_WAITING;
use crate::{
    modules::{judge::NotJudged, module_store::KeepError, signature::SignatureError},
    support::store_error::StoreError,
};

/// Why a module is not accepted.
#[derive(Debug, Error)]
pub enum UploadError {
    /// The bytes are not a module that this host would compile.
    #[error(transparent)]
    Refused(#[from] InspectError),
    /// Modules need a signature here.
    #[error(
        "modules need a signature here (MODULE_TRUSTED_KEYS): make one with `ta-bot modules sign` and send it in the \
         header Module-Signature; `ta-bot modules upload` sends FILE.sig"
    )]
    NotSigned,
    /// The signature is not valid.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Too many modules wait already.
    #[error("{MOST_WAITING} modules wait to be checked already: try again when some of them are")]
    Full,
    /// The disk has little room, which is left to signals.
    #[error(
        "the disk of DATA_DIR has {free} MiB left, and below {mark} MiB (DISK_LOW_WATER_MB) uploads wait so that signals can \
         still be stored: make room on it, and send the module again"
    )]
    NoRoom {
        /// How many MiB are free.
        free: u64,
        /// Below how many uploads wait.
        mark: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl UploadError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(error) => error.code(),
            Self::NotSigned => "not_signed",
            Self::Signature(_) => "bad_signature",
            Self::Full => "busy",
            Self::NoRoom { .. } => "disk_low",
            Self::Store(error) => error.code(),
        }
    }
}

/// Why a module could not be checked now. This says nothing about the module.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host could not judge.
    #[error(transparent)]
    NotJudged(#[from] NotJudged),
    /// The system can't start a thread.
    #[error("the system gives no thread: {0}")]
    NoThread(std::io::Error),
    /// The host panicked.
    #[error("the host failed in the middle of it, see the line before")]
    Panicked,
}

impl From<KeepError> for UploadError {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::TooLarge { .. } => Self::Refused(InspectError::TooLarge),
            KeepError::Store(error) => Self::Store(error),
        }
    }
}
