//! A borrowed view of candles by column. Nothing is copied: the slices point into the memory that the host has
//! written.

use crate::bindings::ta_bot::strategy::types::Candles;
use crate::{Candle, Column, Fault, Series as _};

/// Closed candles by column, oldest first. A column that the strategy did not ask for may be empty; every other column
/// has [`len`](Self::len) entries.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window<'a> {
    open_time: &'a [f64],
    open: &'a [f64],
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
    volume: &'a [f64],
    len: usize,
}

impl<'a> Window<'a> {
    /// Creates a view of `candles`. The columns `asked` are needed; if there are none, all are. `series` names the
    /// candles in the error for columns that differ in length.
    pub(crate) fn new(candles: &'a Candles, asked: &[Column], series: &str) -> Result<Self, Fault> {
        let mut window = Self {
            open_time: &candles.open_time,
            open: &candles.open,
            high: &candles.high,
            low: &candles.low,
            close: &candles.close,
            volume: &candles.volume,
            len: 0,
        };
        window.len = Column::ALL.iter().map(|&column| window.column(column).len()).fold(0, usize::max);
        for column in Column::ALL {
            let len = window.column(column).len();
            let needed = asked.is_empty() || asked.contains(&column);
            if len != window.len && (needed || len != 0) {
                return Err(Fault::Failed(format!(
                    "{series}: column {} has {len} entries where another has {}",
                    column.name(),
                    window.len
                )));
            }
        }
        Ok(window)
    }

    /// The number of candles.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no candle.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Requires at least this many candles; the error tells the host how many the rule needs.
    pub fn require(&self, candles: usize) -> Result<(), Fault> {
        if self.len < candles {
            return Err(Fault::InsufficientData(u32::try_from(candles).unwrap_or(u32::MAX)));
        }
        Ok(())
    }

    /// Requires as many candles as the greatest of `needs`.
    pub fn require_all(&self, needs: impl IntoIterator<Item = usize>) -> Result<(), Fault> {
        self.require(needs.into_iter().fold(0, usize::max))
    }

    /// When each candle opened, in milliseconds since the Unix epoch.
    pub const fn open_time(&self) -> &'a [f64] {
        self.open_time
    }

    /// The first price of each candle.
    pub const fn open(&self) -> &'a [f64] {
        self.open
    }

    /// The highest price of each candle.
    pub const fn high(&self) -> &'a [f64] {
        self.high
    }

    /// The lowest price of each candle.
    pub const fn low(&self) -> &'a [f64] {
        self.low
    }

    /// The last price of each candle.
    pub const fn close(&self) -> &'a [f64] {
        self.close
    }

    /// The amount traded in each candle.
    pub const fn volume(&self) -> &'a [f64] {
        self.volume
    }

    /// The candle `candles` before the newest; `candle(0)` is the newest. Missing values are NaN, including those of
    /// columns that were not asked for.
    pub fn candle(&self, candles: usize) -> Candle {
        Candle {
            open: self.open.ago(candles),
            high: self.high.ago(candles),
            low: self.low.ago(candles),
            close: self.close.ago(candles),
            volume: self.volume.ago(candles),
        }
    }

    /// A column by its name.
    pub const fn column(&self, column: Column) -> &'a [f64] {
        match column {
            Column::OpenTime => self.open_time,
            Column::Open => self.open,
            Column::High => self.high,
            Column::Low => self.low,
            Column::Close => self.close,
            Column::Volume => self.volume,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candles(close: usize, volume: usize) -> Candles {
        let filled = vec![1.0; 3];
        Candles {
            open_time: Vec::new(),
            open: Vec::new(),
            high: filled.clone(),
            low: filled,
            close: vec![1.0; close],
            volume: vec![1.0; volume],
        }
    }

    #[test]
    fn columns_not_asked_for_may_be_empty() {
        let candles = candles(3, 0);
        let window = Window::new(&candles, &[Column::High, Column::Low, Column::Close], "base").unwrap();
        assert_eq!((window.len(), window.volume().len()), (3, 0));
        assert_eq!(window.candle(0).close, 1.0);
        assert!(window.candle(0).volume.is_nan() && window.candle(3).close.is_nan());
    }

    #[test]
    fn columns_of_unequal_length_are_refused_by_name() {
        let expected = |message: &str| Err(Fault::Failed(message.into()));
        assert_eq!(
            Window::new(&candles(2, 0), &[Column::Close], "base"),
            expected("base: column close has 2 entries where another has 3")
        );
        assert_eq!(
            Window::new(&candles(3, 0), &[Column::Volume], "base"),
            expected("base: column volume has 0 entries where another has 3")
        );
        assert_eq!(
            Window::new(&candles(3, 3), &[], "extra 1"),
            expected("extra 1: column open_time has 0 entries where another has 3")
        );
    }

    #[test]
    fn an_empty_window_is_valid_and_asks_for_data() {
        let mut candles = candles(0, 0);
        (candles.high, candles.low) = (Vec::new(), Vec::new());
        let window = Window::new(&candles, &[], "base").unwrap();
        assert!(window.is_empty());
        assert_eq!(window.require(15), Err(Fault::InsufficientData(15)));
        assert_eq!(window.require(0), Ok(()));
    }

    #[test]
    fn the_greatest_of_several_needs_counts() {
        let candles = candles(3, 0);
        let window = Window::new(&candles, &[Column::Close], "base").unwrap();
        assert_eq!(window.require_all([2, 3, 1]), Ok(()));
        assert_eq!(window.require_all([2, 5, 4]), Err(Fault::InsufficientData(5)));
    }
}
