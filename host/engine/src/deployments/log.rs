//! Where the log of deployments is kept: which module decides for a strategy, and from which candle on.
//!
//! It lies beside the finished jobs and not with the settings, since the two must agree: an entry begins behind every
//! candle that is decided when it is added, and a commit leaves out what an entry that it did not know of decides
//! otherwise. Both look in their own transaction, so no clock and no message between replicas is needed for that.

use async_trait::async_trait;
use ta_bot_core::{DeploymentChange, DeploymentEntry, Timestamp};

use crate::support::store_error::{StoreError, WriteError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// A store of the log.
#[async_trait]
pub trait DeploymentStore: Send + Sync {
    /// The entries behind `revision`, in their order.
    async fn since(&self, revision: i64) -> Result<Vec<DeploymentEntry>, StoreError>;

    /// Adds an entry, if `expected` is the revision of the strategy's newest one (0: there is none). It begins right behind
    /// the newest candle close that is finished or that the caller has `seen`, and not before the log's newest entry.
    async fn add(
        &self,
        change: &DeploymentChange,
        expected: i64,
        seen: Option<Timestamp>,
    ) -> Result<DeploymentEntry, WriteError>;
}

/// What an entry that is added comes behind, all of one moment.
pub struct LogHead {
    /// The revision of the log's newest entry; 0 where there is none.
    pub head: i64,
    /// The revision of the strategy's newest entry; 0 where there is none.
    pub current: i64,
    /// Where the log's newest entry begins.
    pub newest_from: Option<Timestamp>,
    /// The newest candle close that is finished.
    pub decided: Option<Timestamp>,
}

impl LogHead {
    /// The entry that a change becomes here.
    pub fn entry(&self, change: &DeploymentChange, seen: Option<Timestamp>) -> DeploymentEntry {
        let undecided = self.decided.max(seen).map(|close| close.plus_millis(1));
        let from = self.newest_from.max(undecided).unwrap_or(Timestamp::from_millis(0));
        DeploymentEntry { revision: self.head + 1, from, change: change.clone() }
    }
}
