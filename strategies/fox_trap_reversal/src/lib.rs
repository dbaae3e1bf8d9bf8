//! A trap within a trend: a candle comes back to the fast average and lures those who expect the trend to end, and then
//! the trend goes on.
//!
//! Three averages count: over `ema_fast`, `ema_medium` and `ema_slow` candles.
//!
//! * It buys when the close is above the fast average, which is above the medium one and, on each of the last
//!   `aligned_candles` candles, above the slow one; the low is at most `pullback_threshold` above the fast average; and
//!   of the `trap_candles` candles before the newest at least one had its high above the fast average.
//! * Otherwise it sells when the close is below the fast and the slow average; the fast one is, on each of the last
//!   `aligned_candles` candles, below the slow one; the high is at most `pullback_threshold` below the fast average;
//!   and of the `trap_candles` candles before the newest at least one had its low below it. The medium average does not
//!   count.
//!
//! **Confidence** is `base_confidence + trend_weight·t + spread_weight·s + trap_weight·q`, at most `max_confidence`.
//! The first two grow with the distance of the fast average from the slow and from the medium one, as a share of these:
//! `t = min(1, trend_multiplier·distance)` and `s = min(1, spread_multiplier·distance)`. The last one shrinks with the
//! distance of the low (for a sell: the high) from the fast average: `q = max(0, 1 - trap_multiplier·distance)`. With
//! the defaults it lies in [0.78, 0.92].
//!
//! **Levels.** Entry at the candle's high for a buy, stop at its low; for a sell the other way round. The target lies
//! `risk_reward_ratio` times as far.
//!
//! **Lookback.** The averages weigh all candles of the window and favour none for having come first (`ema_adjusted`).
//! With 250 candles and the defaults, those left out would weigh 0.2 %.
//!
//! **Note.** Within `pullback_threshold` of the average counts as having come back to it; where candles move less than
//! 2 %, as most do within a day, every candle of a trend comes back. A candle without a range gives a stop and a target
//! at the entry; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 130,
        /// Length of the fast average, to which the price comes back, in candles.
        #[range(2..=200)]
        ema_fast: usize = 8,
        /// Length of the medium average, in candles.
        #[range(2..=200)]
        ema_medium: usize = 20,
        /// Length of the slow average, in candles.
        #[range(2..=200)]
        ema_slow: usize = 80,
        /// How far short of the fast average the candle may stay, as a share of the average.
        #[range(0.0..=0.5)]
        pullback_threshold: f64 = 0.02,
        /// Among how many candles before the newest there must be one beyond the fast average.
        #[range(1..=50)]
        trap_candles: usize = 2,
        /// How many of the newest candles must have the fast average on the trend's side of the slow one.
        #[range(1..=50)]
        aligned_candles: usize = 6,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.78,
        /// Factor that makes the trend's quality, 1 at most, of the distance between the fast and the slow average, as
        /// a share of the slow one.
        #[range(0.0..=1000.0)]
        trend_multiplier: f64 = 15.0,
        /// What a trend of quality 1 adds to the confidence.
        #[range(0.0..=1.0)]
        trend_weight: f64 = 0.08,
        /// Factor that makes the spread's quality, 1 at most, of the distance between the fast and the medium average,
        /// as a share of the medium one.
        #[range(0.0..=1000.0)]
        spread_multiplier: f64 = 20.0,
        /// What a spread of quality 1 adds to the confidence.
        #[range(0.0..=1.0)]
        spread_weight: f64 = 0.06,
        /// Factor by which the candle's distance from the fast average, as a share of it, lowers the trap's quality
        /// from 1 to 0 at least.
        #[range(0.0..=1000.0)]
        trap_multiplier: f64 = 20.0,
        /// What a trap of quality 1 adds to the confidence.
        #[range(0.0..=1.0)]
        trap_weight: f64 = 0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.92,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct FoxTrapReversal;

impl Strategy for FoxTrapReversal {
    type Parameters = Parameters;

