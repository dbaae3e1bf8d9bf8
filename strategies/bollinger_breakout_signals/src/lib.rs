//! A close outside the Bollinger band as a rule of reversal: what has been thrown out of the band is expected back at
//! its middle.
//!
//! It buys when the close is below the lower band, and sells when it is above the upper one.
//!
//! **Confidence** is `base_confidence + min(max_distance_bonus, distance_weight·d)`, at most `max_confidence`, where
//! `d` is the distance of the close from the band as a share of the band's price. With the defaults it lies in [0.68,
//! 0.80].
//!
//! **Levels.** Entry at the close, target at the middle band. The stop lies `stop_buffer` beyond the band: at
//! `1 - stop_buffer` times the lower band, or at `1 + stop_buffer` times the upper one.
//!
//! **Lookback.** The band is the mean and the population standard deviation of the last `bb_period` closes, the newest
//! among them; nothing older counts.
//!
//! **Note.** A close further outside than `stop_buffer` has passed the stop already; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=200)]
        min_data_points: usize = 25,
        /// Length of the band, in candles.
        #[range(2..=200)]
        bb_period: usize = 20,
        /// Half the width of the band, in standard deviations.
        #[range(0.1..=10.0)]
        bb_std: f64 = 2.0,
        /// Distance of the stop beyond the band, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.02,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.68,
        /// Factor by which the close's distance from the band, as a share of the band, adds to the confidence.
        #[range(0.0..=1000.0)]
        distance_weight: f64 = 50.0,
        /// The most that the close's distance adds to the confidence.
        #[range(0.0..=1.0)]
        max_distance_bonus: f64 = 0.12,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.85,
    }
}

/// The rule.
#[derive(Debug)]
pub struct BollingerBreakoutSignals;

impl Strategy for BollingerBreakoutSignals {
    type Parameters = Parameters;

    const ID: &'static str = "bollinger_breakout_signals";
    const NAME: &'static str = "Bollinger breakout";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys a close below the Bollinger band and sells one above it, back to the band's middle.";
    const LOOKBACK: u32 = 200;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, bb_period, bb_std, stop_buffer, .. } = parameters;
        window.require_all([min_data_points, bb_period])?;
        let close = window.close().newest();
        let band = indicators::bollinger_band(window.close().tail(bb_period), bb_std);
        let (signal, line, breakout, origin) = if close < band.lower {
            let confidence = confidence((band.lower - close) / band.lower, parameters);
            let signal = Signal::buy(confidence).stop_loss(band.lower * (1.0 - stop_buffer));
            (signal, band.lower, "lower_band_breakout", "quantzed_screening_04")
        } else if close > band.upper {
            let confidence = confidence((close - band.upper) / band.upper, parameters);
            let signal = Signal::sell(confidence).stop_loss(band.upper * (1.0 + stop_buffer));
            (signal, band.upper, "upper_band_breakout", "quantzed_screening_05")
        } else {
            return Ok(None);
        };
        Ok(Some(
            signal
                .price(close)
                .take_profit(band.middle)
                .rationale(format!(
                    "The close {} lies outside the Bollinger band, whose line is at {} and whose middle is at {}.",
                    price(close),
                    price(line),
                    price(band.middle)
                ))
                .metadata("bb_upper", band.upper)
                .metadata("bb_lower", band.lower)
                .metadata("bb_middle", band.middle)
                .metadata("band_width", band.width())
                .metadata("position_in_bands", band.position(close))
                .metadata("breakout_type", breakout)
                .metadata("distance_from_band", (close - line).abs() / close)
                .metadata("strategy_origin", origin)
                .metadata("target", "middle_band")
                .levels_as_metadata(),
        ))
    }
}

/// The confidence, which grows with the distance of the close from the band.
fn confidence(distance: f64, parameters: &Parameters) -> f64 {
    let bonus = (parameters.distance_weight * distance).min(parameters.max_distance_bonus);
    (parameters.base_confidence + bonus).min(parameters.max_confidence)
}

export!(BollingerBreakoutSignals);
