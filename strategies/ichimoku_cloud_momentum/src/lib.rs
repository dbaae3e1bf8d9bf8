//! Ichimoku: a price beyond the cloud is traded in its direction.
//!
//! Each line is the middle between the highest high and the lowest low of so many candles: the conversion line T
//! (`tenkan_period`) and the base line K (`kijun_period`) of the newest candles, and both edges of the cloud as of
//! `displacement` candles ago, where A is the middle between T and K of then and B is the line over `senkou_b_period`
//! candles.
//!
//! * **Buy:** the close is above A and above B, and T has just crossed above K or A is above B.
//! * **Sell:** the close is below A and below B, and T has just crossed below K or A is below B.
//!
//! **Confidence** is `base_confidence`, with `volume_bonus` added if the newest volume is more than
//! `volume_multiplier_threshold` times the mean of the last `volume_sma_period` candles (the newest included); at most
//! 1; with the defaults 0.70 or 0.75. Where nothing at all was traded in these candles, there is no signal.
//!
//! **Levels.** Entry at the close, stop at K, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The oldest candle that counts is `senkou_b_period + displacement` candles old.
//!
//! **Note.** No crossing is needed where the cloud itself shows the trend's direction, so the rule speaks on about half
//! of all candles. K may lie on the other side of the close; the host then drops the signal. The metadata's
//! `chikou_span` is always empty, since the lagging line would be drawn in the future.

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
        /// Length of the conversion line, in candles.
        #[range(2..=100)]
        tenkan_period: usize = 9,
        /// Length of the base line, at which the stop lies, in candles.
        #[range(2..=100)]
        kijun_period: usize = 26,
        /// Length of the cloud's slow edge, in candles.
        #[range(2..=150)]
        senkou_b_period: usize = 52,
        /// How far back the cloud is taken from, in candles.
        #[range(1..=100)]
        displacement: usize = 26,
        /// Length of the volume's mean, in candles.
        #[range(2..=200)]
        volume_sma_period: usize = 20,
        /// The newest volume beyond which there is a bonus, in multiples of its mean.
        #[range(0.0..=50.0)]
        volume_multiplier_threshold: f64 = 1.5,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.70,
        /// What such a volume adds to the confidence.
        #[range(0.0..=1.0)]
        volume_bonus: f64 = 0.05,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct IchimokuCloudMomentum;

impl Strategy for IchimokuCloudMomentum {
    type Parameters = Parameters;

    const ID: &'static str = "ichimoku_cloud_momentum";
    const NAME: &'static str = "Ichimoku cloud momentum";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Trades a price beyond the Ichimoku cloud in its direction.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close, Column::Volume];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, tenkan_period < kijun_period < senkou_b_period)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { senkou_b_period, displacement, volume_sma_period, risk_reward_ratio, .. } = parameters;
        window.require_all([parameters.min_data_points, senkou_b_period + displacement, volume_sma_period])?;
        let close = window.close().newest();
        let lines = Lines::of(window, parameters);
        let (action, kind, side) = if lines.buys_at(close) {
            (Action::Buy, "bullish_ichimoku", "above")
        } else if lines.sells_at(close) {
            (Action::Sell, "bearish_ichimoku", "below")
        } else {
            return Ok(None);
        };
        let mean_volume = indicators::mean(window.volume().tail(volume_sma_period));
        if mean_volume == 0.0 {
            return Ok(None);
        }
        let mut confidence = parameters.base_confidence;
        if window.volume().newest() / mean_volume > parameters.volume_multiplier_threshold {
            confidence += parameters.volume_bonus;
        }
        Ok(Some(
            Signal::new(action, confidence.min(1.0))
                .trade(close, lines.kijun, risk_reward_ratio)
                .rationale(format!(
                    "The close {} is {side} the cloud, whose edges are A at {} and B at {}; the conversion line is at \
                     {} and the base line at {}.",
                    price(close),
                    price(lines.span_a),
                    price(lines.span_b),
                    price(lines.tenkan),
                    price(lines.kijun)
                ))
                .metadata("tenkan_sen", lines.tenkan)
                .metadata("kijun_sen", lines.kijun)
                .metadata("senkou_span_a", lines.span_a)
                .metadata("senkou_span_b", lines.span_b)
                .metadata("chikou_span", f64::NAN)
                .metadata("signal_type", kind)
                .metadata("ichimoku_momentum", true)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

/// The lines at the newest candle, and two of them at the candle before it.
struct Lines {
    tenkan: f64,
    kijun: f64,
    tenkan_before: f64,
    kijun_before: f64,
    span_a: f64,
    span_b: f64,
}

impl Lines {
    fn of(window: Window<'_>, parameters: &Parameters) -> Self {
        let &Parameters { tenkan_period, kijun_period, senkou_b_period, displacement, .. } = parameters;
        let middle = |period: usize, age: usize| {
            let candles = age..age + period;
            indicators::midprice(window.high().span(candles.clone()), window.low().span(candles))
        };
        Self {
            tenkan: middle(tenkan_period, 0),
            kijun: middle(kijun_period, 0),
            tenkan_before: middle(tenkan_period, 1),
            kijun_before: middle(kijun_period, 1),
            span_a: f64::midpoint(middle(tenkan_period, displacement), middle(kijun_period, displacement)),
            span_b: middle(senkou_b_period, displacement),
        }
    }

    fn buys_at(&self, close: f64) -> bool {
        let crossed = self.tenkan > self.kijun && self.tenkan_before <= self.kijun_before;
        close > self.span_a && close > self.span_b && (crossed || self.span_a > self.span_b)
    }

    fn sells_at(&self, close: f64) -> bool {
        let crossed = self.tenkan < self.kijun && self.tenkan_before >= self.kijun_before;
        close < self.span_a && close < self.span_b && (crossed || self.span_a < self.span_b)
    }
}

export!(IchimokuCloudMomentum);
