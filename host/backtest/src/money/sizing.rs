//! How large a trade is.

use rust_decimal::Decimal;

use super::{
    amount::{self, OutOfRange},
    assumptions::Sizing,
    fill::Level,
    instrument::Instrument,
    signal::{Ignored, TradeSignal},
};

/// How much a trade at `price` wants to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    /// This quantity, in the base currency.
    Quantity(Decimal),
    /// As much as there is room for.
    Everything,
    /// Nothing can be said without a stop.
    NoStop,
}

/// The size that the rule asks for, before limits.
pub(super) fn wanted(
    sizing: Sizing,
    signal: &TradeSignal,
    (price, stop): (Decimal, Option<Level>),
    equity: Decimal,
) -> Result<Wanted, OutOfRange> {
    let worth = |value: Decimal| value.checked_div(price).map(Wanted::Quantity).ok_or(OutOfRange);
    match sizing {
        Sizing::Quantity(quantity) => Ok(Wanted::Quantity(quantity)),
        Sizing::Value(value) => worth(value),
        Sizing::Equity(share) => worth(amount::product(equity, share)?),
        Sizing::Confidence(share) => {
            let confidence = Decimal::try_from(signal.confidence).map_err(|_| OutOfRange)?;
            worth(amount::product(amount::product(equity, share)?, confidence)?)
        }
        Sizing::RiskToStop(share) => {
            let Some(stop) = stop else { return Ok(Wanted::NoStop) };
            let distance = amount::difference(price, stop.price)?.abs();
            // A stop that is as good as the price would allow any size; the room decides then.
            let quantity = amount::product(equity, share)?.checked_div(distance);
            Ok(quantity.map_or(Wanted::Everything, Wanted::Quantity))
        }
    }
}

/// The quantity that is traded at `price`: what is wanted, made smaller to fit into `room` together with its fee, in
/// steps of the exchange.
pub(super) fn quantity(
    wanted: Wanted,
    room: Decimal,
    price: Decimal,
    fee: Decimal,
    rules: &Instrument,
) -> Result<Result<Decimal, Ignored>, OutOfRange> {
    let with_fee = amount::product(price, amount::sum(Decimal::ONE, fee)?)?;
    let most = room.checked_div(with_fee).ok_or(OutOfRange)?;
    let (quantity, is_cut) = match wanted {
        Wanted::NoStop => return Ok(Err(Ignored::NoStop)),
        Wanted::Everything => (most, true),
        Wanted::Quantity(quantity) => (quantity.min(most), most < quantity),
    };
    let quantity = amount::down(quantity, rules.step)?;
    let is_too_small = quantity <= Decimal::ZERO
        || quantity < rules.min_quantity
        || amount::product(quantity, price)? < rules.min_notional;
    Ok(match (is_too_small, is_cut) {
        (false, _) => Ok(quantity),
        (true, true) => Err(Ignored::NoRoom),
        (true, false) => Err(Ignored::BelowMinimum),
    })
}
