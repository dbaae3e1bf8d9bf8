//! Default stop-loss and take-profit, for strategies that give none: 2 and 3 average true ranges from the price.
//!
//! The average is Wilder's ATR(14) as defined by the service that this one replaces, so its consumers see the levels
//! they know. The SDK's indicators are not used here: they are for guests, and guest and host share nothing but the
//! WIT.

use crate::{Action, CandleSlice};

const ATR_PERIOD: usize = 14;
const STOP_RANGES: f64 = 2.0;
const TARGET_RANGES: f64 = 3.0;
const STOP_SHARE: f64 = 0.02;
const TARGET_SHARE: f64 = 0.05;

/// The prices at which a trade ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskLevels {
    /// The price at which it ends with a loss.
    pub stop_loss: f64,
    /// The price at which it ends with a profit.
    pub take_profit: f64,
}

/// The levels of a trade at `price` after `window`: 2 and 3 × ATR(14) away, or 2 % and 5 % if the window is too short
/// for an ATR. The stop of a buy lies below the price, that of any other action above it.
pub fn default_levels(action: Action, price: f64, window: CandleSlice<'_>) -> RiskLevels {
    let (stop, target) = match average_true_range(window) {
        Some(atr) if atr > 0.0 => (STOP_RANGES * atr / price, TARGET_RANGES * atr / price),
        _ => (STOP_SHARE, TARGET_SHARE),
    };
    match action {
        Action::Buy => RiskLevels { stop_loss: price * (1.0 - stop), take_profit: price * (1.0 + target) },
        _ => RiskLevels { stop_loss: price * (1.0 + stop), take_profit: price * (1.0 - target) },
    }
}

/// Wilder's ATR at the newest candle: seeded with the mean of the first 14 true ranges, then smoothed by 1/14. A candle
/// without a range counts as `f64::EPSILON`, so that the average is never exactly zero.
fn average_true_range(window: CandleSlice<'_>) -> Option<f64> {
    let true_range = |i: usize| {
        let range = window.high[i] - window.low[i];
        let range = if range == 0.0 { f64::EPSILON } else { range };
        let before = window.close[i - 1];
        range.abs().max((window.high[i] - before).abs()).max((before - window.low[i]).abs())
    };
    if window.len() <= ATR_PERIOD {
        return None;
    }
    let seed = (1..=ATR_PERIOD).map(true_range).sum::<f64>() / ATR_PERIOD as f64;
    let weight = 1.0 / ATR_PERIOD as f64;
    Some((ATR_PERIOD + 1..window.len()).map(true_range).fold(seed, |atr, range| (1.0 - weight) * atr + weight * range))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candle, CandleWindow, Timestamp};

    fn window(count: i64) -> CandleWindow {
        CandleWindow::new((0..count).map(|i| Candle {
            open_time: Timestamp::from_millis(i),
            open: 100.0,
            high: 101.0,
            low: 99.0,
            close: 100.0,
            volume: 1.0,
        }))
        .unwrap()
    }

    #[test]
    fn levels_are_average_true_ranges_away() {
        let levels = default_levels(Action::Buy, 100.0, window(30).newest(30));
        assert!((levels.stop_loss - 96.0).abs() < 1e-9 && (levels.take_profit - 106.0).abs() < 1e-9, "{levels:?}");
        let levels = default_levels(Action::Sell, 100.0, window(30).newest(30));
        assert!((levels.stop_loss - 104.0).abs() < 1e-9 && (levels.take_profit - 94.0).abs() < 1e-9, "{levels:?}");
    }

    #[test]
    fn a_short_window_takes_shares_of_the_price() {
        let levels = default_levels(Action::Buy, 200.0, window(14).newest(14));
        assert_eq!(levels, RiskLevels { stop_loss: 196.0, take_profit: 210.0 });
    }
}
