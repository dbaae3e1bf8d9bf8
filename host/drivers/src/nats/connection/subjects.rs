//! Subjects: which ones are read, which ones are published under, and whether one pattern covers another.

use std::str::FromStr;

use thiserror::Error;

/// Why a text can't be used as a subject.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{given:?} can't be used as a subject: {problem}")]
pub struct SubjectError {
    given: String,
    problem: &'static str,
}

/// What is wrong with a subject: what its parts may contain, and what to write instead.
const TOKENS: &str = "give parts without blanks, joined by single dots, such as binance.extraction";
const PLACEHOLDERS: &str = "of braces only {strategy}, {symbol} and {timeframe} are known";
const NO_WILDCARDS: &str = "signals need an exact subject; * and > are for readers";

fn refuse<T>(given: &str, problem: &'static str) -> Result<T, SubjectError> {
    Err(SubjectError { given: given.chars().take(80).collect(), problem })
}

fn has_sound_parts(subject: &str) -> bool {
    subject.split('.').all(|part| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control()))
}

/// Whether `outer` matches every subject that `inner` matches. If `inner` is a plain subject: whether `outer` matches
/// it.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let mut inner = inner.split('.');
    for part in outer.split('.') {
        match (part, inner.next()) {
            (">", rest) => return rest.is_some(),
            (_, None) | ("*", Some(">")) => return false,
            ("*", Some(_)) => {}
            (part, Some(other)) if part == other => {}
            _ => return false,
        }
    }
    inner.next().is_none()
}

/// The subjects under which candle events arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSubjects(Vec<String>);

impl FromStr for EventSubjects {
    type Err = SubjectError;

    /// Reads one prefix, or several separated by commas. A prefix that another one covers is left out.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let mut patterns: Vec<String> = Vec::new();
        for prefix in text.split(',').map(str::trim).filter(|prefix| !prefix.is_empty()) {
            let prefix = prefix.strip_suffix(".>").unwrap_or(prefix);
            if !has_sound_parts(prefix) || prefix.split('.').any(|part| part == ">") {
                return refuse(prefix, TOKENS);
            }
            let pattern = format!("{prefix}.>");
            if patterns.iter().any(|known| covers(known, &pattern)) {
                continue;
            }
            patterns.retain(|known| !covers(&pattern, known));
            patterns.push(pattern);
        }
        if patterns.is_empty() { refuse(text, TOKENS) } else { Ok(Self(patterns)) }
    }
}

impl EventSubjects {
    /// The patterns to subscribe to. Two of them may still match the same subject if both contain wildcards.
    pub(crate) fn patterns(&self) -> &[String] {
        &self.0
    }
}

/// The subject under which signals are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalSubject(String);

impl FromStr for SignalSubject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let text = text.trim();
        // Only letters, digits, - and _ are filled in later; see `Symbol` and `StrategyId`.
        let filled = ["{strategy}", "{symbol}", "{timeframe}"].iter().fold(text.to_owned(), |t, p| t.replace(p, "x"));
        if !has_sound_parts(&filled) {
            return refuse(text, TOKENS);
        }
        if filled.contains(['{', '}']) {
            return refuse(text, PLACEHOLDERS);
        }
        if filled.contains(['*', '>']) {
            return refuse(text, NO_WILDCARDS);
        }
        Ok(Self(text.to_owned()))
    }
}

impl SignalSubject {
    /// The pattern of all subjects that this one may become: a part with a placeholder becomes `*`.
    pub(crate) fn pattern(&self) -> String {
        let parts = self.0.split('.').map(|part| if part.contains('{') { "*" } else { part });
        parts.collect::<Vec<_>>().join(".")
    }
}

/// Whether a message may be published under `subject`.
pub(crate) fn is_publishable(subject: &str) -> bool {
    has_sound_parts(subject) && !subject.contains(['*', '>', '{', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Vec<String> {
        text.parse::<EventSubjects>().unwrap().0
    }

    #[test]
    fn a_pattern_covers_what_it_stands_for() {
        for (outer, inner) in [("a.>", "a.b"), ("a.>", "a.b.c"), ("a.*", "a.b"), ("a.>", "a.*.>"), ("a.*.c", "a.b.c")] {
            assert!(covers(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [("a.>", "a"), ("a.*", "a.>"), ("a.*", "a.b.c"), ("a.b", "a.*"), ("ab.>", "a.b")] {
            assert!(!covers(outer, inner), "{outer} {inner}");
        }
    }

    #[test]
    fn prefixes_that_overlap_are_read_once() {
        assert_eq!(patterns("binance.extraction"), ["binance.extraction.>"]);
        assert_eq!(patterns(" binance.extraction, binance , binance.extraction.klines.>,"), ["binance.>"]);
        assert_eq!(patterns("a.*,*.b"), ["a.*.>", "*.b.>"]);
        for bad in ["", ",", "a..b", "a b", ".a", "a.>.b", ">"] {
            let error = bad.parse::<EventSubjects>().unwrap_err().to_string();
            assert!(error.contains("binance.extraction"), "{error}");
        }
    }

    #[test]
    fn placeholders_become_wildcards_of_the_stream() {
        let pattern = |text: &str| text.parse::<SignalSubject>().unwrap().pattern();
        assert_eq!(pattern("cio.intent.trading"), "cio.intent.trading");
        assert_eq!(pattern("signals.{strategy}.{symbol}-{timeframe}.x"), "signals.*.*.x");
        let told = |text: &str| text.parse::<SignalSubject>().unwrap_err().to_string();
        assert!(told("signals.{stratgy}").contains("{strategy}"));
        assert!(told("signals.*").contains("exact"));
        assert!(told("signals trading").contains("blanks"));
    }

    #[test]
    fn every_symbol_and_strategy_is_a_part_of_a_subject() {
        let symbol: ta_bot_core::Symbol = "1000shib-usdt_x".parse().unwrap();
        let strategy: ta_bot_core::StrategyId = "rsi_2".parse().unwrap();
        assert!(is_publishable(&format!("signals.{strategy}.{symbol}.15m")));
        for bad in ["signals.*", "signals.>", "a..b", "a b", "", "a.{symbol}"] {
            assert!(!is_publishable(bad), "{bad}");
        }
    }
}
