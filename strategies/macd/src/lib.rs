//! Moving average convergence/divergence as a rule of momentum: a swing that ends is followed by one the other way.
//!
//! It buys when the MACD line crosses above its signal and sells when it crosses below. With `trend_period` it buys only
//! while the close is above its exponential average of that length and sells only while it is below.
//!
//! **Confidence** is `0.6 + 0.35·d`, where `d` in [0, 1] is how far the swing had gone that the crossing ends: the greatest
//! distance between line and signal since the crossing before, in halves of the average true range over 14 candles.
//! A distance in ATR is free of the price's scale, and half an ATR is a wide swing. So it lies in [0.6, 0.95].
//!
//! **Lookback.** The seeds fade as `(1 - 2/(period + 1))^n`: with 250 candles and the defaults the slow average keeps 3e-8
//! of its own. The longest periods allowed still fit, but keep more of their seed. Stop and target are left to the
//! host.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::indicators::{Macd, atr, ema, macd};
use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

/// The length of the average true range that measures a swing.
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
        let Parameters { fast, slow, .. } = parameters;
        if fast >= slow {
            return Err(format!("fast = {fast} must be below slow = {slow}"));
        }
        Ok(())
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let Parameters { fast, slow, signal, trend_period } = *parameters;
        window.require((slow + signal).max(ATR_PERIOD + 1).max(trend_period.unwrap_or(0)))?;
        let close = window.close();
        if !close.newest().is_finite() {
            return Ok(None);
        }
        let lines = macd(close, fast, slow, signal);
        let Some(action) = crossing(&lines.histogram) else { return Ok(None) };
        let trend = trend_period.map(|period| ema(close, period).newest());
        let swing = swing(&lines.histogram);
        // A line that leaves the signal after lying on it, as after a standstill, has crossed nothing.
        if swing == 0.0 || trend.is_some_and(|trend| !with_trend(action, close.newest(), trend)) {
            return Ok(None);
        }
        let atr = atr(window.high(), window.low(), close, ATR_PERIOD).newest();
        Ok(Some(crossed(action, &lines, swing, atr, trend)))
    }
}

/// What the newest candle calls for, if line and signal have changed sides on it.
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

/// Whether the close is on the side that the action needs; a trend that is not known holds the action back.
fn with_trend(action: Action, close: f64, trend: f64) -> bool {
    if action == Action::Buy { close > trend } else { close < trend }
}

fn crossed(action: Action, lines: &Macd, swing: f64, atr: f64, trend: Option<f64>) -> Signal {
    let width = swing / atr;
    let depth = if width.is_finite() { (width / 0.5).clamp(0.0, 1.0) } else { 0.0 };
    let (line, signal) = (lines.line.newest(), lines.signal.newest());
    let side = if action == Action::Buy { "above" } else { "below" };
    let trend_side = trend.map(|trend| format!(", with the close {side} its trend ({trend:.4})")).unwrap_or_default();
    let rationale = format!(
        "The MACD line ({line:.4}) crossed {side} its signal ({signal:.4}) after a swing of {width:.2} ATR{trend_side}."
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
