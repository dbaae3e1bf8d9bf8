//! The store that candles come from.
//!
//! This is the port to the Data Extractor's tables: this service reads candles and, on a single machine, imports them.
//! A store gives its rows as they are. Which of them are closed candles is decided in one place, by
//! [`Candles`](crate::market::candles::Candles), and nothing else reads a store.

use std::ops::Range;

use async_trait::async_trait;
use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
mod repair;

pub use repair::{Repair, RepairChange, RepairEntry, RepairKind, Repaired};

/// A summary of the candles that a store holds for one symbol and timeframe.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SeriesSummary {
    /// The symbol of the candles.
    pub symbol: Symbol,
    /// The timeframe of the candles.
    pub timeframe: Timeframe,
    /// How many candles there are.
    pub candles: u64,
    /// When the oldest candle opened.
    pub first_open: Timestamp,
    /// When the newest candle opened.
    pub last_open: Timestamp,
}

impl SeriesSummary {
    /// How many candles are missing between the oldest and the newest one. A row that is no usable candle, or that is
    /// there twice, counts as a candle here: a summary does not look at the numbers.
    pub fn missing(&self) -> u64 {
        let length = self.timeframe.millis();
        let span = (self.last_open.millis() - self.first_open.millis()) / length + 1;
        span.unsigned_abs().saturating_sub(self.candles)
    }
}

/// What an insertion did with the candles that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Inserted {
    /// How many were not there before.
    pub new: u64,
    /// How many were already there with the same numbers.
    pub same: u64,
    /// How many were already there with other numbers. The stored numbers were kept: a closed candle does not change.
    pub different: u64,
}

/// A store of candles.
#[async_trait]
pub trait CandleStore: Send + Sync {
    /// The newest `count` rows of candles whose time was over at `until`, oldest first.
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<CandleRow>, StoreError>;

    /// Has the newest rows of a symbol read again by whoever looks at them next. A store without a memory of its own
    /// has nothing to do.
    fn expire(&self, _symbol: &Symbol) {}

    /// For each symbol, the newest `count` rows of candles of `timeframe` whose time was over at `until`, oldest first.
    /// If a time is given beside the symbol, only candles that closed after it are included. The lists come in the
    /// order of `wanted`; a symbol without such candles has an empty list. Uses as few queries as is sensible, however
    /// many symbols there are.
    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<CandleRow>>, StoreError>;

    /// For each symbol, the newest candle of `timeframe` that closed at `until` or before, as symbol and close time,
    /// sorted by symbol. A symbol without such a candle is left out. Reads one candle per symbol, in as few queries as
    /// is sensible.
    async fn newest_closes(
        &self,
        timeframe: Timeframe,
        symbols: &[Symbol],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// The candles of `timeframe` that closed at `until` or before, as symbol and close time, sorted by symbol and
    /// time. Includes only the symbols in `after`, each named once, and only candles that closed after the time given
    /// beside the symbol. Runs one query for all of them, which reads no more than it returns.
    async fn closed_between(
        &self,
        timeframe: Timeframe,
        after: &[(Symbol, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError>;

    /// Inserts candles of one series, all or none. A candle that is already stored stays as it is.
    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError>;

    /// The rows of a series whose candles opened within a stretch, oldest first: at most `limit`, the oldest of them.
    async fn opened_within(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
        limit: u32,
    ) -> Result<Vec<CandleRow>, StoreError>;

    /// The service that writes the rows, if they are another service's. What is changed by hand, that service may
    /// change again, or be surprised by.
    fn owner(&self) -> Option<&'static str>;

    /// Changes a series by hand and notes that in the log of repairs, in one transaction: if it is interrupted, nothing
    /// has changed. If there is nothing to change, nothing is noted.
    async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError>;

    /// The repairs with a greater number than this one, the earliest first.
    async fn repairs_after(&self, number: i64, limit: u32) -> Result<Vec<RepairEntry>, StoreError>;

    /// The newest repairs, newest first.
    async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError>;

    /// A summary of each stored series, sorted by symbol and timeframe.
    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError>;

    /// Checks that the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
