//! A burst out of quiet: a candle with an unusually wide range at the end of rising closes.
//!
//! It buys when the newest candle's range (high less low) is more than `range_atr_multiplier` times the ATR, its volume
//! is above `min_volume`, and the last `momentum_candles` closes each lie above the one before.
//!
//! **Confidence** is always `base_confidence`.
//!
//! **Levels.** Entry at the close, stop at `1 - stop_buffer` times the lowest low of the last `stop_candles` candles,
//! target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The ATR is Wilder's average of the true range, seeded with the mean of its first `atr_period` values.
//! It contains the newest candle.
//!
//! **Note.** No level has to be broken: the width of the candle and the rise are all that is asked for.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 20,
        /// Length of the ATR, in candles.
        #[range(2..=100)]
        atr_period: usize = 14,
        /// The range that the candle must exceed, in multiples of the ATR.
        #[range(0.0..=20.0)]
        range_atr_multiplier: f64 = 1.5,
        /// The volume that the candle must exceed, in the units of the market's volume.
        #[range(0.0..=1e12)]
        min_volume: f64 = 0.0,
        /// How many closes in a row must have risen.
        #[range(1..=20)]
        momentum_candles: usize = 2,
        /// Of how many candles the lowest low sets the stop.
        #[range(1..=200)]
        stop_candles: usize = 10,
        /// Distance of the stop beyond that low, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.01,
        /// Confidence of every signal.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.68,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct RangeBreakPop;

impl Strategy for RangeBreakPop {
    type Parameters = Parameters;

    const ID: &'static str = "range_break_pop";
    const NAME: &'static str = "Range break pop";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys a candle with an unusually wide range at the end of rising closes.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close, Column::Volume];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { atr_period, momentum_candles, stop_candles, risk_reward_ratio, .. } = parameters;
        window.require_all([parameters.min_data_points, atr_period + 1, momentum_candles + 1, stop_candles])?;
        let candle = window.candle(0);
        let atr = indicators::atr(window.high(), window.low(), window.close(), atr_period).newest();
        let is_wide = candle.range() > parameters.range_atr_multiplier * atr;
        let is_traded = candle.volume > parameters.min_volume;
        if !(is_wide && is_traded && window.close().tail(momentum_candles + 1).is_rising()) {
            return Ok(None);
        }
        let stop = indicators::lowest(window.low().tail(stop_candles)) * (1.0 - parameters.stop_buffer);
        Ok(Some(
            Signal::buy(parameters.base_confidence)
                .trade(candle.close, stop, risk_reward_ratio)
                .rationale(format!(
                    "The candle's range {} is {:.1} times ATR({atr_period}), and the closes rose up to {}.",
                    price(candle.range()),
                    candle.range() / atr,
                    price(candle.close)
                ))
                .metadata("atr", atr)
                .metadata("range_size", candle.range())
                .metadata("volume", candle.volume)
                .metadata("momentum", true)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

export!(RangeBreakPop);
