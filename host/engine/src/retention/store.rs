//! The port to what a database keeps of each [`Kind`]: removing the oldest of it, and how much there is.
//!
//! Removing a job or a signal must never let its candle be decided and sent again. So in the same transaction a
//! watermark of its series rises to the candle: every candle up to there counts as decided, for
//! [`Outbox::commit`](crate::signals::outbox::Outbox::commit) and for all others that ask.

use async_trait::async_trait;
use ta_bot_core::{ModuleDigest, SignalId, StrategyId, Timestamp};

use super::kind::Kind;
use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// How much there is of a kind. What can't be known cheaply is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// About how many rows there are.
    pub rows: Option<u64>,
    /// About how many bytes they take, indexes included.
    pub bytes: Option<u64>,
    /// The moment by which the oldest of them is judged.
    pub oldest: Option<Timestamp>,
}

/// Keeps something of which the oldest can be removed.
#[async_trait]
pub trait Prunable: Send + Sync {
    /// The kinds that it keeps.
    fn kinds(&self) -> &'static [Kind];

    /// Removes at most `limit` rows of a kind that are older than `before`, in one transaction. Returns how many it
    /// removed; 0 means that nothing is left to remove.
    ///
    /// What something still needs stays, however old it is: signals that wait to be sent, or that a
    /// [reader](crate::signals::outbox::Outbox::keep_reader) has not seen; the newest finished jobs of each timeframe,
    /// behind which the next deployment begins; dead jobs that are being retried; the newest entry of each history,
    /// after which its versions go on.
    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Returns how many rows of a kind are older than `before`, at most `most`. Those that stay all the same may be
    /// among them.
    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError>;

    /// Returns how much there is of a kind.
    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError>;
}

/// What lies beside the signals.
#[async_trait]
pub trait RetentionStore: Prunable {
    /// Returns up to which moment rows of a kind were ever removed; `None` if none were.
    async fn removed_to(&self, kind: Kind) -> Result<Option<Timestamp>, StoreError>;

    /// Returns a kept signal of a strategy that this module made, if there is one.
    async fn signal_of(&self, strategy: &StrategyId, module: ModuleDigest) -> Result<Option<SignalId>, StoreError>;

    /// Forgets readers of signals that are not among these and have not come on since `before`. Returns their names.
    async fn forget_readers(&self, readers: &[String], before: Timestamp) -> Result<Vec<String>, StoreError>;
}
