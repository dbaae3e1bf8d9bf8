//! A notice that a market has gone quiet: a narrow Bollinger band often comes before a large movement, whichever way.
//!
//! It says `hold` on every candle on which the band's width, `q = (upper - lower) / middle`, is below
//! `squeeze_threshold`. A band whose middle is not above 0 says nothing.
//!
//! **Confidence** is `base_confidence + intensity_weight·i`, at most `max_confidence`, where `i = (squeeze_threshold -
//! q) / squeeze_threshold` runs from 0 at the threshold to 1 for a band without width. With the defaults it lies in
//! [0.65, 0.80].
//!
//! **Levels.** None: it is no trade. The price is the close.
//!
//! **Lookback.** The band is the mean and the population standard deviation of the last `bb_period` closes; nothing
//! older counts.
//!
//! **Note.** A width of 10 % is large for candles of minutes or hours, so with the default threshold most of them are
//! squeezes. About 1 % tells quiet times from others on candles of 15 minutes.

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
        /// The width below which the band is squeezed, as a share of its middle.
        #[range(0.0001..=1.0)]
        squeeze_threshold: f64 = 0.1,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.65,
        /// What a band without width adds to the confidence.
        #[range(0.0..=1.0)]
        intensity_weight: f64 = 0.15,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.85,
    }
}

/// The rule.
#[derive(Debug)]
pub struct BollingerSqueezeAlert;

impl Strategy for BollingerSqueezeAlert {
    type Parameters = Parameters;

    const ID: &'static str = "bollinger_squeeze_alert";
    const NAME: &'static str = "Bollinger squeeze alert";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Tells, without a trade, that the Bollinger band is narrow.";
    const LOOKBACK: u32 = 200;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, bb_period, bb_std, squeeze_threshold, .. } = parameters;
        window.require_all([min_data_points, bb_period])?;
        let close = window.close().newest();
        let band = indicators::bollinger_band(window.close().tail(bb_period), bb_std);
        let width = band.width();
        let is_squeezed = band.middle > 0.0 && width < squeeze_threshold;
        if !is_squeezed {
            return Ok(None);
        }
        let intensity = (squeeze_threshold - width) / squeeze_threshold;
        let confidence = parameters.base_confidence + parameters.intensity_weight * intensity;
        Ok(Some(
            Signal::hold(confidence.min(parameters.max_confidence))
                .price(close)
                .rationale(format!(
                    "The Bollinger band from {} to {} is {:.2} % of its middle wide, below {:.2} %.",
                    price(band.lower),
                    price(band.upper),
                    100.0 * width,
                    100.0 * squeeze_threshold
                ))
                .metadata("bb_upper", band.upper)
                .metadata("bb_lower", band.lower)
                .metadata("bb_middle", band.middle)
                .metadata("squeeze_ratio", width)
                .metadata("squeeze_threshold", squeeze_threshold)
                .metadata("squeeze_intensity", intensity)
                .metadata("band_position", band.position(close))
                .metadata("band_width_pct", width)
                .metadata("strategy_origin", "quantzed_screening_02"),
        ))
    }
}

export!(BollingerSqueezeAlert);
