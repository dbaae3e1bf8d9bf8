//! Highest and lowest values.

/// The highest value; NaN if there are no values or one of them is NaN.
pub fn highest(values: &[f64]) -> f64 {
    extreme(values, |value, best| value > best)
}

/// The lowest value; NaN if there are no values or one of them is NaN.
pub fn lowest(values: &[f64]) -> f64 {
    extreme(values, |value, best| value < best)
}

fn extreme(values: &[f64], better: impl Fn(f64, f64) -> bool) -> f64 {
    let Some(&first) = values.first() else { return f64::NAN };
    let mut best = first;
    for &value in values {
        if better(value, best) {
            best = value;
        } else if value.is_nan() {
            return f64::NAN;
        }
    }
    best
}

/// The middle between the highest high and the lowest low; NaN if there are no values or one of them is NaN.
///
/// * **Source:** each line of Hosoda's Ichimoku Kinko Hyo is this value over some number of candles; TA-Lib calls it
///   `MIDPRICE`.
/// * **Units:** those of the price.
pub fn midprice(high: &[f64], low: &[f64]) -> f64 {
    f64::midpoint(highest(high), lowest(low))
}

/// The highest of the last `period` values, in one pass.
///
/// * **Warm-up:** first value at index `period - 1`. NaN while any of the `period` values is NaN.
/// * **Source:** the upper channel of Donchian; computed with a monotone queue.
/// * **Units:** those of the values.
/// * **Flat data:** the value exactly.
pub fn rolling_max(values: &[f64], period: usize) -> Vec<f64> {
    rolling(values, period, |newer, older| newer >= older)
}

/// The lowest of the last `period` values: see [`rolling_max`].
pub fn rolling_min(values: &[f64], period: usize) -> Vec<f64> {
    rolling(values, period, |newer, older| newer <= older)
}

fn rolling(values: &[f64], period: usize, replaces: impl Fn(f64, f64) -> bool) -> Vec<f64> {
    let mut extremes = vec![f64::NAN; values.len()];
    if period == 0 {
        return extremes;
    }
    // The candidates begin at `head`, best first. A value is dropped when a newer one is at least as good, or by age.
    let mut candidates: Vec<(usize, f64)> = Vec::with_capacity(values.len());
    let mut head = 0;
    let mut numbers = 0;
    for (index, &value) in values.iter().enumerate() {
        if value.is_nan() {
            candidates.clear();
            head = 0;
            numbers = 0;
            continue;
        }
        while candidates.len() > head && candidates.last().is_some_and(|&(_, last)| replaces(value, last)) {
            candidates.pop();
        }
        candidates.push((index, value));
        numbers += 1;
        if candidates[head].0 + period <= index {
            head += 1;
        }
        if numbers >= period {
            extremes[index] = candidates[head].1;
        }
    }
    extremes
}
