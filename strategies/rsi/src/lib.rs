//! Reversal: what has fallen too far comes back, and the other way round. The relative strength index is Wilder's:
//! `100·G / (G + L)`, where `G` and `L` are Wilder's averages of the rises and the falls from close to close.
//!
//! | `trigger` | buy | sell |
//! |---|---|---|
//! | `cross` | the RSI was below `oversold` on the candle before and is not any more | it was above `overbought` on the candle before and is not any more |
//! | `level` | the RSI is below `oversold` | it is above `overbought` |
//!
//! With `cross` there is one signal at the end of each excursion; with `level` one on every candle of it. Exactly on a
//! threshold is not beyond it. On flat data, or if the newest close is not a finite number, the rule says nothing.
//! `oversold` must be below `overbought`.
//!
//! **Confidence** is `0.6 + 0.35·d` with the depth `d` of the excursion in [0, 1]: for a buy `d = (oversold - lowest) /
//! oversold`, where `lowest` is the lowest RSI of the excursion (for `level`: the newest); for a sell `d = (highest -
//! overbought) / (100 - overbought)`. So it lies in [0.6, 0.95].
//!
//! **Stop and target** are left to the host.
//!
//! **Readings:** `rsi`, `rsi_previous`, `rsi_extreme` (the lowest or highest of the excursion), `threshold` (the one
//! that was passed), `trigger`.
//!
//! **Least data** are `period + 2` candles. **Warm-up:** what the seed of Wilder's average still weighs after `n`
//! candles is `(1 - 1/period)^n`: 3e-8 with the default period and 250 candles. Longer periods work but keep more of
//! it: with period 200 about 0.78.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

#[cfg(test)]
mod tests;

choices! {
    /// What counts as a signal.
    pub enum Trigger {
        /// Coming back over the threshold.
        Cross = "cross",
        /// Being beyond it.
        Level = "level",
    }
}

parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// Length of Wilder's average, in candles.
        #[range(2..=200)]
        period: usize = 14,
        /// Above this the price has risen too far, in RSI points.
        #[range(50.0..=99.0)]
        overbought: f64 = 70.0,
        /// Below this the price has fallen too far, in RSI points.
        #[range(1.0..=50.0)]
        oversold: f64 = 30.0,
        /// Signal when the RSI comes back over the threshold (cross), or as long as it is beyond it (level).
        trigger: Trigger = Trigger::Cross,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Rsi;

impl Strategy for Rsi {
    type Parameters = Parameters;

    const ID: &'static str = "rsi";
    const NAME: &'static str = "RSI";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const DESCRIPTION: &'static str =
        "Buys when the relative strength index comes back from oversold and sells when it comes back from overbought.";
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        in_order!(parameters, oversold < overbought)
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let period = parameters.period;
        window.require(period + 2)?;
        if !window.close().newest().is_finite() {
            return Ok(None);
        }
        let rsi = indicators::rsi(window.close(), period);
        let (oversold, overbought) = (parameters.oversold, parameters.overbought);
        let lowest = excursion(&rsi, parameters.trigger, |reading| reading < oversold, |a, b| a < b);
        if let Some(lowest) = lowest {
            let depth = (oversold - lowest) / oversold;
            return Ok(Some(reversal(Signal::buy(confidence(depth)), &rsi, lowest, oversold, parameters)));
        }
        let highest = excursion(&rsi, parameters.trigger, |reading| reading > overbought, |a, b| a > b);
        Ok(highest.map(|highest| {
            let depth = (highest - overbought) / (100.0 - overbought);
            reversal(Signal::sell(confidence(depth)), &rsi, highest, overbought, parameters)
        }))
    }
}

/// The most extreme reading of the excursion that the trigger reacts to, or `None` if there is no signal now.
fn excursion(
    rsi: &[f64],
    trigger: Trigger,
    beyond: impl Fn(f64) -> bool,
    further: impl Fn(f64, f64) -> bool,
) -> Option<f64> {
    let newest = rsi.newest();
    match trigger {
        Trigger::Level => beyond(newest).then_some(newest),
        Trigger::Cross if newest.is_nan() || beyond(newest) => None,
        Trigger::Cross => {
            let before = rsi.iter().rev().skip(1).copied().take_while(|&reading| beyond(reading));
            before.reduce(|extreme, reading| if further(reading, extreme) { reading } else { extreme })
        }
    }
}

/// The confidence: from 0.6 at the threshold to 0.95 at the end of the scale.
fn confidence(depth: f64) -> f64 {
    0.6 + 0.35 * depth.clamp(0.0, 1.0)
}

fn reversal(signal: Signal, rsi: &[f64], extreme: f64, threshold: f64, parameters: &Parameters) -> Signal {
    let (now, before) = (rsi.newest(), rsi.ago(1));
    let period = parameters.period;
    let buy = signal.action == Action::Buy;
    let rationale = match (parameters.trigger, buy) {
        (Trigger::Cross, true) => {
            format!(
                "RSI({period}) came back up through {threshold}, from {before:.1} to {now:.1}, after a low of {extreme:.1}."
            )
        }
        (Trigger::Cross, false) => {
            format!(
                "RSI({period}) came back down through {threshold}, from {before:.1} to {now:.1}, after a high of {extreme:.1}."
            )
        }
        (Trigger::Level, true) => format!("RSI({period}) is {now:.1}, below {threshold}."),
        (Trigger::Level, false) => format!("RSI({period}) is {now:.1}, above {threshold}."),
    };
    signal
        .rationale(rationale)
        .metadata("rsi", now)
        .metadata("rsi_previous", before)
        .metadata("rsi_extreme", extreme)
        .metadata("threshold", threshold)
        .metadata("trigger", parameters.trigger.as_str())
}

export!(Rsi);
