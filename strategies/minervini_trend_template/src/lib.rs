//! The trend template of Minervini: buy what is in an established rise, well off its low and near its high, and
//! stronger than before.
//!
//! It buys when all of this holds on the newest candle:
//!
//! * the close is above the mean of `sma_50_period` closes, that above the mean of `sma_150_period`, and that above the
//!   mean of `sma_200_period`;
//! * the longest mean is above what it was at the oldest of the last `sma_trend_candles` candles, the newest included;
//! * of the last `range_period` closes, the newest is at least `low_multiplier` times the lowest and at least
//!   `high_multiplier` times the highest;
//! * the relative strength is above `rs_threshold`. It is 100 times the weighted sum of the close over the oldest close
//!   of the last 63, 126, 189 and 252 candles (`rs_first_candles` and so on); a price that stands still has 100.
//!
//! **Confidence** is `base_confidence`, with `high_bonus` added above `high_bonus_multiplier` times the highest close
//! and `rs_bonus` at a relative strength above `rs_bonus_threshold`; at most `max_confidence`. With the defaults it is
//! 0.80, 0.85 or 0.90.
//!
//! **Levels.** Entry at the close; the stop is the higher of `stop_sma_multiplier` times the shortest mean and
//! `stop_atr_multiplier` times the ATR below the close; target `risk_reward_ratio` times as far. The signal is a strong
//! one.
//!
//! **Lookback.** All counts are candles of whatever timeframe the rule runs on; they make a year on daily candles, for
//! which the template was written. The ATR is Wilder's.
//!
//! **Note.** With the defaults the relative strength cannot hold a signal back: a close of at least 75 % of the highest
//! has at least 75 points. A higher `rs_threshold` makes it count.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=265)]
        min_data_points: usize = 265,
        /// Length of the shortest mean, in candles.
        #[range(2..=200)]
        sma_50_period: usize = 50,
        /// Length of the middle mean, in candles.
        #[range(2..=200)]
        sma_150_period: usize = 150,
        /// Length of the longest mean, in candles.
        #[range(2..=200)]
        sma_200_period: usize = 200,
        /// Over how many of the newest candles the longest mean must have risen.
        #[range(2..=66)]
        sma_trend_candles: usize = 21,
        /// How many of the newest candles the lowest and the highest close are taken from.
        #[range(2..=265)]
        range_period: usize = 260,
        /// Least close, in multiples of the lowest.
        #[range(1.0..=10.0)]
        low_multiplier: f64 = 1.30,
        /// Least close, in multiples of the highest.
        #[range(0.0..=1.0)]
        high_multiplier: f64 = 0.75,
        /// The relative strength that must be exceeded, in points.
        #[range(0.0..=1000.0)]
        rs_threshold: f64 = 70.0,
        /// First span of the relative strength, in candles.
        #[range(2..=265)]
        rs_first_candles: usize = 63,
        /// Weight of the first span in the relative strength.
        #[range(0.0..=1.0)]
        rs_first_weight: f64 = 0.4,
        /// Second span of the relative strength, in candles.
        #[range(2..=265)]
        rs_second_candles: usize = 126,
        /// Weight of the second span in the relative strength.
        #[range(0.0..=1.0)]
        rs_second_weight: f64 = 0.2,
        /// Third span of the relative strength, in candles.
        #[range(2..=265)]
        rs_third_candles: usize = 189,
        /// Weight of the third span in the relative strength.
        #[range(0.0..=1.0)]
        rs_third_weight: f64 = 0.2,
        /// Fourth span of the relative strength, in candles.
        #[range(2..=265)]
        rs_fourth_candles: usize = 252,
        /// Weight of the fourth span in the relative strength.
        #[range(0.0..=1.0)]
        rs_fourth_weight: f64 = 0.2,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.80,
        /// The close beyond which there is a bonus, in multiples of the highest.
        #[range(0.0..=1.0)]
        high_bonus_multiplier: f64 = 0.9,
        /// What a close near the highest adds to the confidence.
        #[range(0.0..=1.0)]
        high_bonus: f64 = 0.05,
        /// The relative strength beyond which there is a bonus, in points.
        #[range(0.0..=1000.0)]
        rs_bonus_threshold: f64 = 100.0,
        /// What such a relative strength adds to the confidence.
        #[range(0.0..=1.0)]
        rs_bonus: f64 = 0.05,
        /// The greatest confidence.
        #[range(0.0..=1.0)]
        max_confidence: f64 = 0.95,
        /// The one stop, in multiples of the shortest mean; the higher of the two counts.
        #[range(0.5..=1.0)]
        stop_sma_multiplier: f64 = 0.98,
        /// Length of the ATR, in candles.
        #[range(2..=100)]
        atr_period: usize = 14,
        /// The other stop's distance below the close, in multiples of the ATR; the higher of the two counts.
        #[range(0.1..=50.0)]
        stop_atr_multiplier: f64 = 2.0,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 3.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct MinerviniTrendTemplate;

