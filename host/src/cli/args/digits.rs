//! How a module is named on the command line: by its digest, or by as many of the first digits as tell it from the
//! others.

use std::str::FromStr;

use ta_bot_api::views::deployment::BUNDLED;

/// How many digits are needed at least.
const FEWEST: usize = 6;
/// How many digits a whole digest has.
const ALL: usize = 64;

/// The first digits of a digest, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Digits(pub(in crate::cli) String);

impl FromStr for Digits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = (FEWEST..=ALL).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wrong =
            || format!("give the SHA-256 of a module, {ALL} hex digits, or at least {FEWEST} of the first of them");
        fits.then(|| Self(text.to_ascii_lowercase())).ok_or_else(wrong)
    }
}

/// The module that is chosen to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum Chosen {
    /// The one that came with the service.
    Bundled,
    /// A module in the store.
    Kept(Digits),
}

impl FromStr for Chosen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == BUNDLED {
            return Ok(Self::Bundled);
        }
        let or_bundled = |error| format!("{error}; or {BUNDLED} for the one that came with the service");
        text.parse().map(Self::Kept).map_err(or_bundled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_named_by_digits_of_its_digest() {
        for (text, digits) in [("abcdef", "abcdef"), ("0123456789ABCDEF", "0123456789abcdef")] {
            assert_eq!(text.parse(), Ok(Digits(digits.to_owned())));
        }
        for text in ["", "abcde", "abcdeg", "bundled", "\u{e9}\u{e9}\u{e9}", &"a".repeat(65)] {
            assert!(text.parse::<Digits>().unwrap_err().contains("64 hex digits"), "{text}");
        }
        assert_eq!("bundled".parse(), Ok(Chosen::Bundled));
        assert!("Bundled".parse::<Chosen>().unwrap_err().contains("or bundled"));
    }
}
