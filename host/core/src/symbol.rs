//! The name of a market, such as `BTCUSDT`.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of a market: 3 to 20 capital letters, digits, `-` or `_`. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(Arc<str>);

/// Why a text is not a valid symbol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no symbol: give 3 to 20 letters or digits (also - and _), such as BTCUSDT")]
pub struct SymbolError(String);

impl Symbol {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Symbol {
    type Err = SymbolError;

    /// Lower-case letters are converted to upper case.
    fn from_str(text: &str) -> Result<Self, SymbolError> {
        let fits =
            (3..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if fits {
            Ok(Self(text.to_ascii_uppercase().into()))
        } else {
            Err(SymbolError(text.chars().take(40).collect()))
        }
    }
}

impl TryFrom<String> for Symbol {
    type Error = SymbolError;

    fn try_from(text: String) -> Result<Self, SymbolError> {
        text.parse()
    }
}

impl From<Symbol> for String {
    fn from(symbol: Symbol) -> Self {
        symbol.0.to_string()
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Symbol;

    #[test]
    fn takes_market_names_and_refuses_the_rest() {
        assert_eq!("btcusdt".parse::<Symbol>().unwrap().as_str(), "BTCUSDT");
        assert!("1000SHIB-USDT".parse::<Symbol>().is_ok());
        for bad in ["", "AB", "BTC USDT", "BTC/USDT", "ÄÄÄÄ", "A_VERY_LONG_SYMBOL_NAME"] {
            let error = bad.parse::<Symbol>().unwrap_err().to_string();
            assert!(error.contains("BTCUSDT"), "{error}");
        }
    }
}
