//! Moments in whole milliseconds since the Unix epoch, the unit of candles and messages.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The moments that are given by hand lie between these, in milliseconds: from the year 2000 on, before the year 2100.
/// There are no candles outside.
const PLAUSIBLE: (i64, i64) = (946_684_800_000, 4_102_444_800_000);
/// How many letters of what was given an error repeats.
const SHOWN: usize = 40;

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

    /// A moment of this machine's clock or files, negative if it is before 1970.
    pub fn of(moment: SystemTime) -> Self {
        match moment.duration_since(UNIX_EPOCH) {
            Ok(since) => Self(whole_millis(since)),
            Err(before) => Self(-whole_millis(before.duration())),
        }
    }

    /// The moment that a date names, with or without a time of day: `2026-01-01`, `2026-01-01 00:15`,
    /// `2026-01-01T00:15:00.250+01:00`. A date alone is midnight, and a time without an offset is UTC. `None` if it is
    /// none of these.
    pub fn from_date(text: &str) -> Option<Self> {
        const NAIVE: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
        let text = text.trim();
        let text = text.strip_suffix(" UTC").unwrap_or(text);
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Self(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()));
        }
        let with_t = text.replacen(' ', "T", 1);
        let naive = NAIVE.iter().find_map(|format| NaiveDateTime::parse_from_str(&with_t, format).ok());
        let moment = naive.map(|naive| naive.and_utc().timestamp_millis());
        let with_offset = || {
            let parsed = DateTime::parse_from_rfc3339(&with_t);
            parsed.or_else(|_| DateTime::parse_from_str(&with_t, "%Y-%m-%dT%H:%M:%S%.f%z")).ok()
        };
        moment.or_else(|| Some(with_offset()?.with_timezone(&Utc).timestamp_millis())).map(Self)
    }

    const fn is_plausible(self) -> bool {
        PLAUSIBLE.0 <= self.0 && self.0 < PLAUSIBLE.1
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
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimestampError {
    /// It is no date and no number.
    #[error(
        "give a moment such as 2026-01-01T00:15:00Z, a date such as 2026-01-01 (midnight UTC), or milliseconds since \
         1970 such as 1767226500000"
    )]
    NoMoment,
    /// It is a number in another unit than milliseconds.
    #[error(
        "{given} is in {unit} since 1970: give milliseconds, {moment_ms} (which is {moment})",
        moment_ms = moment.millis()
    )]
    OtherUnit {
        /// What was given.
        given: i64,
        /// The unit that makes a plausible moment of it.
        unit: &'static str,
        /// That moment.
        moment: Timestamp,
    },
    /// It is a moment at which there were or will be no candles.
    #[error(
        "{given:?} is {moment}: give a moment from the year 2000 on and before 2100, in milliseconds if it is a number"
    )]
    Implausible {
        /// What was given.
        given: String,
        /// What it means.
        moment: Timestamp,
    },
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Accepts dates, see [`from_date`](Self::from_date), and milliseconds since 1970. A number that makes sense only
    /// in another unit is refused with the value in milliseconds.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let number: Option<i64> = text.trim().parse().ok();
        let moment = match number {
            Some(millis) => Self(millis),
            None => Self::from_date(text).ok_or(TimestampError::NoMoment)?,
        };
        if moment.is_plausible() {
            return Ok(moment);
        }
        let given = number.unwrap_or_default();
        let in_unit = |unit, moment: Self| TimestampError::OtherUnit { given, unit, moment };
        let others = [
            ("seconds", Self(given.saturating_mul(1_000))),
            ("microseconds", Self(given / 1_000)),
            ("nanoseconds", Self(given / 1_000_000)),
        ];
        match others.into_iter().find(|(_, moment)| moment.is_plausible()) {
            Some((unit, moment)) => Err(in_unit(unit, moment)),
            None => Err(TimestampError::Implausible { given: text.chars().take(SHOWN).collect(), moment }),
        }
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
    fn is_read_in_each_way() {
        let newest = Timestamp::from_millis(1_767_226_500_000);
        for text in [
            "1767226500000",
            "2026-01-01T00:15:00Z",
            "2026-01-01T01:15:00+01:00",
            "2026-01-01 00:15:00",
            "2026-01-01T00:15",
            "2026-01-01 00:15:00+00:00",
            "2026-01-01 01:15:00.000+0100",
            "2026-01-01 00:15:00 UTC",
        ] {
            assert_eq!(text.parse(), Ok(newest), "{text}");
        }
        assert_eq!(newest.to_string().parse(), Ok(newest));
        assert_eq!("2026-01-01".parse(), Ok(Timestamp::from_millis(1_767_225_600_000)), "a date alone is midnight");
        for wrong in ["yesterday", "", "2026-13-01", "01/02/2026", "2026-01-01T25:00:00Z"] {
            let told = wrong.parse::<Timestamp>().unwrap_err().to_string();
            assert!(told.contains("2026-01-01T00:15:00Z") && told.contains("midnight"), "{told}");
        }
    }

    #[test]
    fn a_number_in_another_unit_is_told_in_milliseconds() {
        for (given, unit) in
            [("1767226500", "seconds"), ("1767226500000000", "microseconds"), ("1767226500000000000", "nanoseconds")]
        {
            let told = given.parse::<Timestamp>().unwrap_err().to_string();
            for expected in [given, unit, "1767226500000 ", "2026-01-01T00:15:00+00:00"] {
                assert!(told.contains(expected), "{told}");
            }
        }
    }

    #[test]
    fn a_moment_without_candles_is_refused() {
        for given in ["1999-12-31", "2100-01-01", "0", "-1767226500000", "1969-07-20T20:17:40Z", "99999999999999999"] {
            let told = given.parse::<Timestamp>().unwrap_err().to_string();
            assert!(told.contains(given) && told.contains("before 2100"), "{told}");
        }
        assert!("2000-01-01".parse::<Timestamp>().is_ok());
    }

    #[test]
    fn is_written_as_rfc_3339_with_an_offset() {
        assert_eq!(Timestamp::from_millis(1_767_226_500_000).to_string(), "2026-01-01T00:15:00+00:00");
        assert_eq!(Timestamp::from_millis(1_767_226_500_250).to_string(), "2026-01-01T00:15:00.250+00:00");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9223372036854775807 ms");
    }
}
