//! Candles and windows of them.
//!
//! A window stores its candles by column, because that is how they are copied into the sandbox: one copy for each
//! column.

use std::ops::Range;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::{Timeframe, Timestamp, WindowHash};

mod derived;
mod hole;
mod row;

pub use derived::{CandleSources, CandleSourcesError, DerivedCandles, DerivedInput, derived, gathered, parts_of};
pub use hole::{Hole, WindowHoles};
pub use row::{CandleRow, ClosedCandles, RefusedCandle, RowProblem, closed_candles};

/// One closed candle. Prices are in the quote currency, the volume in the base currency.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "common names of candle columns")]
pub struct Candle {
    pub open_time: Timestamp,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
}

/// Why a set of numbers is not a valid candle.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CandleError {
    /// The open time is not on the timeframe's grid.
    #[error(
        "the open time is {open}, but a candle of {timeframe} opens at {before} and then at {after}: give candles of \
         this timeframe, or correct the time"
    )]
    OffGrid {
        /// What was given.
        open: Timestamp,
        /// The timeframe of the series.
        timeframe: Timeframe,
        /// The open time before.
        before: Timestamp,
        /// The open time after.
        after: Timestamp,
    },
    /// A price or the volume is NaN or infinite.
    #[error("{field} is {value}: give a finite number")]
    NotFinite {
        /// Which column.
        field: &'static str,
        /// What was given.
        value: f64,
    },
    /// A price is zero or negative.
    #[error("{field} is {value}: a price is above zero")]
    NotPositive {
        /// Which column.
        field: &'static str,
        /// What was given.
        value: f64,
    },
    /// The volume is negative.
    #[error("volume is {0}: a volume is zero or above")]
    NegativeVolume(f64),
    /// The high is below the open or close, or the low is above one of them.
    #[error("high {high} and low {low} do not enclose open {open} and close {close}")]
    NotEnclosed {
        /// The candle's open.
        open: f64,
        /// The candle's high.
        high: f64,
        /// The candle's low.
        low: f64,
        /// The candle's close.
        close: f64,
    },
}

impl Candle {
    /// Checks that this is a valid candle of `timeframe`: it opens on the timeframe's grid, has finite, positive
    /// prices, a volume that is not negative, and a high and low that enclose open and close.
    ///
    /// This is the only rule for the numbers of a candle. It holds wherever candles come in: for files, for rows of
    /// every store, and for candles that are made from shorter ones.
    pub fn check(&self, timeframe: Timeframe) -> Result<(), CandleError> {
        let open = self.open_time;
        let before = timeframe.open_of(open);
        if before != open {
            return Err(CandleError::OffGrid { open, timeframe, before, after: timeframe.close_of(before) });
        }
        let prices = [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)];
        for (field, value) in prices.into_iter().chain([("volume", self.volume)]) {
            if !value.is_finite() {
                return Err(CandleError::NotFinite { field, value });
            }
        }
        for (field, value) in prices {
            if value <= 0.0 {
                return Err(CandleError::NotPositive { field, value });
            }
        }
        if self.volume < 0.0 {
            return Err(CandleError::NegativeVolume(self.volume));
        }
        let (top, bottom) = (self.open.max(self.close), self.open.min(self.close));
        if self.high < top || self.low > bottom {
            let Self { open, high, low, close, .. } = *self;
            return Err(CandleError::NotEnclosed { open, high, low, close });
        }
        Ok(())
    }
}

/// Closed candles by column, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CandleWindow {
    open_time: Vec<f64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
    derived: Option<DerivedCandles>,
}

/// Why candles do not form a window.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WindowError {
    /// Two candles are in the wrong order, or the same candle appears twice.
    #[error(
        "candle {index} opens at {this}, not after the one before it ({before}): order them by open time, each once"
    )]
    NotOrdered {
        /// Index of the later one, from 0.
        index: usize,
        /// Its open time.
        this: Timestamp,
        /// The open time of the one before.
        before: Timestamp,
    },
}

