//! A pulse of momentum: the MACD turns up in a trend that is strong already, while the RSI still leaves room.
//!
//! It buys when all of this holds on the newest candle:
//!
//! * the MACD histogram is above 0, and the one before was not;
//! * the RSI lies from `rsi_min` to `rsi_max`, both included;
//! * the ADX is above `adx_min`;
//! * the close is above both averages, those over `ema_fast` and over `ema_slow` candles.
//!
//! **Confidence** is always `base_confidence`.
//!
//! **Levels.** Entry at the close, stop at the average over `ema_slow` candles, target `risk_reward_ratio` times as
//! far.
//!
//! **Lookback.** Both averages and the MACD's are seeded with the mean of their first candles (`ema`), RSI and ADX are
//! Wilder's. With 250 candles and the defaults no seed weighs more than 0.04 %.

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
        /// Length of the MACD's fast average, in candles.
        #[range(2..=100)]
        macd_fast: usize = 12,
        /// Length of the MACD's slow average, in candles.
        #[range(2..=100)]
        macd_slow: usize = 26,
        /// Length of the MACD's signal, in candles.
        #[range(2..=50)]
        macd_signal: usize = 9,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The least RSI of a buy, in RSI points.
        #[range(0.0..=100.0)]
        rsi_min: f64 = 50.0,
        /// The greatest RSI of a buy, in RSI points.
        #[range(0.0..=100.0)]
        rsi_max: f64 = 65.0,
        /// Length of the ADX, in candles.
        #[range(2..=100)]
        adx_period: usize = 14,
        /// The ADX that a trend must exceed, in ADX points.
        #[range(0.0..=100.0)]
        adx_min: f64 = 20.0,
        /// Confidence of every signal.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.74,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct MomentumPulse;

impl Strategy for MomentumPulse {
    type Parameters = Parameters;

    const ID: &'static str = "momentum_pulse";
    const NAME: &'static str = "Momentum pulse";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys when the MACD turns up in a strong trend and the RSI still leaves room.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close, Column::Volume];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, macd_fast < macd_slow)?;
        in_order!(parameters, rsi_min <= rsi_max)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { ema_fast, ema_slow, macd_slow, macd_signal, rsi_period, adx_period, .. } = parameters;
        // Two readings of the histogram are needed, and it begins with the signal.
        window.require_all([
            parameters.min_data_points,
            ema_fast,
            ema_slow,
            macd_slow + macd_signal,
            rsi_period + 1,
            2 * adx_period,
        ])?;
        let close = window.close().newest();
        let macd = indicators::macd(window.close(), parameters.macd_fast, macd_slow, macd_signal);
        if !macd.line.crossed_above(&macd.signal) {
            return Ok(None);
        }
        let fast = indicators::ema(window.close(), ema_fast).newest();
        let slow = indicators::ema(window.close(), ema_slow).newest();
        let rsi = indicators::rsi(window.close(), rsi_period).newest();
        let adx = indicators::adx(window.high(), window.low(), window.close(), adx_period).adx.newest();
        let has_room = rsi >= parameters.rsi_min && rsi <= parameters.rsi_max;
        let is_trend = adx > parameters.adx_min && close > fast && close > slow;
        if !(has_room && is_trend) {
            return Ok(None);
        }
        Ok(Some(
            Signal::buy(parameters.base_confidence)
                .trade(close, slow, parameters.risk_reward_ratio)
                .rationale(format!(
                    "The MACD crossed above its signal with RSI({rsi_period}) at {rsi:.1} and ADX({adx_period}) at \
                     {adx:.1}, and the close {} is above EMA({ema_fast}) at {} and EMA({ema_slow}) at {}.",
                    price(close),
                    price(fast),
                    price(slow)
                ))
                .metadata("macd_hist", macd.histogram.newest())
                .metadata("macd_signal", macd.signal.newest())
                .metadata("rsi", rsi)
                .metadata("volume", window.volume().newest())
                .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

export!(MomentumPulse);
