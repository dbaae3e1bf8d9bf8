//! Three ways in which a fall ends, told by the slope of one average: it turns up, it is exhausted, or it falters.
//!
//! The slope is the change of the average over `ema_period` candles from one candle to the next. The first setup that
//! holds buys:
//!
//! 1. **Turn:** the slope is positive after a negative one, and the close is above the average.
//! 2. **Capitulation:** on each of the last `capitulation_candles` candles the low was not above the average and the
//!    slope not positive, and the newest close is below the low before it.
//! 3. **Pattern:** at least `min_falling_candles` of the last `slope_candles` slopes are negative, the last two closes
//!    are both below the one before them, and not each of the last three lows is above the average.
//!
//! **Confidence** begins with that of the setup: `reversal_confidence`, `capitulation_confidence` or
//! `pattern_confidence`. If the slope is positive, `min(max_momentum_bonus, momentum_weight·slope)` is added (or
//! `relative_momentum_weight·slope/average` in place of that product, if the parameter is set); then
//! `min(max_distance_penalty, distance_penalty_weight·d)` is taken away, where `d` is the distance of the close from
//! the average as a share of the average. The result is kept within `min_confidence` and `max_confidence`. With the
//! defaults it lies in [0.66, 0.81].
//!
//! **Levels.** Entry at the candle's high, stop at its low, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** The average weighs all candles of the window and favours none for having come first (`ema_adjusted`).
//! With 250 candles and the default period, those left out would weigh nothing that a number can hold.
//!
//! **Note.** The slope is a price, so `momentum_weight` depends on the market: with the default, every positive slope
//! of a market above a few cents earns the whole bonus, and none of one that costs a millionth.
//! `relative_momentum_weight` is the same for every market. A candle without a range gives a stop and a target at the
//! entry; the host then drops the signal.

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
        /// How many candles a capitulation lasts.
        #[range(1..=50)]
        capitulation_candles: usize = 5,
        /// Of how many candles the pattern counts the negative slopes.
        #[range(1..=50)]
        slope_candles: usize = 5,
        /// How many of those slopes must be negative.
        #[range(1..=50)]
        min_falling_candles: usize = 3,
        /// Confidence of a turn, before the adjustments.
        #[range(0.0..=1.0)]
        reversal_confidence: f64 = 0.76,
        /// Confidence of a capitulation, before the adjustments.
        #[range(0.0..=1.0)]
        capitulation_confidence: f64 = 0.78,
        /// Confidence of a pattern, before the adjustments.
        #[range(0.0..=1.0)]
        pattern_confidence: f64 = 0.74,
        /// Factor by which a positive slope, in units of the price, adds to the confidence.
        #[range(0.0..=100_000.0)]
        momentum_weight: f64 = 100.0,
        /// Factor by which a positive slope, as a share of the average, adds to the confidence; takes the place of
        /// momentum_weight. Unset: that one counts.
        #[range(0.0..=100_000.0)]
        relative_momentum_weight: Option<f64>,
        /// The most that a positive slope adds to the confidence.
        #[range(0.0..=1.0)]
        max_momentum_bonus: f64 = 0.05,
        /// Factor by which the close's distance from the average, as a share of the average, lowers the confidence.
        #[range(0.0..=1000.0)]
        distance_penalty_weight: f64 = 10.0,
        /// The most that the close's distance takes from the confidence.
        #[range(0.0..=1.0)]
        max_distance_penalty: f64 = 0.08,
        /// The least confidence.
        #[range(0.0..=1.0)]
        min_confidence: f64 = 0.60,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.88,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct EmaMomentumReversal;

impl Strategy for EmaMomentumReversal {
    type Parameters = Parameters;