impl CandleWindow {
    /// Builds a window from candles, which must be ordered by open time without duplicates.
    pub fn new(candles: impl IntoIterator<Item = Candle>) -> Result<Self, WindowError> {
        let mut window = Self::default();
        for candle in candles {
            if let Some(before) = window.open_time.last().map(|ms| Timestamp::from_millis(*ms as i64))
                && before >= candle.open_time
            {
                return Err(WindowError::NotOrdered { index: window.len(), this: candle.open_time, before });
            }
            window.push(candle);
        }
        Ok(window)
    }

    fn push(&mut self, candle: Candle) {
        self.open_time.push(candle.open_time.millis() as f64);
        self.open.push(candle.open);
        self.high.push(candle.high);
        self.low.push(candle.low);
        self.close.push(candle.close);
        self.volume.push(candle.volume);
    }

    /// Number of candles.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are no candles.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// The newest `count` candles, or all if there are fewer.
    pub fn newest(&self, count: usize) -> CandleSlice<'_> {
        self.all().newest(count)
    }

    /// The candles in this range of indices, counted from the oldest.
    ///
    /// # Panics
    ///
    /// Panics if the range is out of bounds, as slicing does.
    pub fn span(&self, places: Range<usize>) -> CandleSlice<'_> {
        self.all().span(places)
    }

    fn all(&self) -> CandleSlice<'_> {
        CandleSlice {
            open_time: &self.open_time,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
            derived: self.derived.as_ref(),
        }
    }
}

impl TryFrom<ClosedCandles> for CandleWindow {
    type Error = WindowError;

    fn try_from(closed: ClosedCandles) -> Result<Self, WindowError> {
        Ok(Self { derived: closed.derived, ..Self::new(closed.candles)? })
    }
}

/// How many numbers are given to a hash at once. One by one, they would take twice as long.
const FED_AT_ONCE: usize = 64;

/// A borrowed window: the input of one evaluation. All columns have the same length.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "common names of candle columns")]
pub struct CandleSlice<'a> {
    pub open_time: &'a [f64],
    pub open: &'a [f64],
    pub high: &'a [f64],
    pub low: &'a [f64],
    pub close: &'a [f64],
    pub volume: &'a [f64],
    /// Which candles of the whole window were made of shorter ones.
    pub derived: Option<&'a DerivedCandles>,
}

impl CandleSlice<'static> {
    /// A slice without candles.
    pub const EMPTY: Self =
        Self { open_time: &[], open: &[], high: &[], low: &[], close: &[], volume: &[], derived: None };
}

