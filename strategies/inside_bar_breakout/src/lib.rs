//! A pause within an uptrend: a candle within the range of the one before it shows that nobody sells into the rise, and
//! its high is where the rise goes on.
//!
//! It buys when the newest candle has a lower high and a higher low than the one before, each of the last
//! `trend_candles` closes is above the average over `ema_fast` candles at its time, that average is above the one over
//! `ema_slow` candles, and both have risen on each of the last `rising_candles` candles.
//!
//! **Confidence** is `base_confidence + pattern_weight·p + min(max_separation_bonus, separation_weight·t)`, at most
//! `max_confidence`, where `p` is by how much of the range before the candle is smaller (in [0, 1]), and `t` how far
//! the fast average lies above the slow one, as a share of the slow one. With the defaults it lies in [0.76, 0.92].
//!
//! **Levels.** Entry at the inside candle's high, stop at its low, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The averages weigh all candles of the window and favour none for having come first (`ema_adjusted`).
//! With 250 candles and the defaults, those left out would weigh 0.2 %.
//!
//! **Note.** The entry lies above the close: the breakout is still to come. A candle without a range gives a stop and a
//! target at the entry; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 130,
        /// Length of the fast average, in candles.
        #[range(2..=200)]
        ema_fast: usize = 8,
        /// Length of the slow average, in candles.
        #[range(2..=200)]
        ema_slow: usize = 80,
        /// How many of the newest closes must lie above the fast average.
        #[range(1..=50)]
        trend_candles: usize = 4,
        /// On how many of the newest candles both averages must have risen.
        #[range(1..=50)]
        rising_candles: usize = 2,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.76,
        /// What an inside candle without a range adds to the confidence.
        #[range(0.0..=1.0)]
        pattern_weight: f64 = 0.1,
        /// Factor by which the distance between the averages, as a share of the slow one, adds to the confidence.
        #[range(0.0..=1000.0)]
        separation_weight: f64 = 5.0,
        /// The most that the distance between the averages adds to the confidence.
        #[range(0.0..=1.0)]
        max_separation_bonus: f64 = 0.08,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.92,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct InsideBarBreakout;

impl Strategy for InsideBarBreakout {
    type Parameters = Parameters;

    const ID: &'static str = "inside_bar_breakout";
    const NAME: &'static str = "Inside bar breakout";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys above a candle that lies within the one before, in an uptrend.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_fast, ema_slow, trend_candles, rising_candles, .. } = parameters;
        window.require_all([min_data_points, ema_slow + rising_candles, ema_fast + trend_candles])?;
        let (inside, before) = (window.candle(0), window.candle(1));
        let fast_averages = indicators::ema_adjusted(window.close(), ema_fast);
        let slow_averages = indicators::ema_adjusted(window.close(), ema_slow);
        let (fast, slow) = (fast_averages.newest(), slow_averages.newest());
        let is_rising = |averages: &[f64]| averages.tail(rising_candles + 1).is_rising();
        let is_uptrend = fast > slow
            && window.close().tail(trend_candles).is_above(fast_averages.tail(trend_candles))
            && is_rising(&fast_averages)
            && is_rising(&slow_averages);
        if !(inside.is_inside(&before) && is_uptrend) {
            return Ok(None);
        }
        let quality = 1.0 - inside.range() / before.range();
        let risk_reward_ratio = parameters.risk_reward_ratio;
        Ok(Some(
            Signal::buy(confidence(quality, (fast - slow) / slow, parameters))
                .trade(inside.high, inside.low, risk_reward_ratio)
                .rationale(format!(
                    "The candle from {} to {} lies within the one before, from {} to {}, and EMA({ema_fast}) at {} and \
                     EMA({ema_slow}) at {} rise.",
                    price(inside.low),
                    price(inside.high),
                    price(before.low),
                    price(before.high),
                    price(fast),
                    price(slow)
                ))
                .metadata("entry_price", inside.high)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("inside_bar_high", inside.high)
                .metadata("inside_bar_low", inside.low)
                .metadata("previous_high", before.high)
                .metadata("previous_low", before.low)
                .metadata("pattern_quality", quality)
                .metadata("ema8", fast)
                .metadata("ema80", slow)
                .metadata("trend_strength", true)
                .metadata("strategy_origin", "quantzed_screening_10")
                .levels_as_metadata(),
        ))
    }
}

fn confidence(quality: f64, trend: f64, parameters: &Parameters) -> f64 {
    let for_trend = (parameters.separation_weight * trend).min(parameters.max_separation_bonus);
    (parameters.base_confidence + parameters.pattern_weight * quality + for_trend).min(parameters.max_confidence)
}

export!(InsideBarBreakout);
