//! The length of a candle.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Timestamp;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The length of a candle, under the names that exchanges use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[allow(missing_docs, reason = "the names are self-explanatory: M5 is five minutes, H1 is one hour")]
pub enum Timeframe {
    M1,
    M3,
    M5,
    M15,
    M30,
    H1,
    H2,
    H4,
    H6,
    H8,
    H12,
    D1,
    D3,
    W1,
}

/// Why a text is not a valid timeframe.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no timeframe: give one of 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d, 3d, 1w")]
pub struct TimeframeError(String);

impl Timeframe {
    /// All timeframes, shortest first.
    pub const ALL: [Self; 14] = [
        Self::M1,
        Self::M3,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H2,
        Self::H4,
        Self::H6,
        Self::H8,
        Self::H12,
        Self::D1,
        Self::D3,
        Self::W1,
    ];

    /// The name used in messages, labels and URLs, such as `15m`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M3 => "3m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H2 => "2h",
            Self::H4 => "4h",
            Self::H6 => "6h",
            Self::H8 => "8h",
            Self::H12 => "12h",
            Self::D1 => "1d",
            Self::D3 => "3d",
            Self::W1 => "1w",
        }
    }

    /// Length in milliseconds.
    pub const fn millis(self) -> i64 {
        match self {
            Self::M1 => MINUTE,
            Self::M3 => 3 * MINUTE,
            Self::M5 => 5 * MINUTE,
            Self::M15 => 15 * MINUTE,
            Self::M30 => 30 * MINUTE,
            Self::H1 => HOUR,
            Self::H2 => 2 * HOUR,
            Self::H4 => 4 * HOUR,
            Self::H6 => 6 * HOUR,
            Self::H8 => 8 * HOUR,
            Self::H12 => 12 * HOUR,
            Self::D1 => DAY,
            Self::D3 => 3 * DAY,
            Self::W1 => 7 * DAY,
        }
    }

    /// The timeframe that a trader consults for the larger trend: the next one of 1m, 5m, 15m, 1h, 4h, 1d and 1w that
    /// is at least three times as long (so 30m leads to 4h). `None` if there is none above, which is the case from 3d
    /// on.
    pub const fn next_higher(self) -> Option<Self> {
        match self {
            Self::M1 => Some(Self::M5),
            Self::M3 | Self::M5 => Some(Self::M15),
            Self::M15 => Some(Self::H1),
            Self::M30 | Self::H1 => Some(Self::H4),
            Self::H2 | Self::H4 | Self::H6 | Self::H8 => Some(Self::D1),
            Self::H12 | Self::D1 => Some(Self::W1),
            Self::D3 | Self::W1 => None,
        }
    }

    /// The open time of the candle that covers `moment`. Weekly candles open on Monday; all others open at multiples of
    /// their length since the epoch.
    pub const fn open_of(self, moment: Timestamp) -> Timestamp {
        // The epoch was a Thursday.
        let offset = if matches!(self, Self::W1) { 4 * DAY } else { 0 };
        let since = moment.millis() - offset;
        Timestamp::from_millis(since - since.rem_euclid(self.millis()) + offset)
    }

    /// When the candle that opened at `open` closes, which is when the next one opens.
    pub const fn close_of(self, open: Timestamp) -> Timestamp {
        open.plus_millis(self.millis())
    }
}

impl FromStr for Timeframe {
    type Err = TimeframeError;

    fn from_str(text: &str) -> Result<Self, TimeframeError> {
        Self::ALL
            .into_iter()
            .find(|timeframe| timeframe.as_str() == text)
            .ok_or_else(|| TimeframeError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for Timeframe {
    type Error = TimeframeError;

    fn try_from(text: String) -> Result<Self, TimeframeError> {
        text.parse()
    }
}

impl From<Timeframe> for String {
    fn from(timeframe: Timeframe) -> Self {
        timeframe.as_str().to_owned()
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Timeframe, Timestamp};

    #[test]
    fn names_read_back() {
        for timeframe in Timeframe::ALL {
            assert_eq!(timeframe.as_str().parse(), Ok(timeframe));
        }
        assert!("5min".parse::<Timeframe>().unwrap_err().to_string().contains("15m"));
    }

    #[test]
    fn candles_open_on_their_grid() {
        let moment = Timestamp::from_millis(1_767_226_799_999); // 2026-01-01 00:19:59.999, a Thursday
        assert_eq!(Timeframe::M15.open_of(moment).to_string(), "2026-01-01T00:15:00+00:00");
        assert_eq!(Timeframe::D1.open_of(moment).to_string(), "2026-01-01T00:00:00+00:00");
        assert_eq!(Timeframe::W1.open_of(moment).to_string(), "2025-12-29T00:00:00+00:00");
    }

    #[test]
    fn the_ladder_is_the_documented_one() {
        for (from, to) in [("1m", "5m"), ("5m", "15m"), ("15m", "1h"), ("30m", "4h"), ("1h", "4h"), ("4h", "1d")] {
            assert_eq!(from.parse::<Timeframe>().unwrap().next_higher(), to.parse().ok());
        }
    }
}
