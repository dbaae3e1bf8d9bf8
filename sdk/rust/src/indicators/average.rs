//! Averages. The exponential averages `ema` and `ema_adjusted` differ only in how they begin, but with a long period
//! the difference is still visible after hundreds of candles. Their names tell them apart.

use super::smoothing::{Adjusted, Smoothing};

/// The mean of all values.
///
/// * **Warm-up:** NaN for an empty slice.
/// * **Units:** those of the values.
/// * **Flat data:** identical values give exactly that value, so a column of zeros gives exactly 0. NaN gives NaN.
pub fn mean(values: &[f64]) -> f64 {
    let Some(&first) = values.first() else { return f64::NAN };
    if values.iter().all(|&value| value == first) { first } else { sum_of(values, |value| value) / values.len() as f64 }
}

/// The sum of `term` over all values, in eight lanes that are added up at the end. This loses fewer digits than a
/// single running sum, and it is the order in which `NumPy` sums up to 128 values.
pub(super) fn sum_of(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let (blocks, rest) = values.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane += term(value);
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    let sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(sum, |sum, &value| sum + term(value))
}

/// Simple moving average: the mean of the last `period` values.
///
/// * **Warm-up:** first value at index `period - 1`.
/// * **Source:** Murphy, *Technical Analysis of the Financial Markets* (1999), chapter 9.
/// * **Units:** those of the values.
/// * **Flat data:** `period` identical values give exactly that value. No running sum is kept, so neither a large value
///   nor NaN leaves a trace once it has left the window.
pub fn sma(values: &[f64], period: usize) -> Vec<f64> {
    let mut averages = vec![f64::NAN; values.len()];
    if period == 0 || values.len() < period {
        return averages;
    }
    // The values are split into blocks of `period`. Each window consists of the end of one block and the beginning of
    // the next, so two partial sums give its sum and nothing is ever subtracted.
    let mut block_end = vec![0.0; period];
    let mut run = 0;
    let mut begin = 0.0;
    for (index, &value) in values.iter().enumerate() {
        let place = index % period;
        if place == 0 && index > 0 {
            sums_to_end(&values[index - period..index], &mut block_end);
            begin = 0.0;
        }
        begin += value;
        run = if index > 0 && value == values[index - 1] { run + 1 } else { 1 };
        if index + 1 >= period {
            let end = block_end.get(place + 1).copied().unwrap_or(0.0);
            averages[index] = if run >= period { value } else { (end + begin) / period as f64 };
        }
    }
    averages
}

/// Sets `sums[i]` to the sum of `values[i..]`.
fn sums_to_end(values: &[f64], sums: &mut [f64]) {
    let mut sum = 0.0;
    for (slot, value) in sums.iter_mut().zip(values).rev() {
        sum += value;
        *slot = sum;
    }
}

/// Exponential moving average, seeded with the simple average of the first `period` values; weight `2 / (period + 1)`.
///
/// * **Warm-up:** first value at index `period - 1`, the seed.
/// * **Source:** Murphy, *Technical Analysis of the Financial Markets* (1999), chapter 9; the seed is that of TA-Lib's
///   `EMA`.
/// * **Units:** those of the values.
/// * **Flat data:** stays at the value exactly. NaN is skipped: the average keeps its value, and the next number
///   weighs more.
pub fn ema(values: &[f64], period: usize) -> Vec<f64> {
    Smoothing::exponential(period).over(values.iter().copied(), values.len())
}

/// Exponential moving average over the whole window, adjusted for its beginning: the mean of all values so far with
/// weights `(1 - a)^age`, `a = 2 / (period + 1)`, divided by the sum of the weights.
///
/// Unlike in [`ema`], no value counts more for being among the first. The two converge, but at period 80 they still
/// differ by about a thousandth after 250 candles.
///
/// * **Warm-up:** first value at index `period - 2` (at least 0), one earlier than [`ema`].
/// * **Source:** pandas `ewm(span=period, adjust=True, min_periods=period - 1).mean()`.
/// * **Units:** those of the values.
/// * **Flat data:** stays at the value exactly. NaN carries no weight, but the older values keep ageing.
pub fn ema_adjusted(values: &[f64], period: usize) -> Vec<f64> {
    let mut average = Adjusted::new(period, 2.0 / (period as f64 + 1.0), period.saturating_sub(1));
    values.iter().map(|&value| average.push(value)).collect()
}

/// Wilder's moving average: exponential with weight `1 / period`, seeded with the mean of the first `period` values,
/// counted from the first one that is not NaN.
///
/// * **Warm-up:** first value `period - 1` after the first one that is not NaN.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978).
/// * **Units:** those of the values.
/// * **Flat data:** stays at the value exactly. NaN is skipped, as in [`ema`].
pub fn rma(values: &[f64], period: usize) -> Vec<f64> {
    Smoothing::wilder(period).over(values.iter().copied(), values.len())
}
