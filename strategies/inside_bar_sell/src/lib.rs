//! A pause in a decline: an inside bar below both averages is expected to break downwards.
//!
//! It sells when the newest candle lies within the one before it (a lower high and a higher low) and closes below the
//! exponential averages over `ema_fast` and over `ema_slow` candles.
//!
//! **Confidence** is `base_confidence + slow_distance_weight·(slow - close) / close + separation_weight·|fast - slow| /
//! close`, at most `max_confidence`. With the defaults it lies in [0.55, 0.8].
//!
//! **Levels.** Entry at the candle's low, stop at its high, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** Each average is seeded with the mean of its first candles (`ema`); with 250 candles and the defaults
//! the seed of the slow one still weighs 1.4 %.
//!
//! **Note.** A candle without a range gives a stop and a target at the entry; the host then drops the signal.

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
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.55,
        /// Factor by which the close's distance from the slow average, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        slow_distance_weight: f64 = 10.0,
        /// Factor by which the distance between the averages, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        separation_weight: f64 = 5.0,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.80,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct InsideBarSell;

impl Strategy for InsideBarSell {
    type Parameters = Parameters;

    const ID: &'static str = "inside_bar_sell";
    const NAME: &'static str = "Inside bar (sell)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Sells an inside bar that closes below a fast and a slow average.";
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
        let &Parameters { min_data_points, ema_fast, ema_slow, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_slow])?;
        let fast = indicators::ema(window.close(), ema_fast).newest();
        let slow = indicators::ema(window.close(), ema_slow).newest();
        let (candle, before) = (window.candle(0), window.candle(1));
        if !(candle.is_inside(&before) && candle.close < fast && candle.close < slow) {
            return Ok(None);
        }
        let separation = (fast - slow).abs() / candle.close;
        let context = (slow - candle.close) / candle.close;
        let confidence = parameters.base_confidence
            + parameters.slow_distance_weight * context
            + parameters.separation_weight * separation;
        Ok(Some(
            Signal::sell(confidence.min(parameters.max_confidence))
                .trade(candle.low, candle.high, risk_reward_ratio)
                .rationale(format!(
                    "The candle from {} to {} lies inside the one before it and closes at {}, below EMA({ema_fast}) at \
                     {} and {:.2} % below EMA({ema_slow}).",
                    price(candle.low),
                    price(candle.high),
                    price(candle.close),
                    price(fast),
                    100.0 * context
                ))
                .metadata("ema8", fast)
                .metadata("ema80", slow)
                .metadata("inside_bar_range", before.range())
                .metadata("consolidation_size", candle.range())
                .metadata("bearish_context_strength", context)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", "inside_bar_bearish_continuation")
                .metadata("entry_price", candle.low),
        ))
    }
}

export!(InsideBarSell);
