//! A grab for liquidity: a candle runs into the stops beyond support or resistance on high volume, is rejected there,
//! and the candles after it hold the level.
//!
//! Support, resistance and the usual volume are the lowest low, the highest high and the mean volume of
//! `lookback_periods` candles. They end before the last `grab_candles + confirmation_candles`, among which the grab is
//! looked for: it must be followed by at least `confirmation_candles`.
//!
//! * **Buy:** a candle whose low is at most `1 + level_tolerance` times the support closed above its open and by more
//!   than `price_rejection_threshold` of its range above its low, on more than `volume_spike_multiplier` times the
//!   usual volume, and the next `confirmation_candles` closes are above the support.
//! * **Sell:** a candle whose high is at least `1 - level_tolerance` times the resistance closed below its open and by
//!   more than that share of its range below its high, on such a volume, and the next closes are below the resistance.
//!
//! Where both are found it is a buy.
//!
//! **Confidence** is `base_confidence`, with `volume_bonus` added if the newest volume is more than
//! `volume_multiplier_threshold` times the mean of the last `volume_sma_period` candles (the newest included), and
//! `divergence_bonus` if price and RSI diverge over `divergence_candles` candles: a lower close at a higher RSI for a
//! buy, a higher close at a lower RSI for a sell. At most 1; with the defaults 0.75, 0.80 or 0.85. Where nothing at
//! all was traded in the candles of that mean, there is no signal.
//!
//! **Levels.** Entry at the close; stop at `1 - stop_buffer` times the support for a buy, `1 + stop_buffer` times the
//! resistance for a sell; target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The RSI is Wilder's, seeded with the mean of its first `rsi_period` changes. It decides about a bonus
//! only, so closes that never moved, and therefore have no RSI, do not forbid a signal.
//!
//! **Note.** A candle without a range is no grab. The grab is some candles old when the signal comes, and the price
//! may have passed the stop meanwhile; the host then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 30,
        /// How many candles support, resistance and the usual volume are taken from.
        #[range(1..=150)]
        lookback_periods: usize = 15,
        /// How many candles may be the grab.
        #[range(1..=20)]
        grab_candles: usize = 3,
        /// How many closes after the grab must hold the level.
        #[range(0..=20)]
        confirmation_candles: usize = 2,
        /// How far the grab may stay away from the level, as a share of it.
        #[range(0.0..=0.5)]
        level_tolerance: f64 = 0.005,
        /// How far the grab must close away from its end at the level to be rejected, as a share of its range.
        #[range(0.0..=1.0)]
        price_rejection_threshold: f64 = 0.3,
        /// The volume that the grab must exceed, in multiples of the usual volume.
        #[range(0.0..=50.0)]
        volume_spike_multiplier: f64 = 1.5,
        /// Distance of the stop beyond support or resistance, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.005,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.75,
        /// Length of the volume's mean, in candles.
        #[range(2..=200)]
        volume_sma_period: usize = 20,
        /// The newest volume beyond which there is a bonus, in multiples of its mean.
        #[range(0.0..=50.0)]
        volume_multiplier_threshold: f64 = 2.0,
        /// What such a volume adds to the confidence.
        #[range(0.0..=1.0)]
        volume_bonus: f64 = 0.05,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// How far back the candle lies that price and RSI are compared with, in candles.
        #[range(1..=100)]
        divergence_candles: usize = 4,
        /// What a divergence adds to the confidence.
        #[range(0.0..=1.0)]
        divergence_bonus: f64 = 0.05,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct LiquidityGrabReversal;

impl Strategy for LiquidityGrabReversal {
    type Parameters = Parameters;

