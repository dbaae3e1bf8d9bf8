//! The store of decisions that were made again, after candles had been changed by hand.
//!
//! They stand beside the signals that were made of the old candles, under the number of the repair, and are never
//! published. A signal keeps its id whatever the candles are, so both can be compared.

use async_trait::async_trait;
use ta_bot_core::{Job, ModuleDigest, SignalId, StrategyId, Symbol, Timestamp};

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// How many decisions one statement inserts.
pub const ROWS_IN_A_STATEMENT: usize = 64;

/// What a strategy decides on a candle after a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redecision {
    /// The number of the repair.
    pub repair: i64,
    /// The candle.
    pub job: Job,
    /// The strategy.
    pub strategy: StrategyId,
    /// Its module.
    pub module: ModuleDigest,
    /// The kind of outcome, such as `signal` or `none`.
    pub outcome: String,
    /// The id and the message of the signal; `None` if there is none.
    pub signal: Option<(SignalId, String)>,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// Which decisions to list. All given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct RedecisionFilter {
    /// Those after this repair.
    pub repair: i64,
    /// Only of this strategy.
    pub strategy: Option<StrategyId>,
    /// Only of this symbol.
    pub symbol: Option<Symbol>,
    /// Only on candles that closed after this moment.
    pub after: Option<Timestamp>,
    /// The largest number of decisions to return.
    pub limit: u32,
}

/// A store of decisions.
#[async_trait]
pub trait RedecisionStore: Send + Sync {
    /// Stores decisions, all or none. One that is stored already, by its repair, candle and strategy, is replaced: it
    /// was decided on the same candles.
    async fn add(&self, decisions: &[Redecision]) -> Result<(), StoreError>;

    /// Returns the decisions that match the filter, by candle close, timeframe, symbol and strategy.
    async fn list(&self, filter: &RedecisionFilter) -> Result<Vec<Redecision>, StoreError>;
}
