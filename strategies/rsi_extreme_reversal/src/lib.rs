//! A very short relative strength index as a rule of reversal: over two candles it falls to its end in every sharp dip,
//! and such dips are soon bought.
//!
//! It buys when the RSI over `rsi_period` candles is below `oversold_threshold`; below `extreme_threshold` the signal
//! counts as extreme.
//!
//! **Confidence** is `extreme_confidence` or else `oversold_confidence`, adjusted by the momentum `m`, the change of
//! the RSI since the candle before: if it rises, `min(momentum_boost, momentum_adjustment_factor·m)` is added; if `m`
//! is below `momentum_threshold`, `momentum_penalty`, which is negative, is added. The result is at most
//! `max_confidence` and at least `base_confidence`, the least confidence that the adjustment may leave. With the
//! defaults it lies in [0.67, 0.90].
//!
//! **Levels.** Entry at the close. The stop is the lowest low of `stop_candles` candles, but at least
//! `min_stop_distance` below the close. The target lies `risk_reward_ratio` times as far above the close as the stop
//! below it, where the stop counts as at least `min_target_distance` away.
//!
//! **Lookback.** The RSI averages the rises and falls of the whole window and favours none for having come first
//! (`rsi_adjusted`). With the default period, every candle halves what the older ones weigh.
//!
//! **Timeframes.** It says nothing on candles of 1, 3 and 5 minutes, where an RSI of two candles is noise.
//!
//! **Note.** While the price stands still the RSI keeps its last value, so on a market without trades an old dip speaks
//! on.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 78,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 2,
        /// The RSI below which the market is oversold, in RSI points.
        #[range(1.0..=60.0)]
        oversold_threshold: f64 = 25.0,
        /// The RSI below which the fall is extreme, in RSI points.
        #[range(0.0..=60.0)]
        extreme_threshold: f64 = 2.0,
        /// The least confidence that the adjustment by momentum may leave.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.65,
        /// Confidence of an extreme fall, before the adjustment by momentum.
        #[range(0.0..=1.0)]
        extreme_confidence: f64 = 0.82,
        /// Confidence of any other fall, before the adjustment by momentum.
        #[range(0.0..=1.0)]
        oversold_confidence: f64 = 0.72,
        /// Factor by which a rise of the RSI, in RSI points, adds to the confidence.
        #[range(0.0..=1.0)]
        momentum_adjustment_factor: f64 = 0.02,
        /// A change of the RSI below this is penalised, in RSI points.
        #[range(-100.0..=0.0)]
        momentum_threshold: f64 = -2.0,
        /// The most that a rise of the RSI adds to the confidence.
        #[range(0.0..=1.0)]
        momentum_boost: f64 = 0.08,
        /// What a fall of the RSI adds to the confidence, a negative number.
        #[range(-1.0..=0.0)]
        momentum_penalty: f64 = -0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.90,
        /// The RSI from which the extremeness in the metadata is measured, in RSI points.
        #[range(1.0..=100.0)]
        extremeness_threshold: f64 = 25.0,
        /// Of how many candles the lowest low sets the stop.
        #[range(1..=200)]
        stop_candles: usize = 5,
        /// The least distance of the stop, as a share of the price.
        #[range(0.0..=0.5)]
        min_stop_distance: f64 = 0.01,
        /// The least distance of the stop that counts for the target, as a share of the price.
        #[range(0.0..=0.5)]
        min_target_distance: f64 = 0.005,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct RsiExtremeReversal;

impl Strategy for RsiExtremeReversal {
    type Parameters = Parameters;

    const ID: &'static str = "rsi_extreme_reversal";
    const NAME: &'static str = "RSI extreme reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys a sharp dip, told by a relative strength index of two candles.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Low, Column::Close];
    /// All timeframes except those below a quarter of an hour.
    const TIMEFRAMES: &'static [&'static str] = &["15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w"];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, extreme_threshold <= oversold_threshold)?;
        in_order!(parameters, base_confidence <= max_confidence)
    }

    fn evaluate(
        context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, rsi_period, stop_candles, .. } = parameters;
        // A host does not evaluate on other timeframes, but anyone may call a component.
        if !Self::TIMEFRAMES.contains(&context.timeframe.as_str()) {
            return Ok(None);
        }
        // The RSI begins after `rsi_period` changes, and two of its readings are compared.
        window.require_all([min_data_points, rsi_period + 2, stop_candles])?;
        let readings = indicators::rsi_adjusted(window.close(), rsi_period);
        let rsi = readings.newest();
        let (kind, threshold, origin, confidence) = if rsi < parameters.extreme_threshold {
            ("extreme", "extreme", "quantzed_screening_08", parameters.extreme_confidence)
        } else if rsi < parameters.oversold_threshold {
            ("strong", "oversold", "quantzed_screening_09", parameters.oversold_confidence)
        } else {
            return Ok(None);
        };
        let momentum = rsi - readings.ago(1);
        let confidence = confidence + adjustment(momentum, parameters);
        let close = window.close().newest();
        let stop = stop(window, parameters);
        let distance = (close - stop).max(parameters.min_target_distance * close);
        let scale = parameters.extremeness_threshold;
        Ok(Some(
            Signal::buy(confidence.min(parameters.max_confidence).max(parameters.base_confidence))
                .price(close)
                .stop_loss(stop)
                .take_profit(close + parameters.risk_reward_ratio * distance)
                .rationale(format!(
                    "RSI({rsi_period}) is {rsi:.1}, below {}; the close is {}, the stop {}.",
                    if kind == "extreme" { parameters.extreme_threshold } else { parameters.oversold_threshold },
                    price(close),
                    price(stop)
                ))
                .metadata("rsi_2", rsi)
                .metadata("rsi_momentum", momentum)
                .metadata("signal_strength", kind)
                .metadata("extremeness", ((scale - rsi) / scale).max(0.0))
                .metadata("threshold_type", threshold)
                .metadata("strategy_origin", origin)
                .levels_as_metadata(),
        ))
    }
}

/// What the change of the RSI adds to the confidence. It adds nothing if the RSI has only just begun.
fn adjustment(momentum: f64, parameters: &Parameters) -> f64 {
    if momentum > 0.0 {
        (momentum * parameters.momentum_adjustment_factor).min(parameters.momentum_boost)
    } else if momentum < parameters.momentum_threshold {
        parameters.momentum_penalty
    } else {
        0.0
    }
}

/// The stop: at the lowest of the newest lows, but not too near the close.
fn stop(window: Window<'_>, parameters: &Parameters) -> f64 {
    let nearest = window.close().newest() * (1.0 - parameters.min_stop_distance);
    let lowest = indicators::lowest(window.low().tail(parameters.stop_candles));
    if lowest > 0.0 { lowest.min(nearest) } else { nearest }
}

export!(RsiExtremeReversal);
