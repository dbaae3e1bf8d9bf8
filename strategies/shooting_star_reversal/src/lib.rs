//! A shooting star: buyers drove the price far up within one candle, and sellers brought it all the way back.
//!
//! It sells when the newest candle's upper shadow is at least `upper_shadow_ratio_threshold` times its body and the
//! body at least `body_to_lower_shadow` times its lower shadow. The body may rise or fall. A rise before it is not
//! required, but a close above the mean of the last `sma_period` closes is worth confidence.
//!
//! **Confidence** is `base_confidence + shadow_weight·s`, at most `max_pattern_confidence`, where `s` is the upper
//! shadow in bodies as a share of `full_shadow_ratio`, at most 1; then `uptrend_bonus` above the mean; at most
//! `max_confidence`. With the defaults it lies in [0.625, 0.8].
//!
//! **Levels.** Entry at the candle's low, stop at its high, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The rule reads the newest candle and `sma_period` closes. Where there are fewer closes, there is no
//! mean and no bonus.
//!
//! **Note.** `min_body` is in units of the price, not relative to it: with the default, pairs that cost less than a
//! cent hardly ever have a body that counts.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=100)]
        min_data_points: usize = 10,
        /// Least body, in units of the price.
        #[range(0.000_000_01..=1000.0)]
        min_body: f64 = 0.0001,
        /// Least upper shadow, in multiples of the body.
        #[range(0.5..=20.0)]
        upper_shadow_ratio_threshold: f64 = 2.5,
        /// Least body, in multiples of the lower shadow.
        #[range(0.5..=20.0)]
        body_to_lower_shadow: f64 = 5.0,
        /// Upper shadow from which its length adds no more confidence, in multiples of the body.
        #[range(0.5..=50.0)]
        full_shadow_ratio: f64 = 5.0,
        /// Length of the mean that tells a rise, in candles.
        #[range(2..=100)]
        sma_period: usize = 20,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.50,
        /// What an upper shadow of `full_shadow_ratio` bodies adds to the confidence.
        #[range(0.0..=1.0)]
        shadow_weight: f64 = 0.25,
        /// The greatest confidence before the bonus.
        #[range(0.0..=1.0)]
        max_pattern_confidence: f64 = 0.75,
        /// What a close above that mean adds to the confidence.
        #[range(0.0..=1.0)]
        uptrend_bonus: f64 = 0.1,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.80,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 1.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct ShootingStarReversal;

impl Strategy for ShootingStarReversal {
    type Parameters = Parameters;

    const ID: &'static str = "shooting_star_reversal";
    const NAME: &'static str = "Shooting star reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Sells a candle with a long upper shadow, a small body and next to no lower shadow.";
    const LOOKBACK: u32 = 100;
    const COLUMNS: &'static [Column] = &[Column::Open, Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        window.require(parameters.min_data_points)?;
        let candle = window.candle(0);
        if !is_shooting_star(candle, parameters) {
            return Ok(None);
        }
        let ratio = candle.upper_shadow() / candle.body();
        let pattern_strength = (ratio / parameters.full_shadow_ratio).min(1.0);
        let above_mean = closes_above_mean(window.close(), parameters.sma_period);
        let pattern_confidence = parameters.base_confidence + parameters.shadow_weight * pattern_strength;
        let confidence = pattern_confidence.min(parameters.max_pattern_confidence)
            + if above_mean { parameters.uptrend_bonus } else { 0.0 };
        Ok(Some(
            Signal::sell(confidence.min(parameters.max_confidence))
                .trade(candle.low, candle.high, parameters.risk_reward_ratio)
                .rationale(format!(
                    "The upper shadow from {} to {} is {ratio:.1} times the body, {} the mean of {} closes.",
                    price(candle.high - candle.upper_shadow()),
                    price(candle.high),
                    if above_mean { "with the close above" } else { "though the close is not above" },
                    parameters.sma_period
                ))
                .metadata("body_size", candle.body())
                .metadata("upper_shadow", candle.upper_shadow())
                .metadata("lower_shadow", candle.lower_shadow())
                .metadata("shadow_ratio", ratio)
                .metadata("pattern_strength", pattern_strength)
                .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
                .metadata("pattern", "shooting_star_bearish_reversal")
                .metadata("entry_price", candle.low),
        ))
    }
}

fn is_shooting_star(candle: Candle, parameters: &Parameters) -> bool {
    let body = candle.body();
    body >= parameters.min_body
        && candle.upper_shadow() >= parameters.upper_shadow_ratio_threshold * body
        && candle.lower_shadow() <= body / parameters.body_to_lower_shadow
}

fn closes_above_mean(close: &[f64], period: usize) -> bool {
    close.len() >= period && close.newest() > indicators::mean(close.tail(period))
}

export!(ShootingStarReversal);
