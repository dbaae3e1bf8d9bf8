//! The errors of every store, distinguished by how callers react to them.

use std::ops::RangeInclusive;

use thiserror::Error;

/// The limits that a caller may set for the length of a list.
pub const LIST_LIMITS: RangeInclusive<u32> = 1..=1000;
/// The length of a list if the caller sets no limit.
pub const DEFAULT_LIST_LIMIT: u32 = 100;

/// Why a store operation failed.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The store can't be reached or did not respond in time. Trying again may help.
    #[error("{store} is away: {reason}")]
    Unavailable {
        /// The driver's name.
        store: &'static str,
        /// The driver's message.
        reason: String,
    },
    /// The store can't write: its disk is full or its file is read-only. An operator has to act.
    #[error("{store} can't write: {reason}")]
    CannotWrite {
        /// The driver's name.
        store: &'static str,
        /// The driver's message, and what to do about it.
        reason: String,
    },
    /// A value does not fit the place that it is meant for, so nothing was written. An operator has to act.
    #[error("{store} can't hold it: {reason}")]
    DoesNotFit {
        /// The driver's name.
        store: &'static str,
        /// Which value, what the place holds, and what to do about it.
        reason: String,
    },
    /// The store contains invalid data. An operator has to act.
    #[error("{store} holds what can't be read: {reason}")]
    Corrupt {
        /// The driver's name.
        store: &'static str,
        /// What was found.
        reason: String,
    },
}

impl StoreError {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store_away",
            Self::CannotWrite { .. } => "store_read_only",
            Self::DoesNotFit { .. } => "does_not_fit",
            Self::Corrupt { .. } => "store_corrupt",
        }
    }

    /// What the driver said, without what follows from it.
    pub fn reason(self) -> String {
        match self {
            Self::Unavailable { reason, .. }
            | Self::CannotWrite { reason, .. }
            | Self::DoesNotFit { reason, .. }
            | Self::Corrupt { reason, .. } => reason,
        }
    }
}

/// Why a conditional write did not happen.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Another writer changed it first.
    #[error("the stored version is {current}, not {expected}: read it again and repeat the change")]
    Conflict {
        /// The version that the writer had seen.
        expected: i64,
        /// The stored version; 0 if nothing is stored.
        current: i64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl WriteError {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "version_conflict",
            Self::Store(error) => error.code(),
        }
    }
}
