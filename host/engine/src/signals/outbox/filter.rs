//! Which signals are wanted.

use std::{fmt, str::FromStr};

use ta_bot_core::{Action, StrategyId, Symbol, Timeframe, Timestamp};
use thiserror::Error;

use super::StoredSignal;

/// What has become of a stored signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalState {
    /// It waits to be sent.
    Waiting,
    /// The bus has acknowledged it.
    Published,
    /// It was found to be too old to be sent.
    Expired,
    /// It is of an action that is not published.
    Withheld,
}

/// A word that names no state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no state of a signal: waiting, published, expired or withheld")]
pub struct UnknownState(String);

/// Which signals to list. All given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct SignalFilter {
    /// Only signals of this strategy.
    pub strategy: Option<StrategyId>,
    /// Only signals of this symbol.
    pub symbol: Option<Symbol>,
    /// Only signals of this timeframe.
    pub timeframe: Option<Timeframe>,
    /// Only signals of this action.
    pub action: Option<Action>,
    /// Only signals in this state.
    pub state: Option<SignalState>,
    /// Only signals of candles that closed at this moment or later.
    pub since: Option<Timestamp>,
    /// Only signals of candles that closed before this moment.
    pub until: Option<Timestamp>,
    /// Only signals that were stored before the one at this position.
    pub before: Option<i64>,
    /// The largest number of signals to return.
    pub limit: u32,
}

impl SignalState {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Waiting, Self::Published, Self::Expired, Self::Withheld];

    /// A stable word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Published => "published",
            Self::Expired => "expired",
            Self::Withheld => "withheld",
        }
    }
}

impl fmt::Display for SignalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SignalState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl SignalFilter {
    /// Whether a signal meets the conditions.
    pub fn matches(&self, signal: &StoredSignal) -> bool {
        self.strategy.as_ref().is_none_or(|strategy| *strategy == signal.strategy)
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == signal.symbol)
            && self.timeframe.is_none_or(|timeframe| timeframe == signal.timeframe)
            && self.action.is_none_or(|action| action.as_str() == signal.action)
            && self.state.is_none_or(|state| state == signal.state())
            && self.since.is_none_or(|since| signal.candle_close >= since)
            && self.until.is_none_or(|until| signal.candle_close < until)
            && self.before.is_none_or(|before| signal.sequence < before)
    }
}