impl Strategy for MinerviniTrendTemplate {
    type Parameters = Parameters;

    const ID: &'static str = "minervini_trend_template";
    const NAME: &'static str = "Minervini trend template";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys an established rise: three means in order, well off the low, near the high.";
    const LOOKBACK: u32 = 265;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, sma_50_period < sma_150_period < sma_200_period)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        window.require_all(needs(parameters))?;
        let readings = Readings::of(window.close(), parameters);
        if !readings.fit_the_template(parameters) {
            return Ok(None);
        }
        let &Readings { close, sma_50, sma_150, sma_200, low, high, rs, .. } = &readings;
        let atr = indicators::atr(window.high(), window.low(), window.close(), parameters.atr_period).newest();
        let stop = (parameters.stop_sma_multiplier * sma_50).max(close - parameters.stop_atr_multiplier * atr);
        let bonus = |applies: bool, bonus: f64| if applies { bonus } else { 0.0 };
        let confidence = parameters.base_confidence
            + bonus(close > parameters.high_bonus_multiplier * high, parameters.high_bonus)
            + bonus(rs > parameters.rs_bonus_threshold, parameters.rs_bonus);
        Ok(Some(
            Signal::buy(confidence.min(parameters.max_confidence))
                .trade(close, stop, parameters.risk_reward_ratio)
                .strength(Strength::Strong)
                .rationale(format!(
                    "The close {} is above its means {}, {} and {}, {:.1} % above the lowest of {} closes and {:.1} % \
                     below the highest, with a relative strength of {rs:.1}.",
                    price(close),
                    price(sma_50),
                    price(sma_150),
                    price(sma_200),
                    100.0 * (close / low - 1.0),
                    parameters.range_period,
                    100.0 * (1.0 - close / high)
                ))
                .metadata("sma50", sma_50)
                .metadata("sma150", sma_150)
                .metadata("sma200", sma_200)
                .metadata("rs", rs)
                .metadata("high_52w", high)
                .metadata("low_52w", low),
        ))
    }
}

fn needs(parameters: &Parameters) -> [usize; 8] {
    [
        parameters.min_data_points,
        parameters.sma_200_period + parameters.sma_trend_candles - 1,
        parameters.range_period,
        parameters.rs_first_candles,
        parameters.rs_second_candles,
        parameters.rs_third_candles,
        parameters.rs_fourth_candles,
        parameters.atr_period + 1,
    ]
}

/// The readings that the template looks at.
struct Readings {
    close: f64,
    sma_50: f64,
    sma_150: f64,
    sma_200: f64,
    sma_200_before: f64,
    low: f64,
    high: f64,
    rs: f64,
}

impl Readings {
    fn of(closes: &[f64], parameters: &Parameters) -> Self {
        let mean = |period: usize, age: usize| indicators::mean(closes.span(age..age + period));
        let range = closes.tail(parameters.range_period);
        Self {
            close: closes.newest(),
            sma_50: mean(parameters.sma_50_period, 0),
            sma_150: mean(parameters.sma_150_period, 0),
            sma_200: mean(parameters.sma_200_period, 0),
            sma_200_before: mean(parameters.sma_200_period, parameters.sma_trend_candles - 1),
            low: indicators::lowest(range),
            high: indicators::highest(range),
            rs: relative_strength(closes, parameters),
        }
    }

    fn fit_the_template(&self, parameters: &Parameters) -> bool {
        let in_order = self.close > self.sma_50 && self.sma_50 > self.sma_150 && self.sma_150 > self.sma_200;
        let off_the_low = self.close >= parameters.low_multiplier * self.low;
        let near_the_high = self.close >= parameters.high_multiplier * self.high;
        let rising = self.sma_200 > self.sma_200_before;
        in_order && rising && off_the_low && near_the_high && self.rs > parameters.rs_threshold
    }
}

fn relative_strength(closes: &[f64], parameters: &Parameters) -> f64 {
    let over = |candles: usize| closes.newest() / closes.ago(candles - 1);
    100.0
        * (parameters.rs_first_weight * over(parameters.rs_first_candles)
            + parameters.rs_second_weight * over(parameters.rs_second_candles)
            + parameters.rs_third_weight * over(parameters.rs_third_candles)
            + parameters.rs_fourth_weight * over(parameters.rs_fourth_candles))
}

export!(MinerviniTrendTemplate);
