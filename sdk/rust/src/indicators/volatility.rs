//! Volatility: how far the price moves, in either direction.

use super::average::{mean, sma, sum_of};
use super::smoothing::Smoothing;

/// The range of a candle whose high and low are equal. With it, a true range is never exactly 0, so it can be a
/// divisor.
pub(super) const LEAST_RANGE: f64 = f64::EPSILON;

/// The greatest of the candle's range and the distances of its high and its low from the previous close.
#[inline]
pub(super) fn true_range_of(high: f64, low: f64, previous_close: f64) -> f64 {
    let range = high - low;
    let range = if range == 0.0 { LEAST_RANGE } else { range.abs() };
    let above = (high - previous_close).abs();
    let below = (previous_close - low).abs();
    let range = if above > range { above } else { range };
    let range = if below > range { below } else { range };
    // The comparisons ignore NaN; the sum does not.
    if (above + below).is_nan() { f64::NAN } else { range }
}

/// The high and low of each candle with the close of the candle before it, which is NaN for the first.
#[inline]
pub(super) fn with_previous_close<'a>(
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
    let mut previous = f64::NAN;
    high.iter().zip(low).zip(close).map(move |((&high, &low), &close)| {
        let before = previous;
        previous = close;
        (high, low, before)
    })
}

/// True range: the greatest of high minus low, the distance from high to previous close, and that from previous close
/// to low.
///
/// * **Warm-up:** first value at index 1.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978), section III.
/// * **Units:** those of the price.
/// * **Flat data:** 2.2e-16 rather than 0, so that it can be a divisor.
pub fn true_range(high: &[f64], low: &[f64], close: &[f64]) -> Vec<f64> {
    with_previous_close(high, low, close).map(|(high, low, previous)| true_range_of(high, low, previous)).collect()
}

/// Average true range: Wilder's average ([`rma`](super::rma)) of the true range.
///
/// * **Warm-up:** first value at index `period`.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978), section III.
/// * **Units:** those of the price.
/// * **Flat data:** fades towards 2.2e-16, never exactly 0.
pub fn atr(high: &[f64], low: &[f64], close: &[f64], period: usize) -> Vec<f64> {
    let ranges = with_previous_close(high, low, close).map(|(high, low, previous)| true_range_of(high, low, previous));
    Smoothing::wilder(period).over(ranges, high.len().min(low.len()).min(close.len()))
}

/// The population standard deviation of all values (divided by their number, not by one less), in two passes.
///
/// * **Warm-up:** NaN for an empty slice.
/// * **Units:** those of the values.
/// * **Flat data:** identical values give exactly 0. NaN gives NaN.
pub fn standard_deviation(values: &[f64]) -> f64 {
    deviation_from(mean(values), values)
}

fn deviation_from(mean: f64, values: &[f64]) -> f64 {
    let squares = sum_of(values, |value| (value - mean) * (value - mean));
    (squares / values.len() as f64).sqrt()
}

/// The population [`standard_deviation`] of the last `period` values, each computed from scratch: a running sum of
/// squares would lose the deviation of prices that are large compared with it.
///
/// * **Warm-up:** first value at index `period - 1`.
/// * **Units:** those of the values.
/// * **Flat data:** exactly 0.
pub fn rolling_standard_deviation(values: &[f64], period: usize) -> Vec<f64> {
    let mut deviations = vec![f64::NAN; values.len()];
    if period > 0 {
        for (window, slot) in values.windows(period).zip(deviations.iter_mut().skip(period - 1)) {
            *slot = standard_deviation(window);
        }
    }
    deviations
}

/// One candle's Bollinger band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// The mean minus the deviations.
    pub lower: f64,
    /// The mean.
    pub middle: f64,
    /// The mean plus the deviations.
    pub upper: f64,
}

impl Band {
    /// The distance from the lower to the upper line, as a share of the middle.
    pub fn width(&self) -> f64 {
        (self.upper - self.lower) / self.middle
    }

    /// The position of a price between the lines: 0 on the lower, 1 on the upper, less or more beyond them. It is 0.5
    /// if the two lines are equal.
    pub fn position(&self, price: f64) -> f64 {
        let width = self.upper - self.lower;
        if width > 0.0 { (price - self.lower) / width } else { 0.5 }
    }
}

/// The Bollinger band of exactly these values: see [`bollinger`]. It suits a rule that looks only at the newest
/// candle: `bollinger_band(close.tail(20), 2.0)`.
///
/// * **Warm-up:** NaN for an empty slice; the caller makes sure that there are enough values.
pub fn bollinger_band(values: &[f64], deviations: f64) -> Band {
    let middle = mean(values);
    let width = deviations * deviation_from(middle, values);
    Band { lower: middle - width, middle, upper: middle + width }
}

/// The lines of [`bollinger`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bollinger {
    /// The lower band.
    pub lower: Vec<f64>,
    /// The simple moving average.
    pub middle: Vec<f64>,
    /// The upper band.
    pub upper: Vec<f64>,
}

/// Bollinger bands: the simple average of the last `period` values, and the lines `deviations` population standard
/// deviations below and above it.
///
/// * **Warm-up:** first value at index `period - 1`.
/// * **Source:** Bollinger, *Bollinger on Bollinger Bands* (2001), chapter 7.
/// * **Units:** those of the values.
/// * **Flat data:** all three lines are the value exactly.
pub fn bollinger(values: &[f64], period: usize, deviations: f64) -> Bollinger {
    let middle = sma(values, period);
    let (mut lower, mut upper) = (middle.clone(), middle.clone());
    if period > 0 {
        let lines = lower.iter_mut().zip(&mut upper).zip(&middle).skip(period - 1);
        for (window, ((lower, upper), &mean)) in values.windows(period).zip(lines) {
            let width = deviations * deviation_from(mean, window);
            *lower = mean - width;
            *upper = mean + width;
        }
    }
    Bollinger { lower, middle, upper }
}
