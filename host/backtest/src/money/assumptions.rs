//! What is assumed about orders, costs and sizes. Each assumption is a field, with a default that errs on the side of
//! the market.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::instrument::Instrument;

mod words;

/// The assumptions of a simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Assumptions {
    /// What the account begins with, in the quote currency: 10,000.
    pub start_equity: Decimal,
    /// What the exchange takes of each fill's value: 0.1 %, for both kinds of orders.
    pub fees: Fees,
    /// How much worse than the price a market order or a stop is filled: 0.05 % of the price.
    pub slippage: Slippage,
    /// How many candles pass between the signal and its order, beyond the one whose close made it: 0, so that it is
    /// filled at the next candle's open.
    pub latency_candles: u32,
    /// Which positions are allowed: both.
    pub sides: Sides,
    /// What a signal against an open position does: it closes it and opens the other side.
    pub opposite: OppositeSignal,
    /// How many positions there are at a time: one for each symbol.
    pub holding: Holding,
    /// How large a trade is: 10 % of the equity.
    pub sizing: Sizing,
    /// The most positions at a time, over all symbols: no limit.
    pub max_positions: Option<u32>,
    /// The most that all positions together may be worth at an entry, as a multiple of the equity: 1, so that nothing
    /// is borrowed. A trade is made smaller to fit.
    pub max_exposure: Decimal,
    /// The same for the positions of one symbol: no further limit.
    pub max_symbol_exposure: Option<Decimal>,
    /// The price of a target if a candle opens beyond it: the target's.
    pub target_gap: TargetGap,
    /// What perpetuals pay for being held, if the instrument does not say: 0.01 % every 8 hours.
    pub funding: Funding,
    /// After how many candles of its series every trade ends, at the next one's open: never.
    pub max_candles: Option<u32>,
}

/// What the exchange takes, as a share of a fill's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// For targets, which are limit orders.
    pub maker: Decimal,
    /// For entries, stops and everything else.
    pub taker: Decimal,
}

/// How much worse than the price a market order or a stop is filled. Targets are limit orders and have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slippage {
    /// By this share of the price.
    Fixed(Decimal),
    /// By this share of the range from low to high: of the last closed candle for a fill at an open, of the larger one
    /// of that and its own for a stop within a candle.
    OfRange(Decimal),
}

/// Which positions are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// Long and short.
    Both,
    /// Long only: a sell closes, and never opens.
    LongOnly,
}

/// What a signal against an open position does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OppositeSignal {
    /// It closes it and opens the other side.
    Reverse,
    /// It only closes it.
    Close,
}

/// How many positions there are at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holding {
    /// One for each symbol, whoever opened it; every signal for the symbol may end it.
    OnePerSymbol,
    /// One for each symbol, strategy and timeframe, which only its own signals end.
    OnePerStrategy,
    /// Up to this many on the same side for each symbol, strategy and timeframe, which their own signals end together.
    Several(u32),
}

/// How large a trade is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sizing {
    /// This quantity, in the base currency.
    Quantity(Decimal),
    /// This value, in the quote currency.
    Value(Decimal),
    /// This share of the equity.
    Equity(Decimal),
    /// As much as loses this share of the equity if the stop is filled at its price.
    RiskToStop(Decimal),
    /// This share of the equity, times the confidence of the signal.
    Confidence(Decimal),
}

/// The price of a target if a candle opens beyond it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetGap {
    /// The target's: no more than was asked for.
    AtTarget,
    /// The open's, which is better.
    AtOpen,
}

/// What perpetuals pay for being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Funding {
    /// Nothing: for markets without funding.
    None,
    /// As long as the true rates are unknown: this share of a position's value, every so many hours, which longs and
    /// shorts pay alike.
    EveryonePays {
        /// The share of a position's value.
        rate: Decimal,
        /// Every so many hours, counted from midnight UTC.
        hours: u32,
    },
}

