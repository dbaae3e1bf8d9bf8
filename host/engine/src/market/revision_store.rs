//! The store of revisions: closed candles that changed after the service had read and believed them.
//!
//! The same change of the same candle is stored once, however often it happens and however many replicas notice it.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use ta_bot_core::{Candle, RevisionId, Symbol, Timeframe, Timestamp};

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// How many revisions are kept. Only the newest are.
pub const KEPT: u32 = 10_000;
/// How many revisions one statement inserts.
pub const ROWS_IN_A_STATEMENT: usize = 64;
/// A closed candle that changed after it had been believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// The symbol of the candle.
    pub symbol: Symbol,
    /// The timeframe of the candle.
    pub timeframe: Timeframe,
    /// The candle as it was believed.
    pub old: Candle,
    /// The candle as it is now, which has the same open time; `None` if it has no usable row any more.
    pub new: Option<Candle>,
    /// When it was noticed.
    pub noticed_at: Timestamp,
}

/// The numbers of a candle, as they are stored in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "common names of candle columns")]
pub struct Numbers {
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

/// Which revisions to list. All given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct RevisionFilter {
    /// Only candles of this symbol.
    pub symbol: Option<Symbol>,
    /// Only candles of this timeframe.
    pub timeframe: Option<Timeframe>,
    /// The largest number of revisions to return.
    pub limit: u32,
}

/// A store of revisions.
#[async_trait]
pub trait RevisionStore: Send + Sync {
    /// Stores revisions, all or none, and removes those that are not among the newest [`KEPT`]. A revision that is
    /// stored already stays as it is.
    async fn add(&self, revisions: &[Revision]) -> Result<(), StoreError>;

    /// Returns the revisions that match the filter; the one that was stored last comes first.
    async fn list(&self, filter: &RevisionFilter) -> Result<Vec<Revision>, StoreError>;
}

impl Revision {
    /// When the candle opened.
    pub const fn open_time(&self) -> Timestamp {
        self.old.open_time
    }

    /// What identifies the change: the series, the open time, and the numbers before and after it.
    pub fn id(&self) -> RevisionId {
        let Self { symbol, timeframe, old, new, .. } = self;
        let bits = |candle: &Candle| {
            let Candle { open, high, low, close, volume, .. } = candle;
            [open, high, low, close, volume].map(|number| number.to_bits())
        };
        let (opened, old, new) = (self.open_time().millis(), bits(old), new.as_ref().map(bits));
        RevisionId::of(format!("{symbol}\n{timeframe}\n{opened}\n{old:x?}\n{new:x?}").as_bytes())
    }
}

impl RevisionFilter {
    /// Whether a revision meets the conditions.
    pub fn takes(&self, revision: &Revision) -> bool {
        self.symbol.as_ref().is_none_or(|symbol| *symbol == revision.symbol)
            && self.timeframe.is_none_or(|timeframe| timeframe == revision.timeframe)
    }
}

impl Numbers {
    /// The candle of these numbers.
    pub const fn candle(self, open_time: Timestamp) -> Candle {
        let Self { open, high, low, close, volume } = self;
        Candle { open_time, open, high, low, close, volume }
    }
}

impl From<Candle> for Numbers {
    fn from(Candle { open, high, low, close, volume, .. }: Candle) -> Self {
        Self { open, high, low, close, volume }
    }
}

/// Lists the numbers, such as `open 1, high 2, low 0.5, close 1.5, volume 7`.
impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { open, high, low, close, volume } = self;
        write!(f, "open {open}, high {high}, low {low}, close {close}, volume {volume}")
    }
}
