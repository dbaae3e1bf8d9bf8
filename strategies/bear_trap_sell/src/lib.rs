//! A false breakout as a rule of continuation: a rise above a long average that is sold off within the candle leaves
//! the buyers trapped, and the decline goes on.
//!
//! It sells when the newest candle rose above the exponential average over `ema_period` candles and closed below it,
//! the close before lay below the average, too, and so did each of the last `trend_candles` closes (each below the
//! average at its time).
//!
//! **Confidence** is `base_confidence + failure_weight·f`, at most `max_confidence`, where `f = (average - close) /
//! (high - average)` is how far the candle closed below the average, in multiples of how far it had risen above. With
//! the defaults it lies in [0.6, 0.85].
//!
//! **Levels.** Entry at the candle's low, stop at its high, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The average is seeded with the mean of the first `ema_period` candles (`ema`); with 250 candles and
//! the defaults that seed still weighs 1.4 %.

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
        /// Length of the average, in candles.
        #[range(2..=200)]
        ema_period: usize = 80,
        /// How many of the newest closes must lie below the average.
        #[range(1..=50)]
        trend_candles: usize = 4,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.60,
        /// What a candle that closes as far below the average as it had risen above adds to the confidence.
        #[range(0.0..=1.0)]
        failure_weight: f64 = 0.25,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.85,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct BearTrapSell;

impl Strategy for BearTrapSell {
    type Parameters = Parameters;

    const ID: &'static str = "bear_trap_sell";
    const NAME: &'static str = "Bear trap (sell)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Sells when a candle rises above a long average in a downtrend and closes below it.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_period, trend_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_period + trend_candles])?;
        let averages = indicators::ema(window.close(), ema_period);
        let ema = averages.newest();
        let candle = window.candle(0);
        let trapped = candle.high > ema && candle.close < ema;
        let was_below = window.close().ago(1) < averages.ago(1);
        if !(trapped && was_below && window.close().tail(trend_candles).is_below(averages.tail(trend_candles))) {
            return Ok(None);
        }
        let breakout = candle.high - ema;
        let failure = ema - candle.close;
        let confidence = parameters.base_confidence + parameters.failure_weight * (failure / breakout);
        Ok(Some(
            Signal::sell(confidence.min(parameters.max_confidence))
                .trade(candle.low, candle.high, risk_reward_ratio)
                .rationale(format!(
                    "The high {} rose above EMA({ema_period}) at {}, and the close {} fell {:.1} times as far below \
                     it.",
                    price(candle.high),
                    price(ema),
                    price(candle.close),
                    failure / breakout
                ))
                .metadata("ema80", ema)
                .metadata("false_breakout_height", breakout)
                .metadata("breakout_failure_distance", failure)
                .metadata("failure_ratio", failure / breakout)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", "bear_trap_sell_reversal"),
        ))
    }
}

export!(BearTrapSell);
