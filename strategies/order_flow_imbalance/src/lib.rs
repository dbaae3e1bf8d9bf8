//! Absorption: a candle with heavy volume that hardly moves the price shows that somebody takes all that is offered, or
//! sells all that is asked for. Volume that grows afterwards speaks for accumulation, and volume that dries up for
//! distribution.
//!
//! Of the newest candles, `volume_window` are the recent ones, and the `lookback_periods` before them give the support
//! (their lowest low), the resistance (their highest high) and the usual volume (their mean). A recent candle absorbs
//! if its volume exceeds `volume_spike_multiplier` times the usual one and its range is less than
//! `price_impact_threshold` of its low; the newest `settling_candles` do not count. Two volumes are compared: the
//! mean of the newest `volume_trend_candles`, and that of as many candles before them.
//!
//! * It buys when a candle absorbed and closed above the support, and the newer volume exceeds
//!   `accumulation_threshold` times the older.
//! * Otherwise it sells when a candle absorbed and closed below the resistance, and the newer volume is less than
//!   `distribution_threshold` times the older.
//!
//! For both, the recent closes must lie together: the highest less the lowest is less than `consolidation_threshold` of
//! their mean.
//!
//! **Confidence** is `base_confidence`, with `volume_bonus` if the newest volume exceeds `volume_multiplier_threshold`
//! times its mean over `volume_sma_period` candles, and `rsi_bonus` if the RSI is below `rsi_overbought` for a buy, or
//! above `rsi_oversold` for a sell; at most `max_confidence`. With the defaults it is 0.75, 0.80 or 0.85.
//!
//! **Levels.** Entry at the close. The stop lies `stop_buffer` below the support for a buy, and above the resistance
//! for a sell, the target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The RSI is Wilder's, seeded with the mean of the first changes; with 250 candles and the default
//! period the seed's share is 3e-8.
//!
//! **Note.** The price may have left the support or the resistance behind meanwhile and lie beyond the stop; the host
//! then drops the signal.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 20,
        /// How many candles are recent: among them absorption is sought.
        #[range(2..=100)]
        volume_window: usize = 10,
        /// How many candles before the recent ones support, resistance and the usual volume are taken from.
        #[range(1..=150)]
        lookback_periods: usize = 10,
        /// How many of the newest candles are too new to have been absorbing.
        #[range(0..=99)]
        settling_candles: usize = 2,
        /// The volume that an absorbing candle must exceed, in multiples of the usual volume.
        #[range(0.0..=50.0)]
        volume_spike_multiplier: f64 = 2.0,
        /// What the range of an absorbing candle must stay below, as a share of its low.
        #[range(0.0..=0.5)]
        price_impact_threshold: f64 = 0.02,
        /// How many candles make up each of the two volumes that are compared.
        #[range(1..=100)]
        volume_trend_candles: usize = 5,
        /// What the newer volume must exceed for a buy, in multiples of the older.
        #[range(0.0..=20.0)]
        accumulation_threshold: f64 = 1.2,
        /// What the newer volume must stay below for a sell, in multiples of the older.
        #[range(0.0..=20.0)]
        distribution_threshold: f64 = 0.8,
        /// What the spread of the recent closes must stay below, as a share of their mean.
        #[range(0.0..=1.0)]
        consolidation_threshold: f64 = 0.03,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The RSI from which the market is overbought and a buy gets no bonus, in RSI points.
        #[range(0.0..=100.0)]
        rsi_overbought: f64 = 70.0,
        /// The RSI down to which the market is oversold and a sell gets no bonus, in RSI points.
        #[range(0.0..=100.0)]
        rsi_oversold: f64 = 30.0,
        /// Length of the volume's mean, in candles.
        #[range(2..=200)]
        volume_sma_period: usize = 20,
        /// The newest volume beyond which there is a bonus, in multiples of its mean.
        #[range(0.0..=50.0)]
        volume_multiplier_threshold: f64 = 1.5,
        /// Distance of the stop beyond support or resistance, as a share of it.
        #[range(0.0..=0.5)]
        stop_buffer: f64 = 0.01,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.75,
        /// What such a volume adds to the confidence.
        #[range(0.0..=1.0)]
        volume_bonus: f64 = 0.05,
        /// What any other RSI adds to the confidence.
        #[range(0.0..=1.0)]
        rsi_bonus: f64 = 0.05,
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
pub struct OrderFlowImbalance;

impl Strategy for OrderFlowImbalance {
    type Parameters = Parameters;

