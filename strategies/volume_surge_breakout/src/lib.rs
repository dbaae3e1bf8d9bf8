//! A breakout on a surge of volume, traded in its direction.
//!
//! It speaks when the newest candle's volume is more than `volume_surge_multiplier` times the mean of the last
//! `volume_sma_period` candles (the newest included), the RSI lies from `rsi_min` to `rsi_max`, both included, and the
//! MACD is above its signal. The range is that of the `range_period` candles before the newest.
//!
//! * **Buy:** the high is above the range's high, and the close is above `1 - close_tolerance` times that.
//! * **Sell:** the low is below the range's low, and the close is below `1 + close_tolerance` times that.
//!
//! A candle that does both is a buy.
//!
//! **Confidence** is `base_confidence`, with `strong_volume_bonus` added once the volume is more than
//! `strong_volume_threshold` times its mean and `extreme_volume_bonus` once it is more than `extreme_volume_threshold`
//! times; at most `max_confidence`. With the defaults it is 0.75, 0.80 or 0.85.
//!
//! **Levels.** Entry at the close; stop at `1 - stop_buffer` times the high that a buy broke, or `1 + stop_buffer`
//! times the low that a sell broke; target `risk_reward_ratio` times as far.
//!
//! **Lookback.** RSI and MACD are seeded with the mean of their first values; with 250 candles both seeds have faded.
//!
//! **Note.** Sells, too, ask for a MACD above its signal, which makes them very rare. Since the mean contains the surge
//! itself, the volume can't be more than `volume_sma_period` times its mean.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 34,
        /// Length of the volume's mean, in candles.
        #[range(2..=200)]
        volume_sma_period: usize = 20,
        /// The volume that a surge must exceed, in multiples of its mean.
        #[range(0.0..=50.0)]
        volume_surge_multiplier: f64 = 3.0,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The least RSI of a signal, in RSI points.
        #[range(0.0..=100.0)]
        rsi_min: f64 = 25.0,
        /// The greatest RSI of a signal, in RSI points.
        #[range(0.0..=100.0)]
        rsi_max: f64 = 75.0,
        /// Length of the MACD's fast average, in candles.
        #[range(2..=100)]
        macd_fast: usize = 12,
        /// Length of the MACD's slow average, in candles.
        #[range(2..=100)]
        macd_slow: usize = 26,
        /// Length of the MACD's signal, in candles.
        #[range(2..=50)]
        macd_signal: usize = 9,
        /// How many candles before the newest make the range that is broken.
        #[range(1..=200)]
        range_period: usize = 19,
        /// How far the close may have fallen back behind the broken level, as a share of it.
        #[range(0.0..=0.5)]
        close_tolerance: f64 = 0.002,
        /// Distance of the stop beyond the broken level, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.02,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.75,
        /// The volume beyond which a surge is strong, in multiples of its mean.
        #[range(0.0..=50.0)]
        strong_volume_threshold: f64 = 5.0,
        /// What a strong surge adds to the confidence.
        #[range(0.0..=1.0)]
        strong_volume_bonus: f64 = 0.05,
        /// The volume beyond which a surge is extreme, in multiples of its mean.
        #[range(0.0..=50.0)]
        extreme_volume_threshold: f64 = 7.0,
        /// What an extreme surge adds on top of that.
        #[range(0.0..=1.0)]
        extreme_volume_bonus: f64 = 0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.95,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct VolumeSurgeBreakout;

impl Strategy for VolumeSurgeBreakout {
    type Parameters = Parameters;

    const ID: &'static str = "volume_surge_breakout";
    const NAME: &'static str = "Volume surge breakout";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Trades a breakout from the recent range on a surge of volume.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close, Column::Volume];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, macd_fast < macd_slow)?;
        in_order!(parameters, rsi_min <= rsi_max)?;
        in_order!(parameters, strong_volume_threshold <= extreme_volume_threshold)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { volume_sma_period, rsi_period, macd_slow, macd_signal, range_period, .. } = parameters;
        window.require_all([
            parameters.min_data_points,
            volume_sma_period,
            rsi_period + 1,
            macd_slow + macd_signal - 1,
            range_period + 1,
        ])?;
        let candle = window.candle(0);
        let mean_volume = indicators::mean(window.volume().tail(volume_sma_period));
        let is_surge = candle.volume > parameters.volume_surge_multiplier * mean_volume;
        let rsi = indicators::rsi(window.close(), rsi_period).newest();
        let lines = indicators::macd(window.close(), parameters.macd_fast, macd_slow, macd_signal);
        let (macd, signal) = (lines.line.newest(), lines.signal.newest());
        let is_tempered = rsi >= parameters.rsi_min && rsi <= parameters.rsi_max;
        if !(is_surge && is_tempered && macd > signal) {
            return Ok(None);
        }
        let Some(breakout) = Breakout::of(window, parameters) else { return Ok(None) };
        let volume_ratio = candle.volume / mean_volume;
        Ok(Some(
            Signal::new(breakout.action, confidence(volume_ratio, parameters))
                .trade(candle.close, breakout.stop, parameters.risk_reward_ratio)
                .rationale(format!(
                    "A volume of {volume_ratio:.1} times its mean broke the {} at {}, with the close at {} and \
                     RSI({rsi_period}) at {rsi:.1}.",
                    breakout.kind,
                    price(breakout.level),
                    price(candle.close)
                ))
                .metadata("volume_ratio", volume_ratio)
                .metadata("rsi", rsi)
                .metadata("macd", macd)
                .metadata("macd_signal", signal)
                .metadata("breakout_type", breakout.kind)
                .metadata("volume_surge", true)
                .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

/// A level that the newest candle broke.
struct Breakout {
    action: Action,
    kind: &'static str,
    level: f64,
    stop: f64,
}

impl Breakout {
    fn of(window: Window<'_>, parameters: &Parameters) -> Option<Self> {
        let &Parameters { range_period, close_tolerance, stop_buffer, .. } = parameters;
        let candle = window.candle(0);
        let range = 1..range_period + 1;
        let high = indicators::highest(window.high().span(range.clone()));
        let low = indicators::lowest(window.low().span(range));
        if candle.high > high && candle.close > high * (1.0 - close_tolerance) {
            let stop = high * (1.0 - stop_buffer);
            Some(Self { action: Action::Buy, kind: "resistance", level: high, stop })
        } else if candle.low < low && candle.close < low * (1.0 + close_tolerance) {
            let stop = low * (1.0 + stop_buffer);
            Some(Self { action: Action::Sell, kind: "support", level: low, stop })
        } else {
            None
        }
    }
}

fn confidence(volume_ratio: f64, parameters: &Parameters) -> f64 {
    let mut confidence = parameters.base_confidence;
    if volume_ratio > parameters.strong_volume_threshold {
        confidence += parameters.strong_volume_bonus;
    }
    if volume_ratio > parameters.extreme_volume_threshold {
        confidence += parameters.extreme_volume_bonus;
    }
    confidence.min(parameters.max_confidence)
}

export!(VolumeSurgeBreakout);