    const ID: &'static str = "liquidity_grab_reversal";
    const NAME: &'static str = "Liquidity grab reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Trades the rejection of a run into the stops beyond support or resistance.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Open, Column::High, Column::Low, Column::Close, Column::Volume];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { volume_sma_period, rsi_period, divergence_candles, stop_buffer, .. } = parameters;
        let pattern = parameters.lookback_periods + parameters.grab_candles + parameters.confirmation_candles;
        window.require_all([
            parameters.min_data_points,
            pattern,
            volume_sma_period,
            rsi_period + 1 + divergence_candles,
        ])?;
        let levels = Levels::of(window, parameters);
        let (action, kind, side, level, stop) = if levels.was_grabbed(window, parameters, Levels::is_grab_of_support) {
            (Action::Buy, "liquidity_grab_bullish", "support", levels.support, 1.0 - stop_buffer)
        } else if levels.was_grabbed(window, parameters, Levels::is_grab_of_resistance) {
            (Action::Sell, "liquidity_grab_bearish", "resistance", levels.resistance, 1.0 + stop_buffer)
        } else {
            return Ok(None);
        };
        let candle = window.candle(0);
        let mean_volume = indicators::mean(window.volume().tail(volume_sma_period));
        if mean_volume == 0.0 {
            return Ok(None);
        }
        let volume_ratio = candle.volume / mean_volume;
        let indices = indicators::rsi(window.close(), rsi_period);
        let (rsi, rsi_before) = (indices.newest(), indices.ago(divergence_candles));
        let close_before = window.close().ago(divergence_candles);
        let diverges = match action {
            Action::Buy => candle.close < close_before && rsi > rsi_before,
            _ => candle.close > close_before && rsi < rsi_before,
        };
        let mut confidence = parameters.base_confidence;
        if volume_ratio > parameters.volume_multiplier_threshold {
            confidence += parameters.volume_bonus;
        }
        if diverges {
            confidence += parameters.divergence_bonus;
        }
        Ok(Some(
            Signal::new(action, confidence.min(1.0))
                .trade(candle.close, level * stop, parameters.risk_reward_ratio)
                .rationale(format!(
                    "A run to the {side} at {} was rejected on high volume, and the closes after it held, the newest \
                     at {}.",
                    price(level),
                    price(candle.close)
                ))
                .metadata("rsi", rsi)
                .metadata("volume_ratio", volume_ratio)
                .metadata("signal_type", kind)
                .metadata("liquidity_grab", true)
                .metadata("rsi_divergence", diverges)
                .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
                .levels_as_metadata(),
        ))
    }
}

/// The levels and the mean volume that the candles before the pattern set.
struct Levels {
    support: f64,
    resistance: f64,
    volume: f64,
}

impl Levels {
    fn of(window: Window<'_>, parameters: &Parameters) -> Self {
        let newest = parameters.grab_candles + parameters.confirmation_candles;
        let ages = newest..newest + parameters.lookback_periods;
        Self {
            support: indicators::lowest(window.low().span(ages.clone())),
            resistance: indicators::highest(window.high().span(ages.clone())),
            volume: indicators::mean(window.volume().span(ages)),
        }
    }

    /// Whether any of the candles that may be the grab is one, confirmed by the closes after it.
    fn was_grabbed(
        &self,
        window: Window<'_>,
        parameters: &Parameters,
        is_grab: fn(&Self, &Candle, &[f64], &Parameters) -> bool,
    ) -> bool {
        let confirmation = parameters.confirmation_candles;
        (confirmation..confirmation + parameters.grab_candles).any(|age| {
            let candle = window.candle(age);
            let is_backed = candle.volume > parameters.volume_spike_multiplier * self.volume;
            is_backed && is_grab(self, &candle, window.close().span(age - confirmation..age), parameters)
        })
    }

    fn is_grab_of_support(&self, candle: &Candle, closes: &[f64], parameters: &Parameters) -> bool {
        candle.low <= self.support * (1.0 + parameters.level_tolerance)
            && is_rejected(candle.close - candle.low, candle, parameters)
            && candle.is_rising()
            && closes.iter().all(|&close| close > self.support)
    }

    fn is_grab_of_resistance(&self, candle: &Candle, closes: &[f64], parameters: &Parameters) -> bool {
        candle.high >= self.resistance * (1.0 - parameters.level_tolerance)
            && is_rejected(candle.high - candle.close, candle, parameters)
            && candle.is_falling()
            && closes.iter().all(|&close| close < self.resistance)
    }
}

/// Whether the close is far enough away from an end of the candle. If the candle has no range, no close is.
fn is_rejected(distance: f64, candle: &Candle, parameters: &Parameters) -> bool {
    candle.range() != 0.0 && distance / candle.range() > parameters.price_rejection_threshold
}

export!(LiquidityGrabReversal);
