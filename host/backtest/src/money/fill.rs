//! The price of a fill: slippage and the exchange's tick, both against us.

use rust_decimal::Decimal;
use ta_bot_core::Timestamp;

use super::{
    amount::{self, OutOfRange},
    assumptions::{Assumptions, Slippage},
    instrument::Instrument,
    trade::{Fill, Moment, Side},
};

/// How an order rests or goes to the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// At once, at what there is.
    Market,
    /// A limit order: no slippage, and the maker's fee.
    Limit,
}

/// Where and how something is filled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) at: Timestamp,
    pub(super) moment: Moment,
    /// The price before slippage.
    pub(super) reference: Decimal,
    /// The range from low to high that slippage may be a share of.
    pub(super) range: f64,
    pub(super) order: Order,
    /// The close of the candle whose signal asked for it.
    pub(super) signal: Option<Timestamp>,
}

/// The price at which an order at this place is filled. `is_buy` says what the order does, not which side is held.
pub(super) fn price(
    place: &Place,
    is_buy: bool,
    assumptions: &Assumptions,
    instrument: &Instrument,
) -> Result<Decimal, OutOfRange> {
    let reference = place.reference;
    let slip = match (place.order, assumptions.slippage) {
        (Order::Limit, _) => Decimal::ZERO,
        (Order::Market, Slippage::Fixed(share)) => amount::product(reference, share)?,
        (Order::Market, Slippage::OfRange(_)) if place.range <= 0.0 => Decimal::ZERO,
        (Order::Market, Slippage::OfRange(share)) => amount::product(amount::exact(place.range)?, share)?,
    };
    if is_buy {
        return amount::up(amount::sum(reference, slip)?, instrument.tick);
    }
    let price = amount::down(amount::difference(reference, slip)?, instrument.tick)?;
    // A range may be wider than the price is high.
    let lowest = if instrument.tick.is_zero() { Decimal::new(1, 12) } else { instrument.tick };
    Ok(price.max(lowest.min(reference)))
}

/// Fills `quantity`, in the base currency, of a position on `side`, which it opens or closes, at `price`.
pub(super) fn fill(
    place: &Place,
    price: Decimal,
    quantity: Decimal,
    assumptions: &Assumptions,
) -> Result<Fill, OutOfRange> {
    let Place { at, moment, reference, order, signal, .. } = *place;
    let rate = if order == Order::Limit { assumptions.fees.maker } else { assumptions.fees.taker };
    let fee = amount::cost(amount::product(price, quantity)?, rate)?;
    let slippage = amount::cost(amount::difference(price, reference)?.abs(), quantity)?;
    Ok(Fill { at, moment, reference, price, fee, slippage, signal })
}

/// A price at which a position ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    pub(super) price: Decimal,
    /// The same as a float, for comparisons with candles.
    float: f64,
}

impl Level {
    /// A stop, at exactly this price.
    pub(super) fn stop(price: f64) -> Result<Self, OutOfRange> {
        Ok(Self { price: amount::exact(price)?, float: price })
    }

    /// A target for a position on `side`. It rests in the exchange's book, so it is a multiple of the tick, rounded
    /// away from the entry.
    pub(super) fn target(price: f64, side: Side, instrument: &Instrument) -> Result<Self, OutOfRange> {
        let given = amount::exact(price)?;
        let price = match side {
            Side::Long => amount::up(given, instrument.tick)?,
            Side::Short => amount::down(given, instrument.tick)?,
        };
        Ok(Self { price, float: amount::float(price) })
    }

    /// Whether a stop of a position on `side` is reached at `price`.
    pub(super) fn stops(&self, side: Side, price: f64) -> bool {
        match side {
            Side::Long => price <= self.float,
            Side::Short => price >= self.float,
        }
    }

    /// Whether a target of a position on `side` is reached at `price`.
    pub(super) fn targets(&self, side: Side, price: f64) -> bool {
        match side {
            Side::Long => price >= self.float,
            Side::Short => price <= self.float,
        }
    }
}
