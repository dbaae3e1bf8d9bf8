//! A finished trade, with every number and every reason.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use ta_bot_core::{Series, StrategyId, Timestamp};

use super::amount::float;

/// Whether a position gains if the price rises or if it falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "common trading terms")]
pub enum Side {
    Long,
    Short,
}

impl Side {
    /// The name used in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }

    /// 1 for long, −1 for short.
    pub(crate) fn sign(self) -> Decimal {
        match self {
            Self::Long => Decimal::ONE,
            Self::Short => Decimal::NEGATIVE_ONE,
        }
    }
}

/// Which rule closed a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// The price touched the stop within a candle.
    StopLoss,
    /// A candle opened beyond the stop.
    StopLossGap,
    /// The price touched the target.
    TakeProfit,
    /// A signal asked to close.
    CloseSignal,
    /// A signal asked for the other side.
    OppositeSignal,
    /// The trade had lasted as many candles as it may.
    TimeLimit,
    /// The candles ended.
    EndOfData,
    /// The account had lost everything.
    Ruin,
}

impl ExitReason {
    /// The name used in tables and files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopLoss => "stop_loss",
            Self::StopLossGap => "stop_loss_gap",
            Self::TakeProfit => "take_profit",
            Self::CloseSignal => "close_signal",
            Self::OppositeSignal => "opposite_signal",
            Self::TimeLimit => "time_limit",
            Self::EndOfData => "end_of_data",
            Self::Ruin => "ruin",
        }
    }
}

/// At which point of a candle something was filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// At its open.
    Open,
    /// Somewhere within it; the time of the fill is the candle's close, when it is known.
    Within,
    /// At its close.
    Close,
}

/// One fill: the buying or selling of a trade's whole quantity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// When it was filled.
    pub at: Timestamp,
    /// At which point of its candle.
    pub moment: Moment,
    /// The price before slippage: the candle's open, the stop, the target.
    pub reference: Decimal,
    /// The price that was paid or received.
    pub price: Decimal,
    /// The fee, in the quote currency.
    pub fee: Decimal,
    /// What the difference between both prices cost, in the quote currency.
    pub slippage: Decimal,
    /// The close of the candle whose signal asked for it; `None` if no signal did.
    pub signal: Option<Timestamp>,
}

/// A finished trade. Amounts are in the quote currency: `net = gross − fees − slippage − funding`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trade {
    /// Counts the trades in the order of their entries, from 1.
    pub number: u64,
    /// The series whose signal opened it.
    pub series: Series,
    /// Whose signal it was.
    pub strategy: StrategyId,
    /// How confident the signal was.
    pub confidence: f64,
    /// Long or short.
    pub side: Side,
    /// In the base currency.
    pub quantity: Decimal,
    /// How it began.
    pub entry: Fill,
    /// How it ended.
    pub exit: Fill,
    /// Which rule ended it.
    pub reason: ExitReason,
    /// The stop, if it had one.
    pub stop_loss: Option<Decimal>,
    /// The target, if it had one.
    pub take_profit: Option<Decimal>,
    /// For how many candles of its series it was open, the last one included if it ended within it.
    pub candles: u32,
    /// The account's equity before it, in the quote currency.
    pub equity_before: Decimal,
    /// What the move of the price brought, before all costs.
    pub gross: Decimal,
    /// The funding that was paid, negative if it was received.
    pub funding: Decimal,
    /// What it brought after all costs.
    pub net: Decimal,
    /// How far the price went against it, as a share of the entry's price; from 0.
    pub worst: f64,
    /// How far the price went in its favour, as a share of the entry's price; from 0.
    pub best: f64,
}

impl Trade {
    /// What it brought after all costs, as a share of the position's value at the entry.
    pub fn profit(&self) -> f64 {
        let value = float(self.quantity) * float(self.entry.price);
        float(self.net) / value
    }
}
