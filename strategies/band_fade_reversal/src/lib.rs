//! Fading the lower band: a price near the lower Bollinger band that has just turned up is expected back at the middle.
//!
//! It buys when the close is at most `1 + band_tolerance` times the lower band and below the middle one, and the closes
//! made a turn: the one before was below its predecessor, and the newest is above the one before.
//!
//! **Confidence** is always `base_confidence`.
//!
//! **Levels.** Entry at the close, stop at `1 - stop_buffer` times the lower band, target at the middle band.
//!
//! **Lookback.** The band is the mean and the population standard deviation of the last `bb_period` closes; nothing
//! older counts.
//!
//! **Note.** The band need not be touched. Where prices move little the band is narrow, and nearly every price below
//! its middle is within 1 % of its lower end. A close far below the band may lie below the stop, too; the host then
//! drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=200)]
        min_data_points: usize = 20,
        /// Length of the band, in candles.
        #[range(2..=200)]
        bb_period: usize = 20,
        /// Half the width of the band, in standard deviations.
        #[range(0.1..=10.0)]
        bb_std: f64 = 2.0,
        /// How far above the lower band the close may be, as a share of the band.
        #[range(0.0..=0.5)]
        band_tolerance: f64 = 0.01,
        /// Distance of the stop beyond the lower band, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.02,
        /// Confidence of every signal.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.72,
    }
}

/// The rule.
#[derive(Debug)]
pub struct BandFadeReversal;

impl Strategy for BandFadeReversal {
    type Parameters = Parameters;

    const ID: &'static str = "band_fade_reversal";
    const NAME: &'static str = "Band fade reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys a turn upwards near the lower Bollinger band, back to the middle.";
    const LOOKBACK: u32 = 200;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, bb_period, band_tolerance, stop_buffer, .. } = parameters;
        // The turn consists of three closes.
        window.require_all([min_data_points, bb_period, 3])?;
        let closes = window.close();
        let close = closes.newest();
        let band = indicators::bollinger_band(closes.tail(bb_period), parameters.bb_std);
        let is_low = close <= band.lower * (1.0 + band_tolerance) && close < band.middle;
        let turned_up = closes.ago(1) < closes.ago(2) && close > closes.ago(1);
        if !(is_low && turned_up) {
            return Ok(None);
        }
        let distance = (close - band.lower) / band.lower;
        Ok(Some(
            Signal::buy(parameters.base_confidence)
                .price(close)
                .stop_loss(band.lower * (1.0 - stop_buffer))
                .take_profit(band.middle)
                .rationale(format!(
                    "The close {} turned up {:.1} % {} the lower band at {}, and the middle of the band is {}.",
                    price(close),
                    100.0 * distance.abs(),
                    if distance < 0.0 { "below" } else { "above" },
                    price(band.lower),
                    price(band.middle)
                ))
                .metadata("bb_lower", band.lower)
                .metadata("bb_middle", band.middle)
                .metadata("bb_upper", band.upper)
                .metadata("distance_from_lower", distance)
                .metadata("target", "middle_band")
                .levels_as_metadata(),
        ))
    }
}

export!(BandFadeReversal);
