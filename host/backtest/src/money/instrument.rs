//! What can be traded, and in which steps.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use ta_bot_core::{Symbol, Timestamp};

/// A market, and the rules of its exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// The market.
    pub symbol: Symbol,
    /// Prices are multiples of it, in the quote currency; 0 if any price is allowed. A fill is rounded against us.
    #[serde(default)]
    pub tick: Decimal,
    /// Quantities are multiples of it, in the base currency. They are rounded down.
    #[serde(default = "hundred_millionth")]
    pub step: Decimal,
    /// The smallest quantity that the exchange takes, in the base currency.
    #[serde(default)]
    pub min_quantity: Decimal,
    /// The smallest value of an order that the exchange takes, in the quote currency.
    #[serde(default)]
    pub min_notional: Decimal,
    /// The funding that was paid, oldest first. If there is any, it replaces the assumed rate.
    #[serde(default)]
    pub funding: Vec<FundingRate>,
}

/// The funding of a perpetual at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundingRate {
    /// When it was due.
    pub at: Timestamp,
    /// The share of a position's value that longs paid to shorts; shorts paid it to longs if it is negative.
    pub rate: Decimal,
}

fn hundred_millionth() -> Decimal {
    Decimal::new(1, 8)
}

impl Instrument {
    /// A market without rules: any price, quantities in steps of 0.00000001, no minimum.
    pub fn any(symbol: Symbol) -> Self {
        Self {
            symbol,
            tick: Decimal::ZERO,
            step: hundred_millionth(),
            min_quantity: Decimal::ZERO,
            min_notional: Decimal::ZERO,
            funding: Vec::new(),
        }
    }

    /// What is wrong with these rules; `None` if nothing is.
    pub(super) fn problem(&self) -> Option<String> {
        let amounts = [
            ("tick", self.tick),
            ("step", self.step),
            ("min_quantity", self.min_quantity),
            ("min_notional", self.min_notional),
        ];
        let symbol = &self.symbol;
        if let Some((name, value)) = amounts.into_iter().find(|(_, value)| value.is_sign_negative()) {
            return Some(format!("{name} of {symbol} is {value}: give 0 or more"));
        }
        let pair = self.funding.windows(2).find(|pair| pair[0].at >= pair[1].at);
        if let Some([before, after]) = pair {
            let (before, after) = (before.at, after.at);
            return Some(format!(
                "the funding of {symbol} at {after} stands behind that of {before}: order it by time"
            ));
        }
        let wrong = self.funding.iter().find(|funding| funding.rate.abs() >= Decimal::ONE)?;
        let FundingRate { at, rate } = wrong;
        Some(format!("the funding of {symbol} at {at} is {rate}: give a share of a position's value, such as 0.0001"))
    }
}
