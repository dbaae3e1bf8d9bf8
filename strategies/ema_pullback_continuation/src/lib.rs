//! A pullback as an entry into a trend: the closes stay on one side of an average, and the newest candle comes back to
//! it.
//!
//! Three averages count: over `ema_fast`, `ema_medium` and `ema_slow` candles.
//!
//! * It buys when the medium average is above the slow one, each of the last `trend_candles` closes is above the medium
//!   average at its time, and the newest low is at most `pullback_threshold` above that average.
//! * Otherwise it sells when the fast average is below the medium one, each of those closes is below the medium
//!   average, and the newest high is at most `pullback_threshold` below that average and higher than the high before.
//!
//! **Confidence** is `base_confidence + trend_weight·t + pullback_weight·p`, at most `max_confidence`. The trend's
//! quality is `t = min(1, trend_multiplier·s)`, where `s` is the distance between the medium and the slow average as a
//! share of the slow one; the pullback's is `p = max(0, 1 - pullback_multiplier·d)`, where `d` is the distance of the
//! close from the medium average as a share of it. With the defaults it lies in [0.74, 0.88].
//!
//! **Levels.** Entry at the candle's high for a buy, stop at its low; for a sell the other way round. The target lies
//! `risk_reward_ratio` times as far.
//!
//! **Lookback.** The averages weigh all candles of the window and favour none for having come first (`ema_adjusted`).
//! With 250 candles and the defaults, those left out would weigh less than 1e-7.
//!
//! **Note.** A low within `pullback_threshold` counts as a pullback, so a candle that moves along the average is one. A
//! candle without a range gives a stop and a target at the entry; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 80,
        /// Length of the fast average, in candles.
        #[range(2..=200)]
        ema_fast: usize = 9,
        /// Length of the medium average, to which the price comes back, in candles.
        #[range(2..=200)]
        ema_medium: usize = 20,
        /// Length of the slow average, in candles.
        #[range(2..=200)]
        ema_slow: usize = 30,
        /// How far short of the medium average the candle may stay, as a share of the average.
        #[range(0.0..=0.5)]
        pullback_threshold: f64 = 0.01,
        /// How many of the newest closes must lie on the trend's side of the medium average.
        #[range(1..=50)]
        trend_candles: usize = 4,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.74,
        /// Factor that makes the trend's quality, 1 at most, of the distance between the medium and the slow average,
        /// as a share of the slow one.
        #[range(0.0..=1000.0)]
        trend_multiplier: f64 = 20.0,
        /// What a trend of quality 1 adds to the confidence.
        #[range(0.0..=1.0)]
        trend_weight: f64 = 0.08,
        /// Factor by which the close's distance from the medium average, as a share of it, lowers the pullback's
        /// quality from 1 to 0 at least.
        #[range(0.0..=1000.0)]
        pullback_multiplier: f64 = 10.0,
        /// What a pullback of quality 1 adds to the confidence.
        #[range(0.0..=1.0)]
        pullback_weight: f64 = 0.06,
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
pub struct EmaPullbackContinuation;

impl Strategy for EmaPullbackContinuation {
    type Parameters = Parameters;

    const ID: &'static str = "ema_pullback_continuation";
    const NAME: &'static str = "EMA pullback continuation";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Trades with the trend when a candle comes back to an average of medium length.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_medium < ema_slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_fast, ema_medium, ema_slow, trend_candles, .. } = parameters;
        window.require_all([min_data_points, ema_slow, ema_medium + trend_candles])?;
        let average = |period| indicators::ema_adjusted(window.close(), period);
        let mediums = average(ema_medium);
        let (fast, medium, slow) = (average(ema_fast).newest(), mediums.newest(), average(ema_slow).newest());
        let candle = window.candle(0);
        let (closes, averages) = (window.close().tail(trend_candles), mediums.tail(trend_candles));
        let threshold = parameters.pullback_threshold;
        let came_down = medium > slow && candle.low <= medium * (1.0 + threshold) && closes.is_above(averages);
        let rose = candle.high >= medium * (1.0 - threshold) && candle.high > window.high().ago(1);
        let came_up = fast < medium && rose && closes.is_below(averages);
        if !(came_down || came_up) {
            return Ok(None);
        }
        let separation = (medium - slow).abs() / slow;
        let depth = (candle.close - medium).abs() / medium;
        let trend_quality = (parameters.trend_multiplier * separation).min(1.0);
        let pullback_quality = (1.0 - parameters.pullback_multiplier * depth).max(0.0);
        let confidence = parameters.base_confidence
            + parameters.trend_weight * trend_quality
            + parameters.pullback_weight * pullback_quality;
        let confidence = confidence.min(parameters.max_confidence);
        let (signal, setup, origin) = if came_down {
            let signal = Signal::buy(confidence).trade(candle.high, candle.low, parameters.risk_reward_ratio);
            (signal, "bullish_pullback", "quantzed_screening_11")
        } else {
            let signal = Signal::sell(confidence).trade(candle.low, candle.high, parameters.risk_reward_ratio);
            (signal, "bearish_pullback", "quantzed_screening_12")
        };
        Ok(Some(
            signal
                .rationale(format!(
                    "{trend_candles} closes lie {side} EMA({ema_medium}) at {}, and the candle from {} to {} came \
                     back to it.",
                    price(medium),
                    price(candle.low),
                    price(candle.high),
                    side = if came_down { "above" } else { "below" },
                ))
                .metadata("setup_type", setup)
                .metadata("entry_price", if came_down { candle.high } else { candle.low })
                .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
                .metadata("ema9", fast)
                .metadata("ema20", medium)
                .metadata("ema30", slow)
                .metadata("ema_separation", separation)
                .metadata("pullback_depth", depth)
                .metadata("trend_quality", trend_quality)
                .metadata("pullback_quality", pullback_quality)
                .metadata("strategy_origin", origin)
                .levels_as_metadata(),
        ))
    }
}

export!(EmaPullbackContinuation);
