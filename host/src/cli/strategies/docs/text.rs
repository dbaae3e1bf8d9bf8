//! How a page shows numbers, moments and a guest's words.

use chrono::{DateTime, Utc};
use ta_bot_core::{Timestamp, Value};

use crate::cli::output::one_line;

/// A number as a page shows it: with a few digits more than a trader reads, so that the candle can be found again.
pub(super) fn number(value: f64) -> String {
    rounded(value, 8)
}

/// A number in plain decimals with up to `digits` significant digits. `digits` is at least 1.
pub(super) fn rounded(value: f64, digits: i32) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    // The formatter gives the exponent after rounding: a logarithm may differ in its last bit from machine to machine.
    let scientific = format!("{value:.*e}", digits as usize - 1);
    let exponent: i32 = scientific.rsplit('e').next().and_then(|exponent| exponent.parse().ok()).unwrap_or_default();
    let decimals = (digits - 1 - exponent).max(0) as usize;
    let plain = format!("{value:.decimals$}");
    let short = if plain.contains('.') { plain.trim_end_matches('0').trim_end_matches('.') } else { &plain };
    if short == "-0" { "0".to_owned() } else { short.to_owned() }
}

/// A confidence, which has no unit and needs no more than four decimals.
pub(super) fn confidence(value: f64) -> String {
    number((value * 10_000.0).round() / 10_000.0)
}

/// A value as it would be written in a configuration.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Number(value) => number(*value),
        Value::Text(text) => cell(text),
    }
}

/// A moment to the minute.
pub(super) fn moment(at: Timestamp) -> String {
    format!("{} UTC", formatted(at, "%Y-%m-%d %H:%M"))
}

/// A moment in one of chrono's formats.
pub(super) fn formatted(at: Timestamp, format: &str) -> String {
    DateTime::<Utc>::from_timestamp_millis(at.millis()).map(|at| at.format(format).to_string()).unwrap_or_default()
}

/// A guest's words in a table cell: Markdown, but on one line and with nothing that ends the cell.
pub(super) fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

/// A guest's words on one line, without HTML.
pub(super) fn prose(text: &str) -> String {
    one_line(text).replace('<', "&lt;")
}

/// A list of counts: `310 buy, 12 sell`.
pub(super) fn counted<'a>(counts: impl IntoIterator<Item = (&'a &'static str, &'a usize)>) -> String {
    counts.into_iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_noise() {
        let cases = [
            (0.1 + 0.2, "0.3"),
            (0.099_469_990_000_000_01, "0.09946999"),
            (46_410.0, "46410"),
            (38_123.456_789, "38123.457"),
            (-0.000_000_032_1, "-0.0000000321"),
            (123_456_789_012.5, "123456789012"),
            (9.999_999_99, "10"),
            (-0.0, "0"),
            (f64::NAN, "–"),
        ];
        for (given, shown) in cases {
            assert_eq!(number(given), shown);
        }
        assert_eq!(rounded(0.031_368_628, 6), "0.0313686");
        assert_eq!(confidence(0.834_291_7), "0.8343");
    }

    #[test]
    fn words_stay_in_their_cell() {
        assert_eq!(cell("a | b\n<c>"), "a \\| b &lt;c>");
        assert_eq!(moment(Timestamp::from_millis(1_767_226_500_000)), "2026-01-01 00:15 UTC");
    }
}
