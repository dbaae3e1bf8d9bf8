//! A trend that is under way: the price lies below a fast and a slow average, and both fall.
//!
//! It sells when the newest close lies below the exponential averages over `ema_fast` and over `ema_slow` candles and
//! each of the two has fallen `falling_candles` times in a row. The fast one need not lie below the slow one.
//!
//! **Confidence** is `base_confidence + fast_distance_weight·f + slow_distance_weight·s + slope_weight·m`, at most
//! `max_confidence`: `f` and `s` are the distances of the close from the fast and the slow average, and `m` is what the
//! two fell by with the newest candle, all as shares of the close. With the defaults it lies in [0.6, 0.85].
//!
//! **Levels.** Entry at the close, stop at the candle's high or the fast average, whichever is higher, target
//! `risk_reward_ratio` times as far. The signal is a strong one.
//!
//! **Lookback.** Each average is seeded with the mean of its first candles (`ema`); with 250 candles and the defaults
//! the seed of the slow one still weighs 1.4 %.
//!
//! **Note.** After a crash the stop lies so far above that the target may fall below zero; the host then drops the
//! signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 125,
        /// Length of the fast average, in candles.
        #[range(2..=200)]
        ema_fast: usize = 8,
        /// Length of the slow average, in candles.
        #[range(2..=200)]
        ema_slow: usize = 80,
        /// On how many of the newest candles both averages must have fallen.
        #[range(1..=50)]
        falling_candles: usize = 2,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.60,
        /// Factor by which the close's distance from the fast average, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        fast_distance_weight: f64 = 10.0,
        /// Factor by which the close's distance from the slow average, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        slow_distance_weight: f64 = 5.0,
        /// Factor by which the fall of both averages, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        slope_weight: f64 = 20.0,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.85,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 1.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct EmaAlignmentBearish;

impl Strategy for EmaAlignmentBearish {
    type Parameters = Parameters;

    const ID: &'static str = "ema_alignment_bearish";
    const NAME: &'static str = "EMA alignment (bearish)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Sells below a fast and a slow average while both fall.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_fast, ema_slow, falling_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_slow + falling_candles, ema_slow + TOLD_SLOPES])?;
        let close = window.close().newest();
        let fast = indicators::ema(window.close(), ema_fast);
        let slow = indicators::ema(window.close(), ema_slow);
        let is_below_and_falling =
            |average: &[f64]| close < average.newest() && average.tail(falling_candles + 1).is_falling();
        if !(is_below_and_falling(&fast) && is_below_and_falling(&slow)) {
            return Ok(None);
        }
        let (fast_slope, slow_slope) = (slope(&fast, 0), slope(&slow, 0));
        let fast_distance = (fast.newest() - close) / close;
        let slow_distance = (slow.newest() - close) / close;
        let confidence = parameters.base_confidence
            + parameters.fast_distance_weight * fast_distance
            + parameters.slow_distance_weight * slow_distance
            + parameters.slope_weight * (fast_slope.abs() + slow_slope.abs()) / close;
        Ok(Some(
            Signal::sell(confidence.min(parameters.max_confidence))
                .trade(close, fast.newest().max(window.high().newest()), risk_reward_ratio)
                .strength(Strength::Strong)
                .rationale(format!(
                    "The close {} lies {:.2} % below EMA({ema_fast}) and {:.2} % below EMA({ema_slow}), which both \
                     fall.",
                    price(close),
                    100.0 * fast_distance,
                    100.0 * slow_distance
                ))
                .metadata("ema8", fast.newest())
                .metadata("ema80", slow.newest())
                .metadata("ema8_slope_1", fast_slope)
                .metadata("ema8_slope_2", slope(&fast, 1))
                .metadata("ema80_slope_1", slow_slope)
                .metadata("ema80_slope_2", slope(&slow, 1))
                .metadata("price_distance_ema8", fast_distance)
                .metadata("price_distance_ema80", slow_distance)
                .metadata("ema_separation", (fast.newest() - slow.newest()).abs() / close)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", "bearish_ema_alignment"),
        ))
    }
}

/// How many slopes of each average are in the metadata.
const TOLD_SLOPES: usize = 2;

/// The rise of the series on the candle `candles` before the newest.
fn slope(values: &[f64], candles: usize) -> f64 {
    values.ago(candles) - values.ago(candles + 1)
}

export!(EmaAlignmentBearish);