impl Default for Assumptions {
    fn default() -> Self {
        Self {
            start_equity: Decimal::new(10_000, 0),
            fees: Fees { maker: Decimal::new(1, 3), taker: Decimal::new(1, 3) },
            slippage: Slippage::Fixed(Decimal::new(5, 4)),
            latency_candles: 0,
            sides: Sides::Both,
            opposite: OppositeSignal::Reverse,
            holding: Holding::OnePerSymbol,
            sizing: Sizing::Equity(Decimal::new(1, 1)),
            max_positions: None,
            max_exposure: Decimal::ONE,
            max_symbol_exposure: None,
            target_gap: TargetGap::AtTarget,
            funding: Funding::EveryonePays { rate: Decimal::new(1, 4), hours: 8 },
            max_candles: None,
        }
    }
}

/// Assumptions that contradict themselves or reality.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssumptionsError {
    /// A number is outside of what makes sense.
    #[error("{name} is {given}: give {allowed}")]
    OutOfBounds {
        /// Which assumption.
        name: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The rules of an instrument are wrong.
    #[error("{0}")]
    Instrument(String),
    /// An instrument is given twice.
    #[error("the instrument {0} is given twice: give each symbol once")]
    Twice(String),
}

impl Assumptions {
    /// Checks every number. A market may not pay for being traded.
    pub fn check(&self, instruments: &[Instrument]) -> Result<(), AssumptionsError> {
        const SHARE: &str = "a share of the price from 0 to below 1, such as 0.001 for 0.1 %";
        const POSITIVE: &str = "a number above 0";
        let share = |value: Decimal| !value.is_sign_negative() && value < Decimal::ONE;
        let above_zero = |value: Decimal| value > Decimal::ZERO;
        let (Slippage::Fixed(slippage) | Slippage::OfRange(slippage)) = self.slippage;
        let (Sizing::Quantity(size)
        | Sizing::Value(size)
        | Sizing::Equity(size)
        | Sizing::RiskToStop(size)
        | Sizing::Confidence(size)) = self.sizing;
        let largest = Decimal::new(1_000_000_000_000, 0);
        let symbol_exposure = self.max_symbol_exposure.unwrap_or(Decimal::ONE);
        let checks = [
            (
                "start_equity",
                self.start_equity,
                above_zero(self.start_equity) && self.start_equity <= largest,
                POSITIVE,
            ),
            ("fees.maker", self.fees.maker, share(self.fees.maker), SHARE),
            ("fees.taker", self.fees.taker, share(self.fees.taker), SHARE),
            ("slippage", slippage, share(slippage), SHARE),
            ("sizing", size, above_zero(size) && size <= largest, POSITIVE),
            ("max_exposure", self.max_exposure, above_zero(self.max_exposure), POSITIVE),
            ("max_symbol_exposure", symbol_exposure, above_zero(symbol_exposure), POSITIVE),
        ];
        let out = |name, given: String, allowed| Err(AssumptionsError::OutOfBounds { name, given, allowed });
        if let Some((name, given, _, allowed)) = checks.into_iter().find(|(_, _, fits, _)| !fits) {
            return out(name, given.to_string(), allowed);
        }
        self.check_counts()?;
        for (place, instrument) in instruments.iter().enumerate() {
            if let Some(problem) = instrument.problem() {
                return Err(AssumptionsError::Instrument(problem));
            }
            if instruments[..place].iter().any(|other| other.symbol == instrument.symbol) {
                return Err(AssumptionsError::Twice(instrument.symbol.to_string()));
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), AssumptionsError> {
        const COUNT: &str = "a number from 1, or leave it out";
        let out = |name, given: String, allowed| Err(AssumptionsError::OutOfBounds { name, given, allowed });
        if let Funding::EveryonePays { rate, hours } = self.funding {
            if rate.is_sign_negative() || rate >= Decimal::ONE {
                return out("funding.rate", rate.to_string(), "a share of a position's value from 0, such as 0.0001");
            }
            if hours == 0 || 24 % hours != 0 {
                return out("funding.hours", hours.to_string(), "1, 2, 3, 4, 6, 8, 12 or 24");
            }
        }
        let counts = [
            ("holding", if let Holding::Several(most) = self.holding { Some(most) } else { None }),
            ("max_positions", self.max_positions),
            ("max_candles", self.max_candles),
        ];
        match counts.into_iter().find(|(_, count)| *count == Some(0)) {
            Some((name, _)) => out(name, "0".to_owned(), COUNT),
            None => Ok(()),
        }
    }
}
