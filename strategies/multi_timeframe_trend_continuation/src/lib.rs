//! A pullback in a trend that two timeframes agree on: the price came back to the fast average and turned away from it
//! again.
//!
//! It buys when all of this holds:
//!
//! * **the trend:** the close is above the fast average, that above the medium, and that above the slow one; the MACD
//!   is above 0;
//! * **the next higher timeframe:** its close is above its fast average, and that above its medium one;
//! * **the pullback:** on at least one of the `pullback_candles` candles before the newest, the low came down to at
//!   most `1 + pullback_threshold` times the fast average of that candle;
//! * **the room:** the RSI lies from `rsi_min` to `rsi_max`, both included.
//!
//! It sells on the exact mirror: below instead of above, the high up to at least `1 - pullback_threshold` times the
//! fast average, and the RSI from `100 - rsi_max` to `100 - rsi_min`.
//!
//! **Confidence** is `base_confidence`, with `adx_bonus` added if the ADX is above `adx_threshold`, and `macd_bonus`
//! if the MACD histograms of both timeframes have the sign of the trade; at most 1; with the defaults 0.72, 0.77 or
//! 0.82.
//!
//! **Levels.** Entry at the close, stop at the medium average, target `risk_reward_ratio` times as far.
//!
//! **Lookback.** All averages are seeded with the mean of their first candles (`ema`); RSI and ADX are Wilder's. With
//! 250 candles the seed of the slow average still weighs 61 %, so it is close to a plain mean. Where the higher
//! timeframe has too few candles for the medium average or for the histogram, the rule says nothing.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// The least number of candles on which the rule speaks.
        #[range(1..=250)]
        min_data_points: usize = 200,
        /// Length of the fast average on both timeframes, in candles.
        #[range(2..=200)]
        ema_fast: usize = 21,
        /// Length of the medium average on both timeframes, at which the stop lies, in candles.
        #[range(2..=200)]
        ema_medium: usize = 50,
        /// Length of the slow average, in candles.
        #[range(2..=200)]
        ema_slow: usize = 200,
        /// Length of the MACD's fast average, in candles.
        #[range(2..=100)]
        macd_fast: usize = 12,
        /// Length of the MACD's slow average, in candles.
        #[range(2..=100)]
        macd_slow: usize = 26,
        /// Length of the MACD's signal, in candles.
        #[range(2..=50)]
        macd_signal: usize = 9,
        /// How many candles before the newest are looked at for a pullback.
        #[range(1..=50)]
        pullback_candles: usize = 4,
        /// How far short of the fast average a candle may stay, as a share of the average.
        #[range(0.0..=0.5)]
        pullback_threshold: f64 = 0.005,
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        rsi_period: usize = 14,
        /// The least RSI of a buy, in RSI points; of a sell, 100 less this is the greatest.
        #[range(0.0..=100.0)]
        rsi_min: f64 = 40.0,
        /// The greatest RSI of a buy, in RSI points; of a sell, 100 less this is the least.
        #[range(0.0..=100.0)]
        rsi_max: f64 = 70.0,
        /// Length of the ADX, in candles.
        #[range(2..=100)]
        adx_period: usize = 14,
        /// The ADX beyond which there is a bonus, in ADX points.
        #[range(0.0..=100.0)]
        adx_threshold: f64 = 25.0,
        /// Confidence before anything is added.
        #[range(0.0..=1.0)]
        base_confidence: f64 = 0.72,
        /// What such an ADX adds to the confidence.
        #[range(0.0..=1.0)]
        adx_bonus: f64 = 0.05,
        /// What MACD histograms of the trade's sign on both timeframes add to the confidence.
        #[range(0.0..=1.0)]
        macd_bonus: f64 = 0.05,
        /// Distance of the target from the entry, in multiples of the stop's.
        #[range(0.1..=20.0)]
        risk_reward_ratio: f64 = 2.5,
    }
}

/// The rule.
#[derive(Debug)]
pub struct MultiTimeframeTrendContinuation;

impl Strategy for MultiTimeframeTrendContinuation {
    type Parameters = Parameters;

    const ID: &'static str = "multi_timeframe_trend_continuation";
    const NAME: &'static str = "Multi-timeframe trend continuation";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Trades the end of a pullback in a trend that the next higher timeframe confirms.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];
    const EXTRA: &'static [Input] = &[Input::next_higher_timeframe(250).columns(&[Column::Close])];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, ema_fast < ema_medium < ema_slow)?;
        in_order!(parameters, macd_fast < macd_slow)?;
        in_order!(parameters, rsi_min <= rsi_max)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { ema_fast, ema_medium, ema_slow, macd_slow, macd_signal, .. } = parameters;
        let &Parameters { rsi_period, adx_period, risk_reward_ratio, .. } = parameters;
        let needed_by_trend = ema_medium.max(macd_slow + macd_signal - 1);
        window.require_all([
            parameters.min_data_points,
            needed_by_trend,
            ema_slow,
            ema_fast + parameters.pullback_candles,
            rsi_period + 1,
            2 * adx_period,
        ])?;
        let Some(higher) = extra.first().filter(|higher| higher.len() >= needed_by_trend) else { return Ok(None) };

