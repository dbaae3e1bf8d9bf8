//! A hammer: sellers drove the price far down within one candle, and buyers brought it all the way back.
//!
//! It buys when the newest candle's lower shadow is at least `lower_shadow_ratio_threshold` times its body and the body
//! at least `body_to_upper_shadow` times its upper shadow. The body may rise or fall; a candle without a body says
//! nothing. A decline before it is not required, but is worth confidence: the newest close must lie below at least
//! `min_downtrend_candles` of the `downtrend_candles` closes before it.
//!
//! **Confidence** is `base_confidence + shadow_weight·s + dominance_weight·d + bareness_weight·u`, and
//! `downtrend_bonus` after a decline; at most `max_confidence`. Of the lower shadow, `s` is its length in bodies as a
//! share of `full_shadow_ratio`, at most 1, and `d` its share of the candle's range; `u = 1 -
//! body_to_upper_shadow·upper/body` is 1 without an upper shadow and 0 at the longest allowed. With the defaults it
//! lies in [0.784, 0.88].
//!
//! **Levels.** Entry at the candle's high, stop at its low, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The rule reads the newest candle and `downtrend_candles` closes; `min_data_points` asks for more.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=50)]
        min_data_points: usize = 10,
        /// Least lower shadow, in multiples of the body.
        #[range(0.5..=20.0)]
        lower_shadow_ratio_threshold: f64 = 2.5,
        /// Least body, in multiples of the upper shadow.
        #[range(0.5..=20.0)]
        body_to_upper_shadow: f64 = 5.0,
        /// How many candles before the newest are looked at for a decline.
        #[range(1..=49)]
        downtrend_candles: usize = 4,
        /// How many of them must have closed above the newest close for a decline.
        #[range(1..=49)]
        min_downtrend_candles: usize = 2,
        /// Lower shadow from which its length adds no more confidence, in multiples of the body.
        #[range(0.5..=50.0)]
        full_shadow_ratio: f64 = 5.0,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.68,
        /// What a decline adds to the confidence.
        #[range(0.0..=1.0)]
        downtrend_bonus: f64 = 0.08,
        /// What a lower shadow of `full_shadow_ratio` bodies adds to the confidence.
        #[range(0.0..=1.0)]
        shadow_weight: f64 = 0.10,
        /// What a lower shadow as long as the whole candle would add to the confidence.
        #[range(0.0..=1.0)]
        dominance_weight: f64 = 0.08,
        /// What the absence of an upper shadow adds to the confidence.
        #[range(0.0..=1.0)]
        bareness_weight: f64 = 0.06,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.88,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct HammerReversalPattern;

impl Strategy for HammerReversalPattern {
    type Parameters = Parameters;

    const ID: &'static str = "hammer_reversal_pattern";
    const NAME: &'static str = "Hammer reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys a candle with a long lower shadow, a small body and next to no upper shadow.";
    const LOOKBACK: u32 = 50;
    const COLUMNS: &'static [Column] = &[Column::Open, Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, min_downtrend_candles <= downtrend_candles)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, downtrend_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, downtrend_candles + 1])?;
        let candle = window.candle(0);
        if !is_hammer(candle, parameters) {
            return Ok(None);
        }
        let (body, lower, upper) = (candle.body(), candle.lower_shadow(), candle.upper_shadow());
        let length = (lower / body / parameters.full_shadow_ratio).min(1.0);
        let dominance = lower / candle.range();
        let bareness = (1.0 - parameters.body_to_upper_shadow * (upper / body)).max(0.0);
        let higher_closes = window.close().span(1..downtrend_candles + 1).iter().filter(|&&close| close > candle.close);
        let after_decline = higher_closes.count() >= parameters.min_downtrend_candles;
        let confidence = parameters.base_confidence
            + if after_decline { parameters.downtrend_bonus } else { 0.0 }
            + parameters.shadow_weight * length
            + parameters.dominance_weight * dominance
            + parameters.bareness_weight * bareness;
        Ok(Some(
            Signal::buy(confidence.min(parameters.max_confidence))
                .trade(candle.high, candle.low, risk_reward_ratio)
                .rationale(format!(
                    "The lower shadow from {} to {} is {:.1} times the body and {:.0} % of the range, {} a decline.",
                    price(candle.low),
                    price(candle.low + lower),
                    lower / body,
                    100.0 * dominance,
                    if after_decline { "after" } else { "without" }
                ))
                .metadata("pattern_type", "hammer")
                .metadata("entry_price", candle.high)
                .levels_as_metadata()
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("candle_open", candle.open)
                .metadata("candle_high", candle.high)
                .metadata("candle_low", candle.low)
                .metadata("candle_close", candle.close)
                .metadata("body_size", body)
                .metadata("lower_shadow", lower)
                .metadata("upper_shadow", upper)
                .metadata("total_range", candle.range())
                .metadata("wick_to_body_ratio", lower / body)
                .metadata("wick_dominance", dominance)
                .metadata("upper_wick_ratio", upper / body)
                .metadata("downtrend_context", after_decline)
                .metadata("pattern_quality", (length + dominance + bareness) / 3.0)
                .metadata("strategy_origin", "quantzed_screening_25"),
        ))
    }
}

fn is_hammer(candle: Candle, parameters: &Parameters) -> bool {
    let body = candle.body();
    body > 0.0
        && candle.lower_shadow() >= parameters.lower_shadow_ratio_threshold * body
        && candle.upper_shadow() <= body / parameters.body_to_upper_shadow
}

export!(HammerReversalPattern);