    const ID: &'static str = "order_flow_imbalance";
    const NAME: &'static str = "Order flow imbalance";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Trades absorbed volume in a narrow market: buys where volume then grows, sells where it dries up.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close, Column::Volume];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, settling_candles < volume_window)?;
        in_order!(parameters, distribution_threshold <= accumulation_threshold)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { volume_window, lookback_periods, stop_buffer, .. } = parameters;
        window.require_all(needs(parameters))?;
        let reference = volume_window..volume_window + lookback_periods;
        let support = indicators::lowest(window.low().span(reference.clone()));
        let resistance = indicators::highest(window.high().span(reference.clone()));
        let usual_volume = indicators::mean(window.volume().span(reference));
        if !is_consolidating(window.close().tail(volume_window), parameters) {
            return Ok(None);
        }
        let absorbed = |side: &dyn Fn(f64) -> bool| {
            let mut candles = (parameters.settling_candles..volume_window).map(|age| window.candle(age));
            candles.any(|candle| absorbs(candle, usual_volume, parameters) && side(candle.close))
        };
        let (newer, older) = volumes(window, parameters);
        if newer > parameters.accumulation_threshold * older && absorbed(&|close| close > support) {
            let stop = support * (1.0 - stop_buffer);
            return Ok(Some(trade(Action::Buy, stop, window, parameters)));
        }
        if newer < parameters.distribution_threshold * older && absorbed(&|close| close < resistance) {
            let stop = resistance * (1.0 + stop_buffer);
            return Ok(Some(trade(Action::Sell, stop, window, parameters)));
        }
        Ok(None)
    }
}

fn needs(parameters: &Parameters) -> [usize; 5] {
    [
        parameters.min_data_points,
        parameters.volume_window + parameters.lookback_periods,
        2 * parameters.volume_trend_candles,
        parameters.volume_sma_period,
        parameters.rsi_period + 1,
    ]
}

fn is_consolidating(closes: &[f64], parameters: &Parameters) -> bool {
    let spread = indicators::highest(closes) - indicators::lowest(closes);
    spread / indicators::mean(closes) < parameters.consolidation_threshold
}

/// Whether the candle had heavy volume, but hardly moved the price.
fn absorbs(candle: Candle, usual_volume: f64, parameters: &Parameters) -> bool {
    candle.volume > parameters.volume_spike_multiplier * usual_volume
        && candle.range() / candle.low < parameters.price_impact_threshold
}

/// The mean volume of the newest candles, and that of as many candles before them.
fn volumes(window: Window<'_>, parameters: &Parameters) -> (f64, f64) {
    let candles = parameters.volume_trend_candles;
    let older = indicators::mean(window.volume().span(candles..2 * candles));
    (indicators::mean(window.volume().tail(candles)), older)
}

fn trade(action: Action, stop: f64, window: Window<'_>, parameters: &Parameters) -> Signal {
    let close = window.close().newest();
    let rsi = indicators::rsi(window.close(), parameters.rsi_period).newest();
    let volume_ratio = window.volume().newest() / indicators::mean(window.volume().tail(parameters.volume_sma_period));
    let volume_confirmed = volume_ratio > parameters.volume_multiplier_threshold;
    let (rsi_confirmed, kind, story) = if action == Action::Buy {
        (rsi < parameters.rsi_overbought, "order_flow_accumulation", "above the support, and volume grew")
    } else {
        (rsi > parameters.rsi_oversold, "order_flow_distribution", "below the resistance, and volume fell")
    };
    let for_volume = if volume_confirmed { parameters.volume_bonus } else { 0.0 };
    let for_rsi = if rsi_confirmed { parameters.rsi_bonus } else { 0.0 };
    let confidence = (parameters.base_confidence + for_volume + for_rsi).min(parameters.max_confidence);
    let (newer, older) = volumes(window, parameters);
    Signal::new(action, confidence)
        .trade(close, stop, parameters.risk_reward_ratio)
        .rationale(format!(
            "Heavy volume was absorbed {story} from a mean of {} to {}; the close is {}, the stop {}.",
            price(older),
            price(newer),
            price(close),
            price(stop)
        ))
        .metadata("rsi", rsi)
        .metadata("volume_ratio", volume_ratio)
        .metadata("signal_type", kind)
        .metadata("order_flow_imbalance", true)
        .metadata("volume_confirmed", volume_confirmed)
        .metadata("rsi_confirmed", rsi_confirmed)
        .metadata("risk_reward_ratio", parameters.risk_reward_ratio)
        .levels_as_metadata()
}

export!(OrderFlowImbalance);
