//! An uptrend that two averages agree on: the price leads the fast average, the fast one leads the slow one, and both
//! rise.
//!
//! It buys when the close is above the average over `ema_fast` candles, that average is above the one over `ema_slow`
//! candles, and both have risen on each of the last `rising_candles` candles.
//!
//! **Confidence** is `base_confidence + min(max_separation_bonus, separation_weight·t) + min(max_fast_distance_bonus,
//! fast_distance_weight·d)`, at most `max_confidence`, where `t` is how far the fast average lies above the slow one
//! and `d` how far the close lies above the fast one, each as a share of the lower of the two. With the defaults it
//! lies in [0.74, 0.89].
//!
//! **Levels.** Entry at the close, stop at the slow average, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The averages weigh all candles of the window and favour none for having come first (`ema_adjusted`).
//! With 250 candles and the defaults, those left out would weigh 0.2 %.

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
        /// Length of the slow average, at which the stop lies, in candles.
        #[range(2..=200)]
        ema_slow: usize = 80,
        /// On how many of the newest candles both averages must have risen.
        #[range(1..=50)]
        rising_candles: usize = 2,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.74,
        /// Factor by which the distance between the averages, as a share of the slow one, adds to the confidence.
        #[range(0.0..=1000.0)]
        separation_weight: f64 = 10.0,
        /// The most that the distance between the averages adds to the confidence.
        #[range(0.0..=1.0)]
        max_separation_bonus: f64 = 0.1,
        /// Factor by which the close's distance from the fast average, as a share of that average, adds to the
        /// confidence.
        #[range(0.0..=1000.0)]
        fast_distance_weight: f64 = 20.0,
        /// The most that the close's distance adds to the confidence.
        #[range(0.0..=1.0)]
        max_fast_distance_bonus: f64 = 0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.95,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct EmaAlignmentBullish;

impl Strategy for EmaAlignmentBullish {
    type Parameters = Parameters;

    const ID: &'static str = "ema_alignment_bullish";
    const NAME: &'static str = "EMA alignment (bullish)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys while the price is above a fast average, that one above a slow average, and both rise.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_fast, ema_slow, rising_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_slow + rising_candles])?;
        let fast_averages = indicators::ema_adjusted(window.close(), ema_fast);
        let slow_averages = indicators::ema_adjusted(window.close(), ema_slow);
        let close = window.close().newest();
        let (fast, slow) = (fast_averages.newest(), slow_averages.newest());
        let is_aligned = close > fast && fast > slow;
        let is_rising = |averages: &[f64]| averages.tail(rising_candles + 1).is_rising();
        if !(is_aligned && is_rising(&fast_averages) && is_rising(&slow_averages)) {
            return Ok(None);
        }
        let trend = (fast - slow) / slow;
        let distance = (close - fast) / fast;
        Ok(Some(
            Signal::buy(confidence(trend, distance, parameters))
                .trade(close, slow, risk_reward_ratio)
                .rationale(format!(
                    "The close {} is above EMA({ema_fast}) at {}, which is {:.1} % above EMA({ema_slow}) at {}, \
                     and both rise.",
                    price(close),
                    price(fast),
                    100.0 * trend,
                    price(slow)
                ))
                .metadata("ema8", fast)
                .metadata("ema80", slow)
                .metadata("trend_strength", trend)
                .metadata("price_distance_from_ema8", distance)
                .metadata("ema8_momentum", true)
                .metadata("ema80_momentum", true)
                .metadata("strategy_origin", "quantzed_screening_01")
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

fn confidence(trend: f64, distance: f64, parameters: &Parameters) -> f64 {
    let for_trend = (parameters.separation_weight * trend).min(parameters.max_separation_bonus);
    let for_distance = (parameters.fast_distance_weight * distance).min(parameters.max_fast_distance_bonus);
    (parameters.base_confidence + for_trend + for_distance).min(parameters.max_confidence)
}

export!(EmaAlignmentBullish);
