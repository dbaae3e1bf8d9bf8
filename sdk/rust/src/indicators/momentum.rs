//! Momentum: how fast and how one-sidedly the price moves.

use super::smoothing::{Adjusted, Smoothing};

/// Relative strength index: `100·G / (G + L)`. `G` and `L` are Wilder's averages ([`rma`](super::rma)) of the rises
/// and of the falls from close to close.
///
/// * **Warm-up:** first value at index `period`; the seed is the mean of the first `period` changes.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978), section VI.
/// * **Units:** points from 0 (only falls) to 100 (only rises).
/// * **Flat data:** NaN until the price has moved, since 0/0 is no strength (TA-Lib returns 0). If the price then
///   stands still, both averages fade alike and the index keeps its value.
pub fn rsi(close: &[f64], period: usize) -> Vec<f64> {
    let mut readings = vec![f64::NAN; close.len()];
    let mut slots = readings.iter_mut().zip(rises_and_falls(close));
    let (mut rises, mut falls) = (Smoothing::wilder(period), Smoothing::wilder(period));
    let running = slots.find_map(|(slot, (rise, fall))| {
        *slot = strength(rises.push(rise), falls.push(fall));
        Some((rises.running()?, falls.running()?))
    });
    if let Some((mut rises, mut falls)) = running {
        for (slot, (rise, fall)) in slots {
            *slot = strength(rises.step(rise), falls.step(fall));
        }
    }
    readings
}

/// Relative strength index whose averages are adjusted for their beginning, as in
/// [`ema_adjusted`](super::ema_adjusted), with Wilder's weight `1 / period`: `100 - 100 / (1 + G / L)`.
///
/// Unlike in [`rsi`], no change counts more for being among the first. With a short period the two soon agree.
///
/// * **Warm-up:** first value at index `period`.
/// * **Source:** pandas `ewm(alpha=1/period, adjust=True, min_periods=period).mean()` of rises and falls.
/// * **Units:** points from 0 (only falls) to 100 (only rises).
/// * **Flat data:** NaN until the price has moved; if it then stands still, the index keeps its value.
pub fn rsi_adjusted(close: &[f64], period: usize) -> Vec<f64> {
    let average = || Adjusted::new(period, 1.0 / period as f64, period);
    let (mut rises, mut falls) = (average(), average());
    let index = |(rise, fall)| 100.0 - 100.0 / (1.0 + rises.push(rise) / falls.push(fall));
    rises_and_falls(close).map(index).collect()
}

/// The rise and the fall (without its sign) of each close from the one before; NaN for the first.
fn rises_and_falls(close: &[f64]) -> impl Iterator<Item = (f64, f64)> {
    let mut previous = f64::NAN;
    close.iter().map(move |&close| {
        let change = close - previous;
        previous = close;
        (if change < 0.0 { 0.0 } else { change }, if change > 0.0 { 0.0 } else { -change })
    })
}

fn strength(rise: f64, fall: f64) -> f64 {
    100.0 * rise / (rise + fall)
}

/// The lines of [`macd`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Macd {
    /// Fast average minus slow average.
    pub line: Vec<f64>,
    /// Average of the line.
    pub signal: Vec<f64>,
    /// Line minus signal.
    pub histogram: Vec<f64>,
}

/// Moving average convergence/divergence: the line is `EMA(fast) - EMA(slow)`, and the signal is the line's own EMA.
///
/// Each average is seeded as in [`ema`](super::ema), with the mean of its first values.
///
/// * **Warm-up:** the line begins at index `slow - 1` (or `fast - 1` if that is later); signal and histogram begin
///   `signal - 1` candles after it.
/// * **Source:** Appel, *Technical Analysis: Power Tools for Active Investors* (2005), chapter 8. TA-Lib's `MACD`
///   seeds the fast average later, together with the slow one: the two agree only as both seeds fade.
/// * **Units:** those of the price.
/// * **Flat data:** exactly 0.
pub fn macd(close: &[f64], fast: usize, slow: usize, signal: usize) -> Macd {
    let none = vec![f64::NAN; close.len()];
    let mut lines = Macd { line: none.clone(), signal: none.clone(), histogram: none };
    let mut rows = close.iter().zip(&mut lines.line).zip(lines.signal.iter_mut().zip(&mut lines.histogram));
    let (mut fast, mut slow) = (Smoothing::exponential(fast), Smoothing::exponential(slow));
    let mut average = Smoothing::exponential(signal);
    let mut begun = false;
    let running = rows.find_map(|((&close, line), (signal, histogram))| {
        *line = fast.push(close) - slow.push(close);
        begun |= !line.is_nan();
        if begun {
            *signal = average.push(*line);
            *histogram = *line - *signal;
        }
        Some((fast.running()?, slow.running()?, average.running()?))
    });
    if let Some((mut fast, mut slow, mut average)) = running {
        for ((&close, line), (signal, histogram)) in rows {
            *line = fast.step(close) - slow.step(close);
            *signal = average.step(*line);
            *histogram = *line - *signal;
        }
    }
    lines
}
