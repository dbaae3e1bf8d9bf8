//! What comes of a simulation, and why it can't take something.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use ta_bot_core::{CandleError, Series, Symbol, Timestamp};
use thiserror::Error;

use super::{
    account::Costs, amount::OutOfRange, assumptions::Assumptions, equity::EquityCurve, signal::Ignored, trade::Trade,
};

/// Why a simulation can't take a candle or a signal. It can go on without it, unless an amount is out of range.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SimulationError {
    /// No instrument was given for a symbol.
    #[error("there is no instrument for {0}: give one for each symbol that is traded")]
    NoInstrument(Symbol),
    /// A candle's numbers are wrong.
    #[error("the candle of {series} at {open}: {error}")]
    BadCandle {
        /// Whose it is.
        series: Series,
        /// When it opens.
        open: Timestamp,
        /// What is wrong.
        error: CandleError,
    },
    /// A candle comes after one that opens later.
    #[error(
        "the candle of {series} that opens at {open} comes after one of {after}: give candles in order of their opens"
    )]
    OutOfOrder {
        /// Whose it is.
        series: Series,
        /// When it opens.
        open: Timestamp,
        /// How far the simulation is.
        after: Timestamp,
    },
    /// A signal comes when the candle on which it could be filled was given already.
    #[error(
        "the signal of {series} at {close} comes after the candle that opens at {newest}: give a signal before the next \
         candle of its series"
    )]
    LateSignal {
        /// Whose it is.
        series: Series,
        /// The close of the candle that made it.
        close: Timestamp,
        /// The newest candle.
        newest: Timestamp,
    },
    /// A signal's numbers are wrong.
    #[error("the signal of {series} at {close} has a {field} of {value}: give {allowed}")]
    BadSignal {
        /// Whose it is.
        series: Series,
        /// The close of the candle that made it.
        close: Timestamp,
        /// Which number.
        field: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// An amount does not fit.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// What became of all signals and candles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was assumed.
    pub assumptions: Assumptions,
    /// The trades that were not taken before, in the order in which they ended.
    pub trades: Vec<Trade>,
    /// How many trades there were in all.
    pub trade_count: u64,
    /// The equity at the end, in the quote currency: that of the start plus what each trade brought.
    pub end_equity: Decimal,
    /// What was paid, by kind.
    pub costs: Costs,
    /// The value of all fills, in the quote currency.
    pub traded: Decimal,
    /// How many signals there were.
    pub signals: u64,
    /// Of these, how many led to no trade, by the reason.
    pub ignored: BTreeMap<Ignored, u64>,
    /// How many candles there were.
    pub candles: u64,
    /// Equity over time; `None` if there were no candles.
    pub equity: Option<EquityCurve>,
    /// Whether the account lost everything.
    pub is_ruined: bool,
}
