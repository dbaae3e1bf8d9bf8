//! What a strategy asked for, as far as money is concerned.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use ta_bot_core::{Action, Series, Signal, StrategyId, Timestamp};
use thiserror::Error;

/// A signal to be traded.
#[derive(Debug, Clone, PartialEq)]
pub struct TradeSignal {
    /// The series on which the strategy decided.
    pub series: Series,
    /// The close of the candle on which it decided. Nothing is traded before.
    pub candle_close: Timestamp,
    /// What it asks for.
    pub action: Action,
    /// The price that it had in mind. Orders are market orders, so it is only compared with the fill.
    pub price: f64,
    /// The price at which the trade ends with a loss.
    pub stop_loss: Option<f64>,
    /// The price at which the trade ends with a profit.
    pub take_profit: Option<f64>,
    /// From 0 to 1. Of signals for the same moment the more confident ones come first.
    pub confidence: f64,
    /// Who decided.
    pub strategy: StrategyId,
    /// After how many candles of the series the trade ends by itself, at the next one's open.
    pub hold_candles: Option<u32>,
}

/// A signal's message lacks what a trade needs.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the signal {id} has no {field} that is a number: trade signals as the service stores them")]
pub struct NoTradeSignal {
    id: String,
    field: &'static str,
}

impl TryFrom<&Signal> for TradeSignal {
    type Error = NoTradeSignal;

    fn try_from(signal: &Signal) -> Result<Self, NoTradeSignal> {
        let lacking = |field| NoTradeSignal { id: signal.id.to_string(), field };
        let level = |field: &'static str| match &signal.message[field] {
            Json::Null => Ok(None),
            value => value.as_f64().map(Some).ok_or_else(|| lacking(field)),
        };
        let job = &signal.job;
        Ok(Self {
            series: Series { symbol: job.symbol.clone(), timeframe: job.timeframe },
            candle_close: job.candle_close,
            action: signal.action,
            price: level("price")?.ok_or_else(|| lacking("price"))?,
            stop_loss: level("stop_loss")?,
            take_profit: level("take_profit")?,
            confidence: signal.confidence,
            strategy: signal.strategy.clone(),
            hold_candles: None,
        })
    }
}

/// Why a signal led to no trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ignored {
    /// It asks for nothing.
    Hold,
    /// It asks to close, and there is nothing to close.
    NothingToClose,
    /// There is a position already, and the rules allow no further one.
    AlreadyOpen,
    /// It asks for a short position, and only long ones are allowed.
    ShortNotAllowed,
    /// As many positions are open as are allowed.
    TooManyPositions,
    /// The limits of exposure leave no room.
    NoRoom,
    /// What is affordable is less than the exchange takes.
    BelowMinimum,
    /// Its size follows from the distance to its stop, and it has none.
    NoStop,
    /// The price had passed its stop or its target before it could be filled.
    LevelPassed,
    /// The candle on which it should have been filled is missing.
    CandleMissing,
    /// The candles ended before it could be filled.
    NoCandleAfter,
    /// The account had lost everything.
    Ruined,
}

impl Ignored {
    /// The reason in words, to stand after a number of signals.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Hold => "asked for nothing",
            Self::NothingToClose => "asked to close if there was nothing to close",
            Self::AlreadyOpen => "came while a position was open already",
            Self::ShortNotAllowed => "asked for a short position, which is not allowed",
            Self::TooManyPositions => "came while as many positions as allowed were open",
            Self::NoRoom => "found no room within the limits of exposure",
            Self::BelowMinimum => "would have been smaller than the exchange takes",
            Self::NoStop => "had no stop, from which their size would follow",
            Self::LevelPassed => "were late: the price had passed their stop or their target",
            Self::CandleMissing => "could not be filled, since the next candle is missing",
            Self::NoCandleAfter => "came too late to be filled before the end",
            Self::Ruined => "came after the account had lost everything",
        }
    }
}
