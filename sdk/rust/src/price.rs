//! Formats prices and readings for sentences. The SDKs of all languages make the same texts of the same numbers.

use core::fmt;

/// The number of digits that tell prices apart: that of Bitcoin to the cent, and that of a coin worth a millionth.
const SIGNIFICANT_DIGITS: usize = 7;

/// A price for a rationale: seven significant digits, without trailing zeros.
///
/// ```
/// use ta_bot_sdk::price;
///
/// assert_eq!(price(41_983.5).to_string(), "41983.5");
/// assert_eq!(price(0.000_012_345_678).to_string(), "0.00001234568");
/// assert_eq!(price(100.0).to_string(), "100");
/// ```
pub const fn price(price: f64) -> impl fmt::Display {
    Price(price)
}

/// The greatest number of decimals of [`fixed`].
const MOST_DECIMALS: u32 = 8;

/// From here on (2^53) every `f64` is whole.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// A reading for a rationale, with up to 8 decimals; halves are rounded away from 0. More decimals are taken for 8.
///
/// ```
/// use ta_bot_sdk::fixed;
///
/// assert_eq!(fixed(2.0, 2).to_string(), "2.00");
/// assert_eq!(fixed(-0.125, 2).to_string(), "-0.13");
/// assert_eq!(fixed(-0.001, 2).to_string(), "0.00");
/// ```
pub const fn fixed(value: f64, decimals: u32) -> impl fmt::Display {
    Fixed(value, if decimals > MOST_DECIMALS { MOST_DECIMALS } else { decimals })
}

struct Fixed(f64, u32);

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self(value, decimals) = self;
        let scale = 10_u64.pow(decimals);
        let scaled = value.abs() * scale as f64 + 0.5;
        if scaled.is_nan() || scaled >= WHOLE {
            // Decimals would say nothing of so large a number.
            return write!(f, "{}", value.trunc());
        }
        let units = scaled as u64;
        let sign = if value < 0.0 && units > 0 { "-" } else { "" };
        write!(f, "{sign}{}", units / scale)?;
        if decimals > 0 {
            write!(f, ".{:0width$}", units % scale, width = decimals as usize)?;
        }
        Ok(())
    }
}

struct Price(f64);

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.*}", decimals(self.0.abs()), self.0);
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        f.write_str(text)
    }
}

/// How many decimals show the significant digits.
fn decimals(size: f64) -> usize {
    let mut decimals = SIGNIFICANT_DIGITS - 1;
    let mut scaled = size;
    while scaled >= 10.0 && decimals > 0 {
        scaled /= 10.0;
        decimals -= 1;
    }
    while scaled < 1.0 && scaled > 0.0 && decimals < 20 {
        scaled *= 10.0;
        decimals += 1;
    }
    decimals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seven_digits_and_no_more_zeros_than_needed() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (41_983.126, "41983.13"),
            (12_345_678.9, "12345679"),
            (1e-8, "0.00000001"),
            (0.1 + 0.2, "0.3"),
            (9.999_999_99, "10"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(price(value).to_string(), text);
        }
    }

    #[test]
    fn decimals_are_fixed_and_halves_go_away_from_zero() {
        for (value, decimals, text) in [
            (0.0, 2, "0.00"),
            (0.125, 2, "0.13"),
            (-0.125, 2, "-0.13"),
            (-0.004, 2, "0.00"),
            (1.05, 0, "1"),
            (99.999, 2, "100.00"),
            (1e18, 2, "1000000000000000000"),
            (f64::NAN, 2, "NaN"),
            (f64::NEG_INFINITY, 2, "-inf"),
        ] {
            assert_eq!(fixed(value, decimals).to_string(), text);
        }
    }
}
