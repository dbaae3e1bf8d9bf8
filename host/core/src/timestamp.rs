//! Moments in whole milliseconds since the Unix epoch, the unit of candles and messages.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A moment in UTC, in whole milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// Creates a timestamp from milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// The moment `millis` later, or earlier if negative.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// The current time by this machine's clock, negative if that says that it is before 1970.
    pub fn now() -> Self {
        Self::of(SystemTime::now())
    }

    fn of(moment: SystemTime) -> Self {
        match moment.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(whole_millis(since)),
            Err(before) => Self(-whole_millis(before.duration())),
        }
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 with an explicit offset, as the service's messages write it. Fractions of a second are written only if
    /// there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_millis(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, false)),
            None => write!(f, "{} ms", self.0),
        }
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A duration in milliseconds, with the fraction.
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Why a text is not a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("give a moment such as 2026-01-01T00:15:00Z, or milliseconds since 1970 such as 1767226500000")]
pub struct TimestampError;

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Accepts RFC 3339 or milliseconds since 1970.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        if let Ok(millis) = text.parse() {
            return Ok(Self(millis));
        }
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError)?;
        Ok(Self(parsed.with_timezone(&Utc).timestamp_millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_1970_is_negative() {
        let at = |seconds| UNIX_EPOCH.checked_sub(Duration::from_secs(seconds)).unwrap();
        assert_eq!(Timestamp::of(at(1)).millis(), -1000);
        assert_eq!(Timestamp::of(at(1)).to_string(), "1969-12-31T23:59:59+00:00");
        assert_eq!(Timestamp::of(UNIX_EPOCH + Duration::from_millis(5)).millis(), 5);
    }

    #[test]
    fn is_read_in_both_ways() {
        let newest = Timestamp::from_millis(1_767_226_500_000);
        for text in ["1767226500000", "2026-01-01T00:15:00Z", "2026-01-01T01:15:00+01:00"] {
            assert_eq!(text.parse(), Ok(newest), "{text}");
        }
        assert_eq!(newest.to_string().parse(), Ok(newest));
        assert!("yesterday".parse::<Timestamp>().unwrap_err().to_string().contains("2026-01-01T00:15:00Z"));
    }

    #[test]
    fn is_written_as_rfc_3339_with_an_offset() {
        assert_eq!(Timestamp::from_millis(1_767_226_500_000).to_string(), "2026-01-01T00:15:00+00:00");
        assert_eq!(Timestamp::from_millis(1_767_226_500_250).to_string(), "2026-01-01T00:15:00.250+00:00");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9223372036854775807 ms");
    }
}
