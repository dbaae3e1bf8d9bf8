//! The turn of a fast average: it rose with the candle before and falls with the newest.
//!
//! It sells when the exponential average over `ema_period` candles rose with the candle before the newest and fell with
//! the newest, whose close lies below it. (A close below the average is what makes it fall.)
//!
//! **Confidence** is `base_confidence + slope_weight·k + distance_weight·d`, at most `max_confidence`: `k` is the
//! difference of the two slopes and `d` the distance of the close from the average, both as shares of the close. With
//! the defaults it lies in [0.55, 0.8].
//!
//! **Levels.** Entry at the candle's low, stop at its high, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The average is seeded with the mean of the first `ema_period` candles (`ema`); with 250 candles and
//! the default nothing is left of that seed.
//!
//! **Note.** A candle without a range gives a stop and a target at the entry; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 60,
        /// Length of the average, in candles.
        #[range(2..=200)]
        ema_period: usize = 9,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.55,
        /// Factor by which the change of the average's slope, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        slope_weight: f64 = 50.0,
        /// Factor by which the close's distance from the average, as a share of the close, adds to the confidence.
        #[range(0.0..=1000.0)]
        distance_weight: f64 = 10.0,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.80,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct EmaSlopeReversalSell;

impl Strategy for EmaSlopeReversalSell {
    type Parameters = Parameters;

    const ID: &'static str = "ema_slope_reversal_sell";
    const NAME: &'static str = "EMA slope reversal (sell)";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Sells when a fast average turns from rising to falling.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_period, risk_reward_ratio, .. } = parameters;
        window.require_all([min_data_points, ema_period + 2])?;
        let averages = indicators::ema(window.close(), ema_period);
        let ema = averages.newest();
        let (slope, slope_before) = (ema - averages.ago(1), averages.ago(1) - averages.ago(2));
        let candle = window.candle(0);
        if !(slope_before > 0.0 && slope < 0.0 && candle.close < ema) {
            return Ok(None);
        }
        let slope_change = (slope - slope_before).abs();
        let relative_change = slope_change / candle.close;
        let distance = (ema - candle.close) / candle.close;
        let confidence = parameters.base_confidence
            + parameters.slope_weight * relative_change
            + parameters.distance_weight * distance;
        Ok(Some(
            Signal::sell(confidence.min(parameters.max_confidence))
                .trade(candle.low, candle.high, risk_reward_ratio)
                .rationale(format!(
                    "EMA({ema_period}) turned down to {}, and the close {} lies {:.2} % below it.",
                    price(ema),
                    price(candle.close),
                    100.0 * distance
                ))
                .metadata("ema9", ema)
                .metadata("current_inclination", slope)
                .metadata("previous_inclination", slope_before)
                .metadata("slope_change", slope_change)
                .metadata("price_distance_from_ema", distance)
                .metadata("normalized_slope_change", relative_change)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("pattern", "ema9_slope_reversal_bearish")
                .metadata("entry_price", candle.low),
        ))
    }
}

export!(EmaSlopeReversalSell);