    const ID: &'static str = "fox_trap_reversal";
    const NAME: &'static str = "Fox trap reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Trades with the trend when a candle comes back to a fast average as if to break it.";
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
        let &Parameters { min_data_points, ema_fast, ema_medium, ema_slow, .. } = parameters;
        window.require_all([
            min_data_points,
            ema_slow + parameters.aligned_candles,
            ema_fast + parameters.trap_candles,
        ])?;
        let average = |period| indicators::ema_adjusted(window.close(), period);
        let averages = Averages { fast: average(ema_fast), medium: average(ema_medium), slow: average(ema_slow) };
        Ok(if is_bullish(window, &averages, parameters) {
            Some(trade(Action::Buy, window.candle(0), &averages, parameters))
        } else if is_bearish(window, &averages, parameters) {
            Some(trade(Action::Sell, window.candle(0), &averages, parameters))
        } else {
            None
        })
    }
}

struct Averages {
    fast: Vec<f64>,
    medium: Vec<f64>,
    slow: Vec<f64>,
}

fn is_bullish(window: Window<'_>, averages: &Averages, parameters: &Parameters) -> bool {
    let &Parameters { pullback_threshold, trap_candles, aligned_candles, .. } = parameters;
    let candle = window.candle(0);
    let fast = averages.fast.newest();
    let before = 1..trap_candles + 1;
    let (highs, fasts) = (window.high().span(before.clone()), averages.fast.span(before));
    candle.close > fast
        && fast > averages.medium.newest()
        && candle.low <= fast * (1.0 + pullback_threshold)
        && highs.iter().zip(fasts).any(|(high, fast)| high > fast)
        && averages.fast.tail(aligned_candles).is_above(averages.slow.tail(aligned_candles))
}

fn is_bearish(window: Window<'_>, averages: &Averages, parameters: &Parameters) -> bool {
    let &Parameters { pullback_threshold, trap_candles, aligned_candles, .. } = parameters;
    let candle = window.candle(0);
    let fast = averages.fast.newest();
    let before = 1..trap_candles + 1;
    let (lows, fasts) = (window.low().span(before.clone()), averages.fast.span(before));
    candle.close < fast
        && candle.high >= fast * (1.0 - pullback_threshold)
        && lows.iter().zip(fasts).any(|(low, fast)| low < fast)
        && averages.fast.tail(aligned_candles).is_below(averages.slow.tail(aligned_candles))
}

fn trade(action: Action, candle: Candle, averages: &Averages, parameters: &Parameters) -> Signal {
    let (fast, medium, slow) = (averages.fast.newest(), averages.medium.newest(), averages.slow.newest());
    let is_buy = action == Action::Buy;
    let (entry, stop) = if is_buy { (candle.high, candle.low) } else { (candle.low, candle.high) };
    let (kind, origin, side) = if is_buy {
        ("bullish_fox_trap", "quantzed_screening_19", "above")
    } else {
        ("bearish_fox_trap", "quantzed_screening_20", "below")
    };
    let separation = (fast - slow).abs() / slow;
    let spread = (fast - medium).abs() / medium;
    // The end of the candle that comes back to the average is the one at which the stop lies.
    let distance = (stop - fast).abs() / fast;
    let trend_quality = (parameters.trend_multiplier * separation).min(1.0);
    let spread_quality = (parameters.spread_multiplier * spread).min(1.0);
    let trap_quality = (1.0 - parameters.trap_multiplier * distance).max(0.0);
    let confidence = parameters.base_confidence
        + parameters.trend_weight * trend_quality
        + parameters.spread_weight * spread_quality
        + parameters.trap_weight * trap_quality;
    Signal::new(action, confidence.min(parameters.max_confidence))
        .trade(entry, stop, parameters.risk_reward_ratio)
        .rationale(format!(
            "The candle came to {}, {:.1} % from EMA({}) at {}, and closed {side} it; EMA({}) is at {}.",
            price(stop),
            100.0 * distance,
            parameters.ema_fast,
            price(fast),
            parameters.ema_slow,
            price(slow)
        ))
        .metadata("trap_type", kind)
        .metadata("entry_price", entry)
        .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
        .metadata("ema8", fast)
        .metadata("ema20", medium)
        .metadata("ema80", slow)
        .metadata("ema_separation", separation)
        .metadata("ema8_ema20_separation", spread)
        .metadata("trap_distance", distance)
        .metadata("trend_quality", trend_quality)
        .metadata("trap_quality", trap_quality)
        .metadata("strategy_origin", origin)
        .levels_as_metadata()
}

export!(FoxTrapReversal);
