//! A doji: a candle that closes where it opened shows a balance between buyers and sellers, and so a doubt about the
//! move that led there.
//!
//! A doji is a candle whose body is at most `body_size_threshold` of its range. If it closes above the mean of the last
//! `sma_period` closes, the move was a rise and the rule sells; below, it buys. A close at the mean says nothing.
//!
//! **Confidence** is `base_confidence + quality_weight·q + min(max_distance_bonus, distance_weight·d)`, at most
//! `max_confidence`: `q = 1 - body/range/body_size_threshold` is 1 without a body and 0 with the largest allowed, and
//! `d` is the close's distance from the mean as a share of the close. With the defaults it lies in [0.4, 0.7].
//!
//! **Levels.** A sell enters at the candle's low with the stop at its high, a buy at its high with the stop at its low;
//! the target lies `risk_reward_ratio` times as far as the stop. The signal is a weak one.
//!
//! **Lookback.** The rule reads the newest candle and `sma_period` closes; `min_data_points` asks for more.
//!
//! **Note.** `min_range` is in units of the price, not relative to it: with the default, pairs that cost less than a
//! cent hardly ever have a range that counts. `min_relative_range` is the same for every market: if it is set, it takes
//! the place of `min_range`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=100)]
        min_data_points: usize = 20,
        /// Least range from low to high, in units of the price.
        #[range(0.000_000_01..=1000.0)]
        min_range: f64 = 0.0001,
        /// Least range from low to high, as a share of the close; takes the place of min_range. Unset: that one counts.
        #[range(0.0..=1.0)]
        min_relative_range: Option<f64>,
        /// Largest body of a doji, as a share of the candle's range.
        #[range(0.001..=1.0)]
        body_size_threshold: f64 = 0.05,
        /// Length of the mean that tells a rise from a decline, in candles.
        #[range(2..=100)]
        sma_period: usize = 10,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.40,
        /// What a doji without a body adds to the confidence.
        #[range(0.0..=1.0)]
        quality_weight: f64 = 0.20,
        /// Factor by which the close's distance from the mean, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        distance_weight: f64 = 10.0,
        /// The most that the close's distance adds to the confidence.
        #[range(0.0..=1.0)]
        max_distance_bonus: f64 = 0.2,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.70,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 1.2,
    }
}

/// The rule.
#[derive(Debug)]
pub struct DojiReversal;

impl Strategy for DojiReversal {
    type Parameters = Parameters;

    const ID: &'static str = "doji_reversal";
    const NAME: &'static str = "Doji reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Trades against the move that led to a doji: sells one above the mean of the closes, buys one below.";
    const LOOKBACK: u32 = 100;
    const COLUMNS: &'static [Column] = &[Column::Open, Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, sma_period, body_size_threshold, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, sma_period])?;
        let candle = window.candle(0);
        let body_ratio = candle.body() / candle.range();
        let min_range = parameters.min_relative_range.map_or(parameters.min_range, |share| share * candle.close);
        if !(candle.range() >= min_range && body_ratio <= body_size_threshold) {
            return Ok(None);
        }
        let mean = indicators::mean(window.close().tail(sma_period));
        let quality = 1.0 - body_ratio / body_size_threshold;
        let distance = (candle.close - mean).abs() / candle.close;
        let confidence = parameters.base_confidence
            + parameters.quality_weight * quality
            + (parameters.distance_weight * distance).min(parameters.max_distance_bonus);
        let confidence = confidence.min(parameters.max_confidence);
        let (signal, entry, stop, side, pattern) = if candle.close > mean {
            (Signal::sell(confidence), candle.low, candle.high, "above", "doji_bearish_reversal")
        } else if candle.close < mean {
            (Signal::buy(confidence), candle.high, candle.low, "below", "doji_bullish_reversal")
        } else {
            return Ok(None);
        };
        Ok(Some(
            signal
                .trade(entry, stop, risk_reward_ratio)
                .strength(Strength::Weak)
                .rationale(format!(
                    "The body is {:.1} % of the range from {} to {}, and the close {} lies {side} SMA({sma_period}) \
                     at {}.",
                    100.0 * body_ratio,
                    price(candle.low),
                    price(candle.high),
                    price(candle.close),
                    price(mean)
                ))
                .metadata("body_size", candle.body())
                .metadata("total_range", candle.range())
                .metadata("body_ratio", body_ratio)
                .metadata("sma10", mean)
                .metadata("doji_quality", quality)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", pattern)
                .metadata("entry_price", entry),
        ))
    }
}

export!(DojiReversal);
