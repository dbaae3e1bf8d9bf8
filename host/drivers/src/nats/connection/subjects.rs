//! Subjects: which ones are read, which ones can be published under, and how patterns relate.

use std::str::FromStr;

use ta_bot_engine::signals::subject::{SubjectError, has_sound_parts};

/// What is wrong with a prefix of events, and what to write instead.
const WRONG_PARTS: &str = "give parts without blanks, joined by single dots, such as binance.extraction";

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

/// Whether there is a subject that both patterns match.
pub(crate) fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (None, None) | (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(part), Some(as_well)) if part == "*" || as_well == "*" || part == as_well => {}
            _ => return false,
        }
    }
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
                return Err(SubjectError::new(prefix, WRONG_PARTS));
            }
            let pattern = format!("{prefix}.>");
            if patterns.iter().any(|known| covers(known, &pattern)) {
                continue;
            }
            patterns.retain(|known| !covers(&pattern, known));
            patterns.push(pattern);
        }
        if patterns.is_empty() { Err(SubjectError::new(text, WRONG_PARTS)) } else { Ok(Self(patterns)) }
    }
}

impl EventSubjects {
    /// The patterns to subscribe to. Two of them may still match the same subject if both contain wildcards.
    pub(crate) fn patterns(&self) -> &[String] {
        &self.0
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
    fn patterns_overlap_if_a_subject_matches_both() {
        for (one, other) in [("a.*", "*.b"), ("a.>", "a.b.c"), ("a.b", "a.b"), ("a.*.c", "a.>"), ("a.*", "a.*")] {
            assert!(overlap(one, other) && overlap(other, one), "{one} {other}");
        }
        for (one, other) in [("a", "a.*"), ("a.*", "b.*"), ("a.>", "a"), ("a.*.c", "a.b.d"), ("a.b", "a.b.c")] {
            assert!(!overlap(one, other) && !overlap(other, one), "{one} {other}");
        }
    }

    #[test]
    fn wildcards_and_blanks_can_not_be_published_under() {
        assert!(is_publishable("signals.rsi_2.1000SHIB-USDT.15m"));
        for bad in ["signals.*", "signals.>", "a..b", "a b", "", "a.{symbol}"] {
            assert!(!is_publishable(bad), "{bad}");
        }
    }
}
