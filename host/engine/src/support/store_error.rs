//! What can go wrong with any store, in the words that callers act on.

use std::ops::RangeInclusive;

use thiserror::Error;

/// How long a list may be asked to be.
pub const LIST_LIMITS: RangeInclusive<u32> = 1..=1000;
/// How long a list is where nothing is asked.
pub const DEFAULT_LIST_LIMIT: u32 = 100;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The store can't be reached or did not answer in time. Trying again may help.
    #[error("{store} is away: {reason}")]
    Unavailable {
        /// The driver's name.
        store: &'static str,
        /// What the driver said.
        reason: String,
    },
    /// The store can't write: its disk is full or its file is read-only. An operator has to act.
    #[error("{store} can't write: {reason}")]
    CannotWrite {
        /// The driver's name.
        store: &'static str,
        /// What the driver said, and what to do.
        reason: String,
    },
    /// The store holds what it should not. An operator has to act.
    #[error("{store} holds what can't be read: {reason}")]
    Corrupt {
        /// The driver's name.
        store: &'static str,
        /// What was found.
        reason: String,
    },
}

impl StoreError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store_away",
            Self::CannotWrite { .. } => "store_read_only",
            Self::Corrupt { .. } => "store_corrupt",
        }
    }
}

/// Why a conditional write did not happen.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Somebody else changed it first.
    #[error("the stored version is {current}, not {expected}: read it again and repeat the change")]
    Conflict {
        /// The version that the writer had seen.
        expected: i64,
        /// The version that is stored; 0 where nothing is.
        current: i64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "version_conflict",
            Self::Store(error) => error.code(),
        }
    }
}
