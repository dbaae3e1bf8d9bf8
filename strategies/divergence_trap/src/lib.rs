//! A divergence at the bottom: the price is lower than some candles ago and the RSI is higher, so the fall loses force.
//!
//! It compares the newest candle with the one `divergence_candles` before it, and buys when the low is lower, the RSI
//! is higher but still below `rsi_oversold`, and the close is above the one before.
//!
//! **Confidence** is always `base_confidence`.
//!
//! **Levels.** Entry at the close, stop at `1 - stop_buffer` times the lowest low of the last `stop_candles` candles,
//! target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The RSI is Wilder's, seeded with the mean of its first `rsi_period` changes.
//!
//! **Note.** Two fixed candles are compared, whether or not they are lows of a swing. The metadata calls the divergence
//! `hidden_bullish`; in the usual terms a lower low with a higher RSI is a regular one.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 30,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The RSI below which the market is oversold, in RSI points.
        #[range(0.0..=100.0)]
        rsi_oversold: f64 = 30.0,
        /// How far back the candle lies that price and RSI are compared with, in candles.
        #[range(1..=100)]
        divergence_candles: usize = 4,
        /// Of how many candles the lowest low sets the stop.
        #[range(1..=200)]
        stop_candles: usize = 10,
        /// Distance of the stop beyond that low, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.01,
        /// Confidence of every signal.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.66,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct DivergenceTrap;

impl Strategy for DivergenceTrap {
    type Parameters = Parameters;

    const ID: &'static str = "divergence_trap";
    const NAME: &'static str = "Divergence trap";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys a lower low at a higher RSI in an oversold market.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { rsi_period, divergence_candles, stop_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([parameters.min_data_points, rsi_period + 1 + divergence_candles, stop_candles])?;
        let (lows, closes) = (window.low(), window.close());
        let close = closes.newest();
        let indices = indicators::rsi(closes, rsi_period);
        let (rsi, rsi_before) = (indices.newest(), indices.ago(divergence_candles));
        let diverges = lows.newest() < lows.ago(divergence_candles) && rsi > rsi_before;
        if !(diverges && rsi < parameters.rsi_oversold && close > closes.ago(1)) {
            return Ok(None);
        }
        let stop = indicators::lowest(lows.tail(stop_candles)) * (1.0 - parameters.stop_buffer);
        Ok(Some(
            Signal::buy(parameters.base_confidence)
                .trade(close, stop, risk_reward_ratio)
                .rationale(format!(
                    "The low {} is below the {} of {divergence_candles} candles before, but RSI({rsi_period}) rose \
                     from {rsi_before:.1} to {rsi:.1}.",
                    price(lows.newest()),
                    price(lows.ago(divergence_candles))
                ))
                .metadata("rsi", rsi)
                .metadata("divergence_type", "hidden_bullish")
                .metadata("oversold", true)
                .metadata("momentum", true)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

export!(DivergenceTrap);
