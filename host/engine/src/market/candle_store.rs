//! Where candles come from.
//!
//! The port of the Data Extractor's tables: this service reads candles and, on a single machine, imports them.

use async_trait::async_trait;
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// What a store holds of one symbol and timeframe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SeriesSummary {
    /// Whose candles.
    pub symbol: Symbol,
    /// How long they are.
    pub timeframe: Timeframe,
    /// How many.
    pub candles: u64,
    /// When the oldest opened.
    pub first_open: Timestamp,
    /// When the newest opened.
    pub last_open: Timestamp,
}

/// What became of inserted candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Inserted {
    /// They were not there before.
    pub new: u64,
    /// They were there, the same.
    pub same: u64,
    /// They were there with other numbers, which were kept: a closed candle does not change.
    pub different: u64,
}

/// A store of candles.
#[async_trait]
pub trait CandleStore: Send + Sync {
    /// The newest `count` candles that closed at `until` or before, oldest first.
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Candle>, StoreError>;

    /// Of each symbol the newest `count` candles of `timeframe` that closed at `until` or before, oldest first; where a
    /// moment stands beside the symbol only those that closed after it. By symbol, in the order asked; a symbol without
    /// such candles has an empty list. As few queries as is sensible, whatever their number.
    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<Candle>>, StoreError>;

    /// The newest candle of each symbol on `timeframe` that closed at `until` or before: symbol and close time, by symbol. A
    /// symbol without such a candle is left out. Reads one candle of each, in as few queries as is sensible.
    async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// The candles of `timeframe` that closed at `until` or before: symbol and close time of each, by symbol and time.
    /// Only of the symbols in `after`, each named once, and only those that closed after the moment beside it. One
    /// query for all of them, which reads no more than it answers.
    async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Inserts candles of one series, all or none. A candle that is there already stays as it is.
    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError>;

    /// What is there, by symbol and timeframe.
    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
