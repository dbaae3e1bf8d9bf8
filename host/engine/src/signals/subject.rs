//! The subject that signals go to.

use std::str::FromStr;

use ta_bot_core::{StrategyId, Symbol, Timeframe};
use thiserror::Error;

/// Why a text can't be used as a subject.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{given:?} can't be used as a subject: {problem}")]
pub struct SubjectError {
    given: String,
    problem: &'static str,
}

/// What may be filled in.
const PLACEHOLDERS: [&str; 3] = ["{strategy}", "{symbol}", "{timeframe}"];
/// What is appended to a subject without placeholders. Readers of `base.>` and `base.*` receive nothing that is sent to
/// the base itself.
const APPENDED: &str = ".{strategy}";
/// What readers write behind the base in the variable that they share with this service.
const READERS_ENDS: [&str; 3] = [".>", ".*", "."];

/// What is wrong with a subject: what its parts may contain, and what to write instead.
const WRONG_PARTS: &str = "give parts without blanks, joined by single dots, such as cio.intent.trading";
const WRONG_PLACEHOLDERS: &str = "of braces only {strategy}, {symbol} and {timeframe} are known";
const NO_WILDCARDS: &str = "signals need an exact subject; * and > are for readers, and only left out at the end";

impl SubjectError {
    /// An error for this text, with what is wrong and what to write instead.
    pub fn new(given: &str, problem: &'static str) -> Self {
        Self { given: given.chars().take(80).collect(), problem }
    }
}

/// Whether a subject has no part that is empty or contains blanks or control characters.
pub fn has_sound_parts(subject: &str) -> bool {
    subject.split('.').all(|part| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control()))
}

/// The subject of signals, in which strategy, symbol and timeframe of each signal are filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalSubject(String);

impl FromStr for SignalSubject {
    type Err = SubjectError;

    /// Reads a subject with placeholders, or the base of one.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let text = text.trim();
        let mut base = text;
        while let Some(shorter) = READERS_ENDS.iter().find_map(|end| base.strip_suffix(end)) {
            base = shorter;
        }
        // Only letters, digits, - and _ are filled in later; see `Symbol` and `StrategyId`.
        let filled = PLACEHOLDERS.iter().fold(base.to_owned(), |filled, name| filled.replace(name, "x"));
        if !has_sound_parts(&filled) {
            return Err(SubjectError::new(text, WRONG_PARTS));
        }
        if filled.contains(['{', '}']) {
            return Err(SubjectError::new(text, WRONG_PLACEHOLDERS));
        }
        if filled.contains(['*', '>']) {
            return Err(SubjectError::new(text, NO_WILDCARDS));
        }
        let appended = if base.contains('{') { "" } else { APPENDED };
        Ok(Self(format!("{base}{appended}")))
    }
}

impl SignalSubject {
    /// The subject of the signals of a strategy on a series.
    pub fn of(&self, strategy: &StrategyId, symbol: &Symbol, timeframe: Timeframe) -> String {
        let values = [strategy.as_str(), symbol.as_str(), timeframe.as_str()];
        PLACEHOLDERS.iter().zip(values).fold(self.0.clone(), |subject, (name, value)| subject.replace(name, value))
    }

    /// The parts, joined by dots in the subject. Of a part that varies between signals it says so instead.
    pub fn parts(&self) -> impl Iterator<Item = SubjectPart<'_>> {
        self.0.split('.').map(|part| if part.contains('{') { SubjectPart::Varies } else { SubjectPart::Fixed(part) })
    }

    /// The pattern of all subjects that this one may become: a part that varies is `*`.
    pub fn pattern(&self) -> String {
        let parts = self.parts().map(|part| match part {
            SubjectPart::Fixed(part) => part,
            SubjectPart::Varies => "*",
        });
        parts.collect::<Vec<_>>().join(".")
    }
}

/// A part of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectPart<'a> {
    /// The same for all signals.
    Fixed(&'a str),
    /// It has a placeholder.
    Varies,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SignalSubject {
        text.parse().unwrap()
    }

    #[test]
    fn a_base_gets_the_strategy() {
        for text in [
            "cio.intent.trading",
            " cio.intent.trading ",
            "cio.intent.trading.",
            "cio.intent.trading.*",
            "cio.intent.trading.>",
            "cio.intent.trading.*.>",
            "cio.intent.trading.{strategy}",
            "cio.intent.trading.{strategy}.>",
        ] {
            let subject = read(text);
            assert_eq!(subject.pattern(), "cio.intent.trading.*", "{text}");
            let of = subject.of(&"rsi".parse().unwrap(), &"BTCUSDT".parse().unwrap(), Timeframe::M15);
            assert_eq!(of, "cio.intent.trading.rsi", "{text}");
        }
    }

    #[test]
    fn placeholders_are_filled_in_and_vary() {
        let subject = read("signals.{strategy}.{symbol}-{timeframe}.x");
        assert_eq!(subject.pattern(), "signals.*.*.x");
        let of = subject.of(&"rsi_2".parse().unwrap(), &"1000shib-usdt".parse().unwrap(), Timeframe::H1);
        assert_eq!(of, "signals.rsi_2.1000SHIB-USDT-1h.x");
        assert!(has_sound_parts(&of));
        assert_eq!(read("signals.{symbol}").pattern(), "signals.*", "one of them is enough");
    }

    #[test]
    fn an_error_says_what_to_write() {
        let told = |text: &str| text.parse::<SignalSubject>().unwrap_err().to_string();
        assert!(told("signals.{stratgy}").contains("{strategy}"));
        for readers in ["signals.*.x", ">", "*", "signals.>.x"] {
            assert!(told(readers).contains("exact"), "{readers}");
        }
        for wrong in ["signals trading", "", ".", "a..b", ".a"] {
            assert!(told(wrong).contains("cio.intent.trading"), "{wrong}");
        }
        assert!(told(&"x ".repeat(1000)).len() < 300);
    }
}
