//! The store of the deployments' log, which says which module decides for a strategy, and from which candle on.
//!
//! The log is stored beside the finished jobs and not with the settings, because the two must agree. A new entry begins
//! after every candle that is already decided, and a commit leaves out a job whose candle falls under an entry that the
//! job did not know. Both are checked in their own transaction, so this needs no clock and no message between replicas.

use async_trait::async_trait;
use ta_bot_core::{DeploymentChange, DeploymentEntry, Timestamp};

use crate::support::store_error::{StoreError, WriteError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// A store of the log.
#[async_trait]
pub trait DeploymentStore: Send + Sync {
    /// Returns the entries after `revision`, in order.
    async fn since(&self, revision: i64) -> Result<Vec<DeploymentEntry>, StoreError>;

    /// Adds an entry if `expected` is the revision of the strategy's newest one (0: there is none). The entry begins
    /// right after the newest candle close that is finished or that the caller has `seen`, but not before the log's
    /// newest entry.
    async fn add(
        &self,
        change: &DeploymentChange,
        expected: i64,
        seen: Option<Timestamp>,
    ) -> Result<DeploymentEntry, WriteError>;
}

/// The state of the log that a new entry follows, all read at one moment.
pub struct LogHead {
    /// The revision of the log's newest entry; 0 if there is none.
    pub head: i64,
    /// The revision of the strategy's newest entry; 0 if there is none.
    pub current: i64,
    /// The moment from which the log's newest entry holds.
    pub newest_from: Option<Timestamp>,
    /// The newest finished candle close.
    pub decided: Option<Timestamp>,
}

impl LogHead {
    /// Creates the entry for a change.
    pub fn entry(&self, change: &DeploymentChange, seen: Option<Timestamp>) -> DeploymentEntry {
        let undecided = self.decided.max(seen).map(|close| close.plus_millis(1));
        let from = self.newest_from.max(undecided).unwrap_or(Timestamp::from_millis(0));
        DeploymentEntry { revision: self.head + 1, from, change: change.clone() }
    }
}
