//! Back to the mean: a price that is stretched away from its average, and beyond its Bollinger band, is expected to
//! return.
//!
//! The deviation is the distance of the close from the average, as a share of the average. It must be at least
//! `deviation_threshold`.
//!
//! * **Buy:** the RSI is below `rsi_oversold` and the close below the lower band.
//! * **Sell:** the RSI is above `rsi_overbought` and the close above the upper band.
//!
//! **Confidence** is `base_confidence`, with `momentum_bonus` added if the last `momentum_candles` closes each went
//! the trade's way, `strong_deviation_bonus` if the deviation is above `strong_deviation_threshold` and
//! `extreme_deviation_bonus` if it is above `extreme_deviation_threshold`; at most `max_confidence`. With the defaults
//! it is 0.70, 0.75, 0.80 or 0.85.
//!
//! **Levels.** Entry at the close; stop at `1 - stop_buffer` times the lower band for a buy, `1 + stop_buffer` times
//! the upper band for a sell; target at the average.
//!
//! **Lookback.** The average is seeded with the mean of its first candles (`ema`), the RSI is Wilder's; with 250
//! candles and the defaults both seeds have faded. The band is that of the last `bb_period` closes.
//!
//! **Note.** A close that has turned twice is hardly ever still beyond the band, so `momentum_bonus` rarely counts
//! unless `momentum_candles` is 1. In a crash the close may lie beyond the stop already; the host then drops the
//! signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 25,
        /// Length of the average to which the price returns, in candles.
        #[range(2..=200)]
        ema_period: usize = 21,
        /// The least distance of the close from the average, as a share of the average.
        #[range(0.0..=0.5)]
        deviation_threshold: f64 = 0.02,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The RSI below which the market is oversold, in RSI points.
        #[range(0.0..=100.0)]
        rsi_oversold: f64 = 30.0,
        /// The RSI above which the market is overbought, in RSI points.
        #[range(0.0..=100.0)]
        rsi_overbought: f64 = 70.0,
        /// Length of the band, in candles.
        #[range(2..=200)]
        bb_period: usize = 20,
        /// Half the width of the band, in standard deviations.
        #[range(0.1..=10.0)]
        bb_std: f64 = 2.0,
        /// Distance of the stop beyond the band, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.015,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.70,
        /// How many closes in a row must have gone the trade's way for the bonus.
        #[range(1..=20)]
        momentum_candles: usize = 2,
        /// What such closes add to the confidence.
        #[range(0.0..=1.0)]
        momentum_bonus: f64 = 0.05,
        /// The deviation beyond which it is strong, as a share of the average.
        #[range(0.0..=0.5)]
        strong_deviation_threshold: f64 = 0.03,
        /// What a strong deviation adds to the confidence.
        #[range(0.0..=1.0)]
        strong_deviation_bonus: f64 = 0.05,
        /// The deviation beyond which it is extreme, as a share of the average.
        #[range(0.0..=0.5)]
        extreme_deviation_threshold: f64 = 0.04,
        /// What an extreme deviation adds on top of that.
        #[range(0.0..=1.0)]
        extreme_deviation_bonus: f64 = 0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.90,
    }
}

/// The rule.
#[derive(Debug)]
pub struct MeanReversionScalper;

impl Strategy for MeanReversionScalper {
    type Parameters = Parameters;

    const ID: &'static str = "mean_reversion_scalper";
    const NAME: &'static str = "Mean reversion scalper";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Trades a stretched price back to its average.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, rsi_oversold <= rsi_overbought)?;
        in_order!(parameters, strong_deviation_threshold <= extreme_deviation_threshold)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { ema_period, rsi_period, bb_period, momentum_candles, stop_buffer, .. } = parameters;
        window.require_all([
            parameters.min_data_points,
            ema_period,
            rsi_period + 1,
            bb_period,
            momentum_candles + 1,
        ])?;
        let closes = window.close();
        let close = closes.newest();
        let ema = indicators::ema(closes, ema_period).newest();
        let deviation = (close - ema).abs() / ema;
        let is_stretched = deviation >= parameters.deviation_threshold;
        let rsi = indicators::rsi(closes, rsi_period).newest();
        let band = indicators::bollinger_band(closes.tail(bb_period), parameters.bb_std);
        let recent = closes.tail(momentum_candles + 1);
        let is_low = is_stretched && rsi < parameters.rsi_oversold && close < band.lower;
        let is_high = is_stretched && rsi > parameters.rsi_overbought && close > band.upper;
        let (action, kind, stop, has_turned) = if is_low {
            (Action::Buy, "oversold_reversal", band.lower * (1.0 - stop_buffer), recent.is_rising())
        } else if is_high {
            (Action::Sell, "overbought_reversal", band.upper * (1.0 + stop_buffer), recent.is_falling())
        } else {
            return Ok(None);
        };
        Ok(Some(
            Signal::new(action, confidence(deviation, has_turned, parameters))
                .price(close)
                .stop_loss(stop)
                .take_profit(ema)
                .rationale(format!(
                    "The close {} is {:.1} % from EMA({ema_period}) at {} and outside the band from {} to {}, with \
                     RSI({rsi_period}) at {rsi:.1}.",
                    price(close),
                    100.0 * deviation,
                    price(ema),
                    price(band.lower),
                    price(band.upper)
                ))
                .metadata("deviation_from_ema", deviation)
                .metadata("rsi", rsi)
                .metadata("ema21", ema)
                .metadata("bb_lower", band.lower)
                .metadata("bb_upper", band.upper)
                .metadata("signal_type", kind)
                .metadata("mean_reversion", true)
                .metadata("target", "ema21")
                .levels_as_metadata(),
        ))
    }
}

fn confidence(deviation: f64, has_turned: bool, parameters: &Parameters) -> f64 {
    let mut confidence = parameters.base_confidence;
    if has_turned {
        confidence += parameters.momentum_bonus;
    }
    if deviation > parameters.strong_deviation_threshold {
        confidence += parameters.strong_deviation_bonus;
    }
    if deviation > parameters.extreme_deviation_threshold {
        confidence += parameters.extreme_deviation_bonus;
    }
    confidence.min(parameters.max_confidence)
}

export!(MeanReversionScalper);
