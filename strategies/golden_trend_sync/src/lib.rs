//! Joining a trend where it pauses: the fast average is above the slow one, and the price is back near the fast one.
//!
//! It buys when the fast average is above the slow one, the close is at most `pullback_threshold` of the fast average
//! away from it on either side, and the candle closed above its open.
//!
//! **Confidence** is always `base_confidence`.
//!
//! **Levels.** Entry at the close, stop at the slow average, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** Both averages are seeded with the mean of their first candles (`ema`); with 250 candles and the
//! defaults the slow one's seed still weighs 0.03 %.
//!
//! **Note.** The averages need not have crossed lately: it suffices that they are in order. The close may be below the
//! slow average, so that the stop lies above the entry; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 50,
        /// Length of the fast average, in candles.
        #[range(2..=200)]
        ema_fast: usize = 21,
        /// Length of the slow average, at which the stop lies, in candles.
        #[range(2..=200)]
        ema_slow: usize = 50,
        /// How far from the fast average the close may be, on either side, as a share of the average.
        #[range(0.0..=0.5)]
        pullback_threshold: f64 = 0.02,
        /// Confidence of every signal.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.70,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct GoldenTrendSync;

impl Strategy for GoldenTrendSync {
    type Parameters = Parameters;

    const ID: &'static str = "golden_trend_sync";
    const NAME: &'static str = "Golden trend sync";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys a rising candle near the fast average while that is above the slow one.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Open, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_fast, ema_slow, pullback_threshold, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_slow])?;
        let candle = window.candle(0);
        let fast = indicators::ema(window.close(), ema_fast).newest();
        let slow = indicators::ema(window.close(), ema_slow).newest();
        let distance = (candle.close - fast).abs() / fast;
        if !(fast > slow && distance <= pullback_threshold && candle.is_rising()) {
            return Ok(None);
        }
        Ok(Some(
            Signal::buy(parameters.base_confidence)
                .trade(candle.close, slow, risk_reward_ratio)
                .rationale(format!(
                    "EMA({ema_fast}) at {} is above EMA({ema_slow}) at {}, and a rising candle closed at {}, {:.1} % \
                     from the fast average.",
                    price(fast),
                    price(slow),
                    price(candle.close),
                    100.0 * distance
                ))
                .metadata("ema21", fast)
                .metadata("ema50", slow)
                .metadata("pullback_distance", distance)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

export!(GoldenTrendSync);