        let base = Trend::of(window.close(), parameters);
        let higher = Trend::of(higher.close(), parameters);
        let slow = indicators::ema(window.close(), ema_slow).newest();
        let rsi = indicators::rsi(window.close(), rsi_period).newest();
        let side = if base.fast.newest() > base.medium { Side::Buy } else { Side::Sell };
        let is_trend = base.goes(side)
            && side.is_beyond(base.medium, slow)
            && side.is_beyond(base.macd.line.newest(), 0.0)
            && higher.goes(side);
        let (rsi_min, rsi_max) = side.room(parameters);
        let has_room = rsi >= rsi_min && rsi <= rsi_max;
        if !(is_trend && has_room && pulled_back(side, window, &base.fast, parameters)) {
            return Ok(None);
        }

        let adx = indicators::adx(window.high(), window.low(), window.close(), adx_period).adx.newest();
        let histograms = [base.macd.histogram.newest(), higher.macd.histogram.newest()];
        let mut confidence = parameters.base_confidence;
        if adx > parameters.adx_threshold {
            confidence += parameters.adx_bonus;
        }
        if histograms.iter().all(|&histogram| side.is_beyond(histogram, 0.0)) {
            confidence += parameters.macd_bonus;
        }
        let (action, kind, place) = match side {
            Side::Buy => (Action::Buy, "bullish_continuation", "above"),
            Side::Sell => (Action::Sell, "bearish_continuation", "below"),
        };
        Ok(Some(
            Signal::new(action, confidence.min(1.0))
                .trade(base.close, base.medium, risk_reward_ratio)
                .rationale(format!(
                    "After a pullback to it the close {} is {place} EMA({ema_fast}) at {}, in the order of the \
                     averages, with RSI({rsi_period}) at {rsi:.1}; on the higher timeframe {} is {place} \
                     EMA({ema_fast}) at {}.",
                    price(base.close),
                    price(base.fast.newest()),
                    price(higher.close),
                    price(higher.fast.newest())
                ))
                .metadata("ema21", base.fast.newest())
                .metadata("ema50", base.medium)
                .metadata("ema200", slow)
                .metadata("rsi", rsi)
                .metadata("adx", adx)
                .metadata("macd", base.macd.line.newest())
                .metadata("macd_hist", histograms[0])
                .metadata("higher_close", higher.close)
                .metadata("higher_ema21", higher.fast.newest())
                .metadata("higher_ema50", higher.medium)
                .metadata("higher_macd_hist", histograms[1])
                .metadata("signal_type", kind)
                .levels_as_metadata()
                .metadata("risk_reward_ratio", risk_reward_ratio),
        ))
    }
}

/// The direction of a trade. The conditions of a sell are those of a buy with the sign of all prices turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Buy,
    Sell,
}

impl Side {
    const fn sign(self) -> f64 {
        match self {
            Self::Buy => 1.0,
            Self::Sell => -1.0,
        }
    }

    /// Whether `value` is above `other` for a buy, or below it for a sell.
    fn is_beyond(self, value: f64, other: f64) -> bool {
        self.sign() * value > self.sign() * other
    }

    /// The least and the greatest RSI that are allowed.
    const fn room(self, &Parameters { rsi_min, rsi_max, .. }: &Parameters) -> (f64, f64) {
        match self {
            Self::Buy => (rsi_min, rsi_max),
            Self::Sell => (100.0 - rsi_max, 100.0 - rsi_min),
        }
    }
}

/// The readings of one timeframe, taken on both.
struct Trend {
    close: f64,
    fast: Vec<f64>,
    medium: f64,
    macd: indicators::Macd,
}

impl Trend {
    fn of(close: &[f64], parameters: &Parameters) -> Self {
        let &Parameters { macd_fast, macd_slow, macd_signal, .. } = parameters;
        Self {
            close: close.newest(),
            fast: indicators::ema(close, parameters.ema_fast),
            medium: indicators::ema(close, parameters.ema_medium).newest(),
            macd: indicators::macd(close, macd_fast, macd_slow, macd_signal),
        }
    }

    fn goes(&self, side: Side) -> bool {
        side.is_beyond(self.close, self.fast.newest()) && side.is_beyond(self.fast.newest(), self.medium)
    }
}

/// Whether one of the candles before the newest came back to its fast average.
fn pulled_back(side: Side, window: Window<'_>, fast: &[f64], parameters: &Parameters) -> bool {
    let extremes = match side {
        Side::Buy => window.low(),
        Side::Sell => window.high(),
    };
    let nearness = 1.0 + side.sign() * parameters.pullback_threshold;
    (1..=parameters.pullback_candles)
        .any(|age| side.sign() * extremes.ago(age) <= side.sign() * (fast.ago(age) * nearness))
}

export!(MultiTimeframeTrendContinuation);
