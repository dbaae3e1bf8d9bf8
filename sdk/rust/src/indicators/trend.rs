//! Trend: whether the price moves in one direction.

use super::smoothing::Smoothing;
use super::volatility::{LEAST_RANGE, true_range_of, with_previous_close};

/// The lines of [`adx`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adx {
    /// Average directional movement index.
    pub adx: Vec<f64>,
    /// Positive directional indicator.
    pub plus_di: Vec<f64>,
    /// Negative directional indicator.
    pub minus_di: Vec<f64>,
}

/// Average directional movement index with its directional indicators.
///
/// The movement of a candle is how far its high rose above, or its low fell below, that of the candle before,
/// whichever is more. Wilder's sums of movement and of true range (`s ← s - s/period + x`, begun with the sum of the
/// first `period - 1`) give `DI = 100·movement / range`. Then `DX = 100·|+DI - -DI| / (+DI + -DI)`, and ADX is the
/// average of DX ([`rma`](super::rma)).
///
/// * **Warm-up:** the directional indicators begin at index `period`, ADX at `2·period - 1`.
/// * **Source:** Wilder, *New Concepts in Technical Trading Systems* (1978), section IV; begun like TA-Lib's `ADX`.
/// * **Units:** points from 0 (no trend) to 100.
/// * **Flat data:** both indicators are 0 and DX is 0/0, so ADX is NaN until there is a movement. After that it keeps
///   its value.
pub fn adx(high: &[f64], low: &[f64], close: &[f64], period: usize) -> Adx {
    let len = high.len().min(low.len()).min(close.len());
    let (mut plus_di, mut minus_di) = (vec![f64::NAN; len], vec![f64::NAN; len]);
    let share = if period == 0 { f64::NAN } else { 1.0 / period as f64 };
    let mut sums = Sums::default();
    let mut before = (f64::NAN, f64::NAN);
    let slots = plus_di.iter_mut().zip(&mut minus_di);
    for (index, ((plus, minus), (high, low, close_before))) in
        slots.zip(with_previous_close(high, low, close)).enumerate()
    {
        if index > 0 {
            let fade = if index < period { 0.0 } else { share };
            sums.push(movement(before, (high, low)), true_range_of(high, low, close_before), fade);
        }
        if index >= period {
            (*plus, *minus) = sums.indicators();
        }
        before = (high, low);
    }
    let indices = plus_di.iter().zip(&minus_di).map(|(plus, minus)| 100.0 * (plus - minus).abs() / (plus + minus));
    let adx = Smoothing::wilder(period).over(indices, len);
    Adx { adx, plus_di, minus_di }
}

/// The movement up and the movement down, at least one of which is 0.
fn movement((high_before, low_before): (f64, f64), (high, low): (f64, f64)) -> (f64, f64) {
    let (up, down) = (high - high_before, low_before - low);
    if up > down && up >= LEAST_RANGE {
        (up, 0.0)
    } else if down > up && down >= LEAST_RANGE {
        (0.0, down)
    } else {
        (0.0, 0.0)
    }
}

#[derive(Default)]
struct Sums {
    up: f64,
    down: f64,
    range: f64,
}

impl Sums {
    fn push(&mut self, (up, down): (f64, f64), range: f64, fade: f64) {
        self.up += up - self.up * fade;
        self.down += down - self.down * fade;
        self.range += range - self.range * fade;
    }

    fn indicators(&self) -> (f64, f64) {
        (100.0 * self.up / self.range, 100.0 * self.down / self.range)
    }
}
