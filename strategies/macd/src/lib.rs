//! Momentum: a swing that ends is followed by one the other way. The MACD line is `EMA(fast) - EMA(slow)` of the close,
//! the signal line is the line's own EMA, the histogram is line less signal.
//!
//! * **Buy** when the line crosses above its signal: the histogram was at or below 0 on the candle before and is above
//!   0 now.
//! * **Sell** when it crosses below: at or above 0 before, below 0 now.
//!
//! With `trend_period` it buys only while the close is above its EMA of that length, and sells only while it is below.
//! A line that leaves its signal after lying on it (after a standstill) has crossed nothing. If the newest close is not
//! a finite number the rule says nothing. `fast` must be below `slow`.
//!
//! **Confidence** is `0.6 + 0.35·d`. Here `d`, kept within 0 to 1, is `2·swing / ATR(14)`, and `swing` is the greatest
//! distance between line and signal since the crossing before. A distance in ATR does not depend on the price's scale;
//! half an ATR counts as a full swing. So it lies in [0.6, 0.95].
//!
//! **Stop and target** are left to the host.
//!
//! **Readings:** `macd`, `macd_signal`, `macd_hist`, `macd_hist_previous`, `swing_atr` (the swing in ATR), `atr`, and
//! `trend` (the EMA) where `trend_period` is set.
//!
//! **Least data** is the largest of `slow + signal`, 15 and `trend_period`, in candles.
//!
//! **Warm-up:** each average begins with the mean of the first values that it has: EMA(fast) at candle `fast`,
//! EMA(slow) at candle `slow`, the signal `signal - 1` candles after the line. TA-Lib's `MACD` begins the fast average
//! later, together with the slow one, so its readings differ at first; the project's test finds them equal to nine
//! digits from the 200th candle on. A MACD that is composed of TA-Lib's own `EMA` agrees from the start. What a seed
//! still weighs after `n` candles is `(1 - 2/(period + 1))^n`: 3e-8 for the slow average with the defaults and 250
//! candles. The longest periods allowed fit into the lookback but keep more of their seed.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::indicators::{Macd, atr, ema, macd};
use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// The length of the average true range with which a swing is measured.
const ATR_PERIOD: usize = 14;

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// Length of the fast average, in candles.
        #[range(2..=100)]
        fast: usize = 12,
        /// Length of the slow average, in candles.
        #[range(3..=200)]
        slow: usize = 26,
        /// Length of the signal average, in candles.
        #[range(2..=50)]
        signal: usize = 9,
        /// Length of the trend's average, in candles; signals against the trend are held back. Unset: no such filter.
        #[range(2..=240)]
        trend_period: Option<usize>,
    }
}

/// The rule.
#[derive(Debug)]
pub struct MacdCross;

impl Strategy for MacdCross {
    type Parameters = Parameters;

    const ID: &'static str = "macd";
    const NAME: &'static str = "MACD";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str = "Buys when the MACD line crosses above its signal and sells when it crosses \
        below, on the side of a longer trend if one is asked for.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, fast < slow)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let Parameters { fast, slow, signal, trend_period } = *parameters;
        window.require_all([slow + signal, ATR_PERIOD + 1, trend_period.unwrap_or(0)])?;
        let close = window.close();
        if !close.newest().is_finite() {
            return Ok(None);
        }
        let lines = macd(close, fast, slow, signal);
        let Some(action) = crossing(&lines.histogram) else { return Ok(None) };
        let trend = trend_period.map(|period| ema(close, period).newest());
        let swing = swing(&lines.histogram);
        // A line that leaves the signal after lying on it, as it does after a standstill, has not crossed it.
        if swing == 0.0 || trend.is_some_and(|trend| !with_trend(action, close.newest(), trend)) {
            return Ok(None);
        }
        let atr = atr(window.high(), window.low(), close, ATR_PERIOD).newest();
        Ok(Some(crossed(action, &lines, swing, atr, trend)))
    }
}

/// The action that the newest candle calls for, if line and signal have changed sides on it.
fn crossing(histogram: &[f64]) -> Option<Action> {
    let (now, before) = (histogram.newest(), histogram.ago(1));
    if before <= 0.0 && now > 0.0 {
        Some(Action::Buy)
    } else if before >= 0.0 && now < 0.0 {
        Some(Action::Sell)
    } else {
        None
    }
}

/// The greatest distance between line and signal in the swing before the newest candle.
fn swing(histogram: &[f64]) -> f64 {
    let now = histogram.newest();
    let before = histogram.iter().rev().skip(1).take_while(|&&value| value * now <= 0.0);
    before.fold(0.0, |widest, value| if value.abs() > widest { value.abs() } else { widest })
}

/// Whether the close is on the side of the trend that the action needs. An unknown trend holds the action back.
fn with_trend(action: Action, close: f64, trend: f64) -> bool {
    if action == Action::Buy { close > trend } else { close < trend }
}

fn crossed(action: Action, lines: &Macd, swing: f64, atr: f64, trend: Option<f64>) -> Signal {
    let width = swing / atr;
    let depth = if width.is_finite() { (width / 0.5).clamp(0.0, 1.0) } else { 0.0 };
    let (line, signal) = (lines.line.newest(), lines.signal.newest());
    let side = if action == Action::Buy { "above" } else { "below" };
    let trend_side =
        trend.map(|trend| format!(", with the close {side} its trend ({})", price(trend))).unwrap_or_default();
    let rationale = format!(
        "The MACD line ({}) crossed {side} its signal ({}) after a swing of {width:.2} ATR{trend_side}.",
        price(line),
        price(signal)
    );
    let built = Signal::new(action, 0.6 + 0.35 * depth)
        .rationale(rationale)
        .metadata("macd", line)
        .metadata("macd_signal", signal)
        .metadata("macd_hist", lines.histogram.newest())
        .metadata("macd_hist_previous", lines.histogram.ago(1))
        .metadata("swing_atr", width)
        .metadata("atr", atr);
    match trend {
        Some(trend) => built.metadata("trend", trend),
        None => built,
    }
}

export!(MacdCross);
