//! Formats prices for sentences.

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
}
