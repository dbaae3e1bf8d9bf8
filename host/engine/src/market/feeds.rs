//! How old the newest candle of each scheduled series is.
//!
//! The leader's sweep reads the newest close of every series, and notes it here for metrics, health and the log. A
//! replica that does not lead knows nothing of feeds and says nothing about them.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ta_bot_core::{Symbol, Timeframe, Timestamp};

use crate::{evaluation::SeriesKey, market::clock::MarketClock};

/// How long a writer may take beyond the close before its series counts as behind.
const GRACE_MS: i64 = 60_000;

/// The newest candles of the scheduled series.
#[derive(Default)]
pub struct Feeds {
    series: Mutex<HashMap<SeriesKey, Known>>,
    clock: MarketClock,
}

/// What the last sweep knew of a series.
struct Known {
    /// The newest close; `None` if there is no candle.
    newest: Option<Timestamp>,
    was_behind: bool,
}

/// A series, and how old its newest candle is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// The series.
    pub series: SeriesKey,
    /// When its newest candle closed; `None` if there is no candle.
    pub newest: Option<Timestamp>,
    /// How long ago that was, in milliseconds.
    pub age_ms: Option<i64>,
}

impl Feed {
    fn new(series: &SeriesKey, newest: Option<Timestamp>, now: Timestamp) -> Self {
        let age_ms = newest.map(|newest| now.millis().saturating_sub(newest.millis()).max(0));
        Self { series: series.clone(), newest, age_ms }
    }

    /// Whether a whole candle is missing: not only the newest one, which may be on its way.
    pub fn is_behind(&self) -> bool {
        self.age_ms.is_none_or(|age| age >= 2 * self.series.1.millis() + GRACE_MS)
    }

    /// Those that miss most candles come first, whatever their timeframes are.
    fn by_missed(one: &Self, other: &Self) -> Ordering {
        let missed = |feed: &Self| feed.age_ms.map_or(i64::MAX, |age| age / feed.series.1.millis());
        missed(other).cmp(&missed(one)).then_with(|| one.series.cmp(&other.series))
    }
}

impl Feeds {
    /// Feeds of which nothing is known yet, on this clock.
    pub fn new(clock: MarketClock) -> Self {
        Self { series: Mutex::default(), clock }
    }

    /// The clock by which the series' ages are measured.
    pub const fn clock(&self) -> &MarketClock {
        &self.clock
    }

    /// Notes the newest closes of the scheduled symbols of a timeframe. Returns those that have come to be behind since
    /// the last time.
    pub fn note(&self, timeframe: Timeframe, scheduled: &[Symbol], newest: &[(Symbol, Timestamp)]) -> Vec<Feed> {
        let newest: HashMap<&Symbol, Timestamp> = newest.iter().map(|(symbol, close)| (symbol, *close)).collect();
        let now = self.clock.now();
        let mut series = self.lock();
        let mut fallen = Vec::new();
        for symbol in scheduled {
            let feed = Feed::new(&(symbol.clone(), timeframe), newest.get(symbol).copied(), now);
            let is_behind = feed.is_behind();
            let known = Known { newest: feed.newest, was_behind: is_behind };
            let before = series.insert(feed.series.clone(), known);
            if is_behind && !before.is_some_and(|before| before.was_behind) {
                fallen.push(feed);
            }
        }
        fallen.sort_by(Feed::by_missed);
        fallen
    }

    /// Forgets series that are no longer scheduled.
    pub fn keep(&self, is_scheduled: impl Fn(&Symbol, Timeframe) -> bool) {
        self.lock().retain(|(symbol, timeframe), _| is_scheduled(symbol, *timeframe));
    }

    /// Forgets everything: another replica leads.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// All known series, those that miss most candles first.
    pub fn all(&self) -> Vec<Feed> {
        let now = self.clock.now();
        let mut feeds: Vec<Feed> =
            self.lock().iter().map(|(series, known)| Feed::new(series, known.newest, now)).collect();
        feeds.sort_by(Feed::by_missed);
        feeds
    }

    /// A poisoned lock is fine: an entry is only replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, HashMap<SeriesKey, Known>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M1: Timeframe = Timeframe::M1;

    fn symbols() -> [Symbol; 3] {
        ["AAAUSDT", "BBBUSDT", "CCCUSDT"].map(|name| name.parse().unwrap())
    }

    fn named(feeds: &[Feed]) -> Vec<&str> {
        feeds.iter().map(|feed| feed.series.0.as_str()).collect()
    }

    #[test]
    fn a_series_that_stops_is_told_once_and_listed_as_long_as_it_stands_still() {
        let clock = MarketClock::simulated();
        let feeds = Feeds::new(clock.clone());
        let [a, b, c] = symbols();
        let at = |minute: i64| Timestamp::from_millis(minute * M1.millis());
        clock.closed(at(100));
        let newest = |a_close: i64| [(a.clone(), at(a_close)), (b.clone(), at(99))];
        // The newest candle of the second is on its way, and the third has none at all.
        assert_eq!(named(&feeds.note(M1, &symbols(), &newest(100))), ["CCCUSDT"]);
        assert_eq!(named(&feeds.note(M1, &symbols(), &newest(100))), [""; 0], "it is told once");
        clock.closed(at(103));
        assert_eq!(named(&feeds.note(M1, &symbols(), &newest(103))), ["BBBUSDT"]);
        assert_eq!(named(&feeds.all()), ["CCCUSDT", "BBBUSDT", "AAAUSDT"]);
        assert_eq!(feeds.all()[1].age_ms, Some(4 * M1.millis()));
        let back = [(a.clone(), at(103)), (b.clone(), at(103)), (c.clone(), at(103))];
        assert_eq!(feeds.note(M1, &symbols(), &back), []);
        assert!(feeds.all().iter().all(|feed| !feed.is_behind()));
        feeds.keep(|symbol, _| *symbol == a);
        assert_eq!(named(&feeds.all()), ["AAAUSDT"]);
        feeds.clear();
        assert_eq!(feeds.all(), []);
    }
}
