//! Reads a series from its newest end, which is the one that rules look at. No index is ever out of bounds: a missing
//! value is NaN, and a missing range is empty. NaN compares false with everything, so a rule gives no signal on short
//! data.

use core::ops::Range;

/// A column or an indicator, oldest first.
pub trait Series {
    /// The value `candles` before the newest; `ago(0)` is the newest. NaN if the series is shorter.
    fn ago(&self, candles: usize) -> f64;

    /// The newest value, or NaN.
    fn newest(&self) -> f64;

    /// The newest `count` values, oldest first, or as many as exist.
    fn tail(&self, count: usize) -> &[f64];

    /// The existing values with an age in `ages`, oldest first: `span(5..20)` gives fifteen values, from the
    /// 20th-newest to the 6th-newest.
    fn span(&self, ages: Range<usize>) -> &[f64];

    /// Whether every value is greater than the one before it: `ema.tail(3).is_rising()` compares two pairs.
    fn is_rising(&self) -> bool;

    /// Whether every value is less than the one before it.
    fn is_falling(&self) -> bool;

    /// Whether every value is greater than the other's at the same place: `close.tail(4).is_above(ema.tail(4))`.
    fn is_above(&self, other: &Self) -> bool;

    /// Whether every value is less than the other's at the same place.
    fn is_below(&self, other: &Self) -> bool;

    /// Whether the newest value is above the other's newest, and the one before was not above.
    fn crossed_above(&self, other: &Self) -> bool;

    /// Whether the newest value is below the other's newest, and the one before was not below.
    fn crossed_below(&self, other: &Self) -> bool;
}

impl Series for [f64] {
    fn ago(&self, candles: usize) -> f64 {
        self.len().checked_sub(candles + 1).and_then(|index| self.get(index)).copied().unwrap_or(f64::NAN)
    }

    fn newest(&self) -> f64 {
        self.last().copied().unwrap_or(f64::NAN)
    }

    fn tail(&self, count: usize) -> &[f64] {
        &self[self.len().saturating_sub(count)..]
    }

    fn span(&self, ages: Range<usize>) -> &[f64] {
        let start = self.len().saturating_sub(ages.end);
        let end = self.len().saturating_sub(ages.start);
        self.get(start..end).unwrap_or_default()
    }

    fn is_rising(&self) -> bool {
        self.windows(2).all(|pair| pair[1] > pair[0])
    }

    fn is_falling(&self) -> bool {
        self.windows(2).all(|pair| pair[1] < pair[0])
    }

    fn is_above(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().zip(other).all(|(value, other)| value > other)
    }

    fn is_below(&self, other: &Self) -> bool {
        other.is_above(self)
    }

    fn crossed_above(&self, other: &Self) -> bool {
        self.ago(1) <= other.ago(1) && self.newest() > other.newest()
    }

    fn crossed_below(&self, other: &Self) -> bool {
        other.crossed_above(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_newest_end() {
        let series = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(series.newest(), 4.0);
        assert_eq!(series.ago(3), 1.0);
        assert_eq!(series.tail(2), [3.0, 4.0]);
        assert_eq!(series.span(1..3), [2.0, 3.0]);
        assert_eq!(series.span(0..4), series);
    }

    #[test]
    fn comparisons_are_strict_and_false_for_nan() {
        assert!([1.0, 2.0, 3.0].is_rising() && [3.0, 2.0].is_falling());
        assert!(![1.0, 1.0].is_rising() && ![1.0, 1.0].is_falling());
        assert!(![1.0, f64::NAN, 3.0].is_rising());
        assert!([2.0, 3.0].is_above(&[1.0, 2.0]) && [1.0, 2.0].is_below(&[2.0, 3.0]));
        assert!(![2.0, 2.0].is_above(&[1.0, 2.0]) && ![2.0, f64::NAN].is_above(&[1.0, 2.0]));
        assert!(![2.0].is_above(&[1.0, 2.0]), "of unequal length");
    }

    #[test]
    fn a_crossing_begins_on_or_behind_the_line() {
        assert!([1.0, 3.0].crossed_above(&[2.0, 2.0]) && [2.0, 3.0].crossed_above(&[2.0, 2.0]));
        assert!([3.0, 1.0].crossed_below(&[2.0, 2.0]));
        assert!(![3.0, 4.0].crossed_above(&[2.0, 2.0]) && ![1.0, 2.0].crossed_above(&[2.0, 2.0]));
        assert!(![3.0].crossed_above(&[2.0]) && ![f64::NAN, 3.0].crossed_above(&[2.0, 2.0]));
    }

    #[test]
    fn what_is_not_there_is_nan_or_empty() {
        let series = [1.0, 2.0];
        assert!(series.ago(2).is_nan());
        assert!([].newest().is_nan());
        assert_eq!(series.tail(9), series);
        assert_eq!(series.span(1..9), [1.0]);
        assert!(series.span(5..9).is_empty());
        #[expect(clippy::reversed_empty_ranges, reason = "the test is about an empty span")]
        let reversed = series.span(2..1);
        assert!(reversed.is_empty());
    }
}
