//! How long a signal is worth anything.
//!
//! A signal is a trade at the close of its candle. When the next candle of its series closes, another decision takes
//! its place, so from then on the signal is expired: it is stored and listed, and never published. It does not matter
//! why it is late: the service was down, the bus was away, a hole was filled, or finished jobs were deleted. Receivers
//! can't tell, because they reset the age of what they receive.

use std::time::Duration;

use ta_bot_core::{Job, Timestamp};

use crate::market::clock::MarketClock;

/// How old a signal may become before it is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaxAge {
    /// Until the next candle of its series closes.
    #[default]
    NextClose,
    /// This long after the close of its candle.
    Limited(Duration),
    /// As old as it may be.
    Unlimited,
}

/// Says which signals are expired.
#[derive(Debug, Clone, Default)]
pub struct Expiry {
    max_age: MaxAge,
    clock: MarketClock,
}

impl Expiry {
    /// Signals expire at this age by this clock.
    pub const fn new(max_age: MaxAge, clock: MarketClock) -> Self {
        Self { max_age, clock }
    }

    /// The clock of the market.
    pub const fn clock(&self) -> &MarketClock {
        &self.clock
    }

    /// When a signal of this candle expires; `None` if it never does.
    pub fn end(&self, job: &Job) -> Option<Timestamp> {
        match self.max_age {
            MaxAge::NextClose => Some(job.timeframe.close_of(job.candle_close)),
            MaxAge::Limited(age) => {
                let millis = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                Some(Timestamp::from_millis(job.candle_close.millis().saturating_add(millis)))
            }
            MaxAge::Unlimited => None,
        }
    }

    /// Whether a signal of this candle is expired.
    pub fn is_over(&self, job: &Job) -> bool {
        self.end(job).is_some_and(|end| self.clock.now() >= end)
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::Timeframe;

    use super::*;

    fn job(timeframe: Timeframe, candle_close: Timestamp) -> Job {
        Job { symbol: "BTCUSDT".parse().unwrap(), timeframe, candle_close }
    }

    #[test]
    fn a_signal_lasts_until_the_next_close_of_its_series_or_as_long_as_was_set() {
        let clock = MarketClock::simulated();
        let close = Timestamp::from_millis(1_767_225_600_000);
        let over = |max_age, timeframe, later: i64| {
            clock.closed(close.plus_millis(later));
            Expiry::new(max_age, clock.clone()).is_over(&job(timeframe, close))
        };
        let limited = MaxAge::Limited(Duration::from_secs(90));
        assert!(!over(MaxAge::NextClose, Timeframe::M1, 59_999));
        assert!(over(MaxAge::NextClose, Timeframe::M1, 60_000));
        assert!(!over(limited, Timeframe::M1, 89_999));
        assert!(over(limited, Timeframe::M1, 90_000));
        assert!(!over(MaxAge::NextClose, Timeframe::H1, 3_599_999));
        assert!(over(MaxAge::NextClose, Timeframe::H1, 3_600_000));
        assert!(!over(MaxAge::Unlimited, Timeframe::M1, 99_999_999_999));
        // The clock does not go back.
        assert!(over(MaxAge::NextClose, Timeframe::M1, 0));
    }

    #[test]
    fn a_simulated_market_that_has_not_begun_expires_nothing() {
        let old = job(Timeframe::M1, Timestamp::from_millis(0));
        assert!(!Expiry::new(MaxAge::NextClose, MarketClock::simulated()).is_over(&old));
        assert!(Expiry::default().is_over(&old));
        let longest = Expiry::new(MaxAge::Limited(Duration::MAX), MarketClock::default());
        assert!(!longest.is_over(&old));
    }
}
