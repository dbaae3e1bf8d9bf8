//! Arithmetic of money: an amount that can't be held is an error, never a panic and never another amount.

use rust_decimal::{Decimal, RoundingStrategy, prelude::FromPrimitive as _, prelude::ToPrimitive as _};
use thiserror::Error;

/// Decimal places of every amount of money. The rest is rounded: costs up, everything else to the nearest.
const PLACES: u32 = 12;

/// An amount, a price or a quantity is too large or too small to be counted exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "an amount, a price or a quantity does not fit in a decimal of 28 digits: give prices between 0.000000000001 and \
     1000000000000000, and sizes that do not grow without a bound (sizing, max_exposure)"
)]
pub struct OutOfRange;

type Result<T> = std::result::Result<T, OutOfRange>;

/// The decimal that a price or a quantity is written as.
pub(super) fn exact(value: f64) -> Result<Decimal> {
    const RANGE: std::ops::RangeInclusive<f64> = 1e-12..=1e15;
    let decimal = if RANGE.contains(&value) { Decimal::from_f64(value) } else { None };
    decimal.filter(|decimal| !decimal.is_zero()).ok_or(OutOfRange)
}

/// The nearest float, for pictures and statistics.
pub(crate) fn float(amount: Decimal) -> f64 {
    amount.to_f64().unwrap_or(f64::NAN)
}

pub(super) fn sum(a: Decimal, b: Decimal) -> Result<Decimal> {
    a.checked_add(b).ok_or(OutOfRange)
}

pub(super) fn difference(a: Decimal, b: Decimal) -> Result<Decimal> {
    a.checked_sub(b).ok_or(OutOfRange)
}

pub(super) fn product(a: Decimal, b: Decimal) -> Result<Decimal> {
    a.checked_mul(b).ok_or(OutOfRange)
}

/// An amount of money, rounded to the nearest.
pub(super) fn amount(a: Decimal, b: Decimal) -> Result<Decimal> {
    Ok(product(a, b)?.round_dp_with_strategy(PLACES, RoundingStrategy::MidpointNearestEven))
}

/// An amount that is paid, rounded up.
pub(super) fn cost(a: Decimal, b: Decimal) -> Result<Decimal> {
    Ok(product(a, b)?.round_dp_with_strategy(PLACES, RoundingStrategy::ToPositiveInfinity))
}

/// The multiple of `step` at or below `value`; `value` itself if there is no step.
pub(super) fn down(value: Decimal, step: Decimal) -> Result<Decimal> {
    multiple(value, step, Decimal::floor)
}

/// The multiple of `step` at or above `value`; `value` itself if there is no step.
pub(super) fn up(value: Decimal, step: Decimal) -> Result<Decimal> {
    multiple(value, step, Decimal::ceil)
}

fn multiple(value: Decimal, step: Decimal, whole: fn(&Decimal) -> Decimal) -> Result<Decimal> {
    if step.is_zero() {
        return Ok(value);
    }
    let steps = value.checked_div(step).ok_or(OutOfRange)?;
    Ok(product(whole(&steps), step)?.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_the_decimal_that_it_is_written_as() {
        for value in [43_251.17, 0.1, 0.000_012_34, 1e-8, 123_456_789.123_456, 0.3, 1.0 / 3.0, 67_000.0] {
            let exact = exact(value).unwrap();
            assert_eq!(float(exact), value, "{exact}");
        }
        assert_eq!(exact(43_251.17).unwrap().to_string(), "43251.17");
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-13, 1e16] {
            assert_eq!(exact(wrong), Err(OutOfRange), "{wrong}");
        }
    }

    #[test]
    fn steps_round_as_they_say_and_what_does_not_fit_is_told() {
        let of = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(down(of("1.2345"), of("0.01")), Ok(of("1.23")));
        assert_eq!(up(of("1.2345"), of("0.01")), Ok(of("1.24")));
        assert_eq!(up(of("1.23"), of("0.01")), Ok(of("1.23")));
        assert_eq!(down(of("17"), of("5")), Ok(of("15")));
        assert_eq!(down(of("1.2345"), Decimal::ZERO), Ok(of("1.2345")));
        assert_eq!(product(Decimal::MAX, of("2")), Err(OutOfRange));
        assert_eq!(cost(of("0.0000000000001"), of("1")), Ok(of("0.000000000001")), "a cost is never rounded away");
    }
}
