//! A bear trap as a rule of continuation: a dip below a long average that is bought up within the candle leaves the
//! sellers trapped, and the trend goes on.
//!
//! It buys when the newest candle fell below the exponential average over `ema_period` candles and closed above it,
//! while the last `trend_candles` closes all lay above theirs.
//!
//! **Confidence** is `base_confidence + recovery_weight·r`, at most `max_confidence`. Of the candle's range,
//! `r = (close - low) / (high - low)` is what the close won back. With the defaults it lies in [0.6, 0.85].
//!
//! **Levels.** Entry at the candle's high, stop at its low, target `risk_reward_ratio` times as far.
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
        /// How many of the newest closes must lie above the average.
        #[range(1..=50)]
        trend_candles: usize = 4,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.60,
        /// What a candle that closes at its high adds to the confidence.
        #[range(0.0..=1.0)]
        recovery_weight: f64 = 0.25,
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
pub struct BearTrapBuy;

impl Strategy for BearTrapBuy {
    type Parameters = Parameters;

    const ID: &'static str = "bear_trap_buy";
    const NAME: &'static str = "Bear trap (buy)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys when a candle dips below a long average in an uptrend and closes above it.";
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
        let trapped = candle.low < ema && candle.close > ema;
        if !(trapped && window.close().tail(trend_candles).is_above(averages.tail(trend_candles))) {
            return Ok(None);
        }
        let recovery = (candle.close - candle.low) / candle.range();
        let confidence = parameters.base_confidence + parameters.recovery_weight * recovery;
        Ok(Some(
            Signal::buy(confidence.min(parameters.max_confidence))
                .trade(candle.high, candle.low, risk_reward_ratio)
                .rationale(format!(
                    "The low {} fell below EMA({ema_period}) at {}, and the close {} won back {:.0} % of the range.",
                    price(candle.low),
                    price(ema),
                    price(candle.close),
                    100.0 * recovery
                ))
                .metadata("ema80", ema)
                .metadata("trap_depth", (candle.low - ema).abs())
                .metadata("recovery_strength", recovery)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", "bear_trap_reversal")
                .metadata("entry_price", candle.high),
        ))
    }
}

export!(BearTrapBuy);