    const ID: &'static str = "ema_momentum_reversal";
    const NAME: &'static str = "EMA momentum reversal";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys the end of a fall: a turn of an average, a capitulation, or a faltering fall.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, min_falling_candles <= slope_candles)?;
        in_order!(parameters, min_confidence <= max_confidence)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { min_data_points, ema_period, risk_reward_ratio, .. } = parameters;
        window.require_all([
            min_data_points,
            ema_period + parameters.capitulation_candles,
            ema_period + parameters.slope_candles,
            ema_period + PATTERN_LOWS,
        ])?;
        let averages = indicators::ema_adjusted(window.close(), ema_period);
        let slopes: Vec<_> = averages.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let Some(setup) = setup(window, &averages, &slopes, parameters) else { return Ok(None) };
        let candle = window.candle(0);
        let average = averages.newest();
        let slope = slopes.newest();
        let distance = (candle.close - average).abs() / average;
        Ok(Some(
            Signal::buy(confidence(setup.confidence, (slope, average), distance, parameters))
                .trade(candle.high, candle.low, risk_reward_ratio)
                .rationale(format!(
                    "{}: EMA({ema_period}) is {} and changed by {} after {}; the close is {}.",
                    setup.story,
                    price(average),
                    price(slope),
                    price(slopes.ago(1)),
                    price(candle.close)
                ))
                .metadata("setup_type", setup.name)
                .metadata("entry_price", candle.high)
                .metadata("risk_reward_ratio", risk_reward_ratio)
                .metadata("ema9", average)
                .metadata("ema9_momentum", slope)
                .metadata("price_distance_from_ema", distance)
                .metadata("current_slope", slope)
                .metadata("previous_slope", slopes.ago(1))
                .metadata("strategy_origin", setup.origin)
                .levels_as_metadata(),
        ))
    }
}

/// How many lows the pattern looks at. With the defaults this hardly ever matters: if the slope is negative, the low
/// lies below the average.
const PATTERN_LOWS: usize = 3;

struct Setup {
    name: &'static str,
    origin: &'static str,
    story: &'static str,
    confidence: f64,
}

/// The first setup that holds.
///
/// The setups are numbered 9.1 to 9.3. There is no fourth one: among other things, it would require a slope that has
/// turned positive. Such a slope means a close above the average, so the first setup would take every candle of the
/// fourth.
fn setup(window: Window<'_>, averages: &[f64], slopes: &[f64], parameters: &Parameters) -> Option<Setup> {
    if slopes.ago(1) < 0.0 && slopes.newest() > 0.0 && window.close().newest() > averages.newest() {
        return Some(Setup {
            name: "setup_9_1_slope_reversal",
            origin: "quantzed_screening_13",
            story: "The average turned up",
            confidence: parameters.reversal_confidence,
        });
    }
    if is_capitulation(window, averages, slopes, parameters.capitulation_candles) {
        return Some(Setup {
            name: "setup_9_2_capitulation",
            origin: "quantzed_screening_14",
            story: "The fall is exhausted",
            confidence: parameters.capitulation_confidence,
        });
    }
    is_pattern(window, averages, slopes, parameters).then_some(Setup {
        name: "setup_9_3_pattern_reversal",
        origin: "quantzed_screening_15",
        story: "The fall falters",
        confidence: parameters.pattern_confidence,
    })
}

fn is_capitulation(window: Window<'_>, averages: &[f64], slopes: &[f64], candles: usize) -> bool {
    let low_was_above = window.low().tail(candles).iter().zip(averages.tail(candles)).any(|(low, ema)| low > ema);
    let average_rose = slopes.tail(candles).iter().any(|&slope| slope > 0.0);
    !low_was_above && !average_rose && window.close().newest() < window.low().ago(1)
}

fn is_pattern(window: Window<'_>, averages: &[f64], slopes: &[f64], parameters: &Parameters) -> bool {
    let &Parameters { slope_candles, min_falling_candles, .. } = parameters;
    let closes = window.close();
    let lows_are_above = window.low().tail(PATTERN_LOWS).is_above(averages.tail(PATTERN_LOWS));
    let falling = slopes.tail(slope_candles).iter().filter(|&&slope| slope < 0.0).count();
    let closes_fell = closes.ago(1) < closes.ago(2) && closes.newest() < closes.ago(2);
    !lows_are_above && falling >= min_falling_candles && closes_fell
}

fn confidence(base: f64, (slope, average): (f64, f64), distance: f64, parameters: &Parameters) -> f64 {
    let rise = slope.max(0.0);
    let momentum = match parameters.relative_momentum_weight {
        Some(weight) => weight * rise / average,
        None => parameters.momentum_weight * rise,
    };
    let bonus = momentum.min(parameters.max_momentum_bonus);
    let penalty = (parameters.distance_penalty_weight * distance).min(parameters.max_distance_penalty);
    (base + bonus - penalty).min(parameters.max_confidence).max(parameters.min_confidence)
}

export!(EmaMomentumReversal);
