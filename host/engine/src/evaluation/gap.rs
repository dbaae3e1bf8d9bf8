//! Windows that a strategy can't be asked about, because candles are missing that should be there.
//!
//! "Nothing to say" and "can't know" are different answers. A strategy that is given a higher timeframe without
//! candles, with too few of them, with candles of two days ago, or with a hole among the newest ones, would answer like
//! an ordinary *none*, or with a signal of the wrong prices. It is not asked. That says nothing about the strategy, so
//! it never counts against it.

use ta_bot_core::{CandleSlice, ExtraInput, Hole, Job, StrategyDescription, Timestamp};
use thiserror::Error;

use super::series::{SeriesKey, series_of};

/// Why a strategy can't be asked about a candle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Gap {
    /// There is no candle of an extra series.
    #[error(
        "there are no candles of {} {}, which it reads: import them, or schedule that timeframe where they are written",
        series.0, series.1
    )]
    Missing {
        /// The series.
        series: SeriesKey,
    },
    /// An extra series is shorter than the strategy asks for.
    #[error(
        "it reads {needed} candles of {} {}, and {given} are there: import older ones, or wait",
        series.0, series.1
    )]
    Short {
        /// The series.
        series: SeriesKey,
        /// How many candles the strategy asks for.
        needed: u32,
        /// How many there are.
        given: usize,
    },
    /// An extra series has stopped.
    #[error(
        "the newest candle of {} {}, which it reads, closed at {newest}, and the one of {expected} is not there: see why \
         that series stands still",
        series.0, series.1
    )]
    Stale {
        /// The series.
        series: SeriesKey,
        /// When its newest candle closed.
        newest: Timestamp,
        /// When the candle closed that should be there.
        expected: Timestamp,
    },
    /// Candles are missing between two newer ones of a series, which may be the strategy's own.
    #[error(
        "candles of {} {} are missing from {} to {} ({}): import them, or have them written; or accept the holes of this \
         series if they belong to its market (accepted_holes of the application settings)",
        series.0, series.1, hole.from, hole.until, hole.missing
    )]
    Hole {
        /// The series.
        series: SeriesKey,
        /// The newest hole.
        hole: Hole,
    },
}

impl Gap {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "missing_series",
            Self::Short { .. } => "short_series",
            Self::Stale { .. } => "stale_series",
            Self::Hole { .. } => "hole",
        }
    }

    /// The newest hole between these candles of a series, if there is one.
    pub fn between(series: SeriesKey, candles: CandleSlice<'_>) -> Option<Self> {
        let hole = candles.holes(series.1).next()?;
        Some(Self::Hole { series, hole })
    }

    /// The first extra series that is not there whole and up to date, if there is one.
    pub fn in_extra(description: &StrategyDescription, job: &Job, extra: &[CandleSlice<'_>]) -> Option<Self> {
        description.extra.iter().zip(extra).find_map(|(input, window)| Self::of(input, job, *window))
    }

    fn of(input: &ExtraInput, job: &Job, window: CandleSlice<'_>) -> Option<Self> {
        // There is no timeframe above the highest; such an input is always empty, and the strategy knows that.
        let series = series_of(input, job)?;
        let timeframe = series.1;
        let Some(newest) = window.open_time.last() else { return Some(Self::Missing { series }) };
        let newest = timeframe.close_of(Timestamp::from_millis(*newest as i64));
        // The newest candle that had closed when the job's candle closed.
        let expected = timeframe.open_of(job.candle_close);
        if newest < expected {
            return Some(Self::Stale { series, newest, expected });
        }
        let (needed, given) = (input.lookback, window.len());
        (given < needed as usize).then_some(Self::Short { series, needed, given })
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Candle, CandleWindow, Columns, InputSymbol, InputTimeframe, Timeframe};

    use super::*;

    const HOUR: i64 = 3_600_000;

    /// The gap of a 15-minute candle that closes a quarter past ten, if the hours that opened at `hours` are there.
    fn gap(hours: std::ops::Range<i64>, timeframe: InputTimeframe) -> Option<Gap> {
        let candle = |hour: i64| {
            let open_time = Timestamp::from_millis(hour * HOUR);
            Candle { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 }
        };
        let window = CandleWindow::new(hours.map(candle)).unwrap();
        let candle_close = Timestamp::from_millis(10 * HOUR + 15 * 60_000);
        let job = Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M15, candle_close };
        let input = ExtraInput { symbol: InputSymbol::Own, timeframe, lookback: 5, columns: Columns::ALL };
        Gap::of(&input, &job, window.newest(5))
    }

    #[test]
    fn an_extra_series_is_there_whole_and_up_to_date_or_there_is_a_gap() {
        let of_hours = |hours| gap(hours, InputTimeframe::NextHigher);
        assert_eq!(of_hours(5..10), None, "the hour that contains the candle is still open");
        assert_eq!(of_hours(0..10), None);
        assert_eq!(of_hours(0..0).unwrap().code(), "missing_series");
        assert_eq!(of_hours(6..10).unwrap().code(), "short_series");
        let stale = of_hours(0..9).unwrap();
        assert_eq!(stale.code(), "stale_series");
        assert!(stale.to_string().contains("BTCUSDT 1h"), "{stale}");
        assert!(stale.to_string().contains("closed at 1970-01-01T09:00:00"), "{stale}");
        assert_eq!(gap(5..10, InputTimeframe::Fixed(Timeframe::H1)), None);
    }
}
