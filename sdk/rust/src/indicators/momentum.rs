//! Momentum: how fast and how one-sidedly the price moves.

use super::smoothing::Smoothing;

/// Relative strength index: `100·G / (G + L)`, where `G` and `L` are Wilder's averages ([`rma`](super::rma)) of the rises and of
/// the falls from close to close.
///
/// * **Warm-up:** first value at index `period`; the seed is the mean of the first `period` changes.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978), section VI.
/// * **Units:** points from 0 (only falls) to 100 (only rises).
/// * **Flat data:** NaN until the price has moved, since 0/0 is no strength (TA-Lib answers 0 there). If it then stands
///   still, both averages fade alike and the index stays where it was.
pub fn rsi(close: &[f64], period: usize) -> Vec<f64> {
    let mut rises = Smoothing::wilder(period);
    let mut falls = Smoothing::wilder(period);
    let mut previous = f64::NAN;
    let step = |&close: &f64| {
        let change = close - previous;
        previous = close;
        let rise = rises.push(if change < 0.0 { 0.0 } else { change });
        let fall = falls.push(if change > 0.0 { 0.0 } else { -change });
        100.0 * rise / (rise + fall)
    };
    close.iter().map(step).collect()
}

/// The lines of [`macd`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Macd {
    /// Fast average less slow average.
    pub line: Vec<f64>,
    /// Average of the line.
    pub signal: Vec<f64>,
    /// Line less signal.
    pub histogram: Vec<f64>,
}

/// Moving average convergence/divergence: the line is `EMA(fast) - EMA(slow)`, the signal the line's own EMA.
///
/// Each average is seeded as in [`ema`](super::ema), with the mean of the first values that it has.
///
/// * **Warm-up:** the line begins at index `slow - 1` (or `fast - 1` if that is later), signal and histogram `signal - 1`
///   after it.
/// * **Source:** Appel, *Technical Analysis: Power Tools for Active Investors* (2005), chapter 8. TA-Lib's `MACD` seeds
///   the fast average later, together with the slow one: the two agree only as both seeds fade.
/// * **Units:** those of the price.
/// * **Flat data:** exactly 0.
pub fn macd(close: &[f64], fast: usize, slow: usize, signal: usize) -> Macd {
    let mut fast = Smoothing::exponential(fast);
    let mut slow = Smoothing::exponential(slow);
    let mut average = Smoothing::exponential(signal);
    let mut lines = Macd::default();
    lines.line.reserve_exact(close.len());
    lines.signal.reserve_exact(close.len());
    lines.histogram.reserve_exact(close.len());
    let mut begun = false;
    for &close in close {
        let line = fast.push(close) - slow.push(close);
        begun |= !line.is_nan();
        let signal = if begun { average.push(line) } else { f64::NAN };
        lines.line.push(line);
        lines.signal.push(signal);
        lines.histogram.push(line - signal);
    }
    lines
}