impl CandleSlice<'_> {
    /// The newest `count` candles, or all if there are fewer.
    #[must_use]
    pub fn newest(self, count: usize) -> Self {
        self.span(self.len().saturating_sub(count)..self.len())
    }

    fn span(self, places: Range<usize>) -> Self {
        Self {
            open_time: &self.open_time[places.clone()],
            open: &self.open[places.clone()],
            high: &self.high[places.clone()],
            low: &self.low[places.clone()],
            close: &self.close[places.clone()],
            volume: &self.volume[places],
            derived: self.derived,
        }
    }

    /// The candles, one by one, oldest first.
    pub fn candles(self) -> impl Iterator<Item = Candle> {
        (0..self.len()).map(move |place| Candle {
            open_time: Timestamp::from_millis(self.open_time[place] as i64),
            open: self.open[place],
            high: self.high[place],
            low: self.low[place],
            close: self.close[place],
            volume: self.volume[place],
        })
    }

    /// Copies the candles into an owned window.
    pub fn to_window(&self) -> CandleWindow {
        CandleWindow {
            open_time: self.open_time.to_vec(),
            open: self.open.to_vec(),
            high: self.high.to_vec(),
            low: self.low.to_vec(),
            close: self.close.to_vec(),
            volume: self.volume.to_vec(),
            derived: self.derived.cloned(),
        }
    }

    /// The timeframe that candles of this slice were made of, and how many there are; `None` if there are none.
    pub fn derived(&self) -> Option<(Timeframe, usize)> {
        let derived = self.derived?;
        let [oldest, newest] =
            [self.open_time.first()?, self.open_time.last()?].map(|ms| Timestamp::from_millis(*ms as i64));
        let within = |open: &&Timestamp| (oldest..=newest).contains(*open);
        let candles = derived.open_times.iter().filter(within).count();
        (candles > 0).then_some((derived.source, candles))
    }

    /// Number of candles.
    pub fn len(&self) -> usize {
        self.open_time.len()
    }

    /// Whether there are no candles.
    pub fn is_empty(&self) -> bool {
        self.open_time.is_empty()
    }

    /// Feeds the candle count and then every column, as little-endian bytes, into `hash`.
    fn feed(&self, hash: &mut Sha256) {
        hash.update((self.len() as u64).to_le_bytes());
        let mut bytes = [0; size_of::<f64>() * FED_AT_ONCE];
        for column in [self.open_time, self.open, self.high, self.low, self.close, self.volume] {
            for values in column.chunks(FED_AT_ONCE) {
                let (places, _) = bytes.as_chunks_mut();
                places.iter_mut().zip(values).for_each(|(place, value)| *place = value.to_le_bytes());
                hash.update(&bytes[..size_of_val(values)]);
            }
        }
    }

    /// The hash of all windows of one evaluation: the base series first, then each extra input in order.
    pub fn hash(windows: &[CandleSlice<'_>]) -> WindowHash {
        let mut hash = Sha256::new();
        for window in windows {
            window.feed(&mut hash);
        }
        WindowHash::from_bytes(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle(open_time: i64) -> Candle {
        let open_time = Timestamp::from_millis(open_time);
        Candle { open_time, open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: 5.0 }
    }

    #[test]
    fn a_bad_candle_names_its_field() {
        let check = |candle: Candle| candle.check(Timeframe::M15);
        assert_eq!(check(candle(0)), Ok(()));
        let told = |candle: Candle| check(candle).unwrap_err().to_string();
        assert!(told(candle(1)).starts_with("the open time is 1970-01-01T00:00:00.001"), "{}", told(candle(1)));
        assert!(told(Candle { high: f64::NAN, ..candle(0) }).starts_with("high is NaN"));
        assert!(told(Candle { low: 0.0, ..candle(0) }).starts_with("low is 0"));
        assert!(told(Candle { volume: -1.0, ..candle(0) }).starts_with("volume is -1"));
        assert!(told(Candle { high: 10.5, ..candle(0) }).contains("do not enclose"));
    }

    #[test]
    fn windows_are_ordered_and_without_repeats() {
        let window = CandleWindow::new([candle(1), candle(2), candle(4)]).unwrap();
        assert_eq!(window.newest(2).open_time, [2.0, 4.0]);
        assert_eq!(window.newest(9).len(), 3);
        assert_eq!(window.span(0..2).open_time, [1.0, 2.0]);
        for wrong in [[candle(2), candle(1)], [candle(2), candle(2)]] {
            assert!(CandleWindow::new(wrong).unwrap_err().to_string().contains("candle 1"));
        }
    }

    #[test]
    fn the_hash_sees_every_value_and_where_windows_end() {
        let (one, two) = (CandleWindow::new([candle(1)]).unwrap(), CandleWindow::new([candle(1), candle(2)]).unwrap());
        let mut other = two.clone();
        other.volume[1] = 5.000_000_000_000_001;
        let hash = |windows: &[&CandleWindow]| {
            CandleSlice::hash(&windows.iter().map(|window| window.newest(9)).collect::<Vec<_>>())
        };
        assert_eq!(hash(&[&two]), hash(&[&two]));
        assert_ne!(hash(&[&two]), hash(&[&other]));
        assert_ne!(hash(&[&one, &two]), hash(&[&two, &one]));
    }
}
