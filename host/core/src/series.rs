//! A series of candles by its name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Symbol, Timeframe};

/// A series of candles: a market and the length of the candles. As a text it is both, such as `BTCUSDT 15m`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Series {
    /// The symbol of the candles.
    pub symbol: Symbol,
    /// The timeframe of the candles.
    pub timeframe: Timeframe,
}

/// Why a text is not a series.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{given:?} is no series{problem}: give a symbol and a timeframe, such as \"BTCUSDT 15m\"")]
pub struct SeriesError {
    given: String,
    problem: String,
}

impl FromStr for Series {
    type Err = SeriesError;

    /// Any blanks may stand between the two.
    fn from_str(text: &str) -> Result<Self, SeriesError> {
        let error = |problem: String| SeriesError { given: text.chars().take(80).collect(), problem };
        let because = |problem: &dyn fmt::Display| error(format!(" ({problem})"));
        match text.split_whitespace().collect::<Vec<_>>()[..] {
            [symbol, timeframe] => Ok(Self {
                symbol: symbol.parse().map_err(|problem| because(&problem))?,
                timeframe: timeframe.parse().map_err(|problem| because(&problem))?,
            }),
            _ => Err(error(String::new())),
        }
    }
}

impl TryFrom<String> for Series {
    type Error = SeriesError;

    fn try_from(text: String) -> Result<Self, SeriesError> {
        text.parse()
    }
}

impl From<Series> for String {
    fn from(series: Series) -> Self {
        series.to_string()
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.symbol, self.timeframe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written_and_what_is_none_is_told() {
        let series: Series = " adausdt  5m ".parse().unwrap();
        assert_eq!(series.to_string(), "ADAUSDT 5m");
        assert_eq!(serde_json::from_str::<Series>("\"ADAUSDT 5m\"").unwrap(), series);
        let long = "x ".repeat(100_000);
        for (wrong, why) in
            [("ADAUSDT", "ADAUSDT"), ("ADAUSDT 5x", "5x"), ("A! 5m", "A!"), ("", "BTCUSDT 15m"), (&long, "x x")]
        {
            let error = wrong.parse::<Series>().unwrap_err().to_string();
            assert!(error.contains(why) && error.contains("such as \"BTCUSDT 15m\"") && error.len() < 400, "{error}");
        }
    }
}
