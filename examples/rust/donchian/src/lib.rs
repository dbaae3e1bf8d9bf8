//! Donchian's breakout: buys a close above the highest high of the candles before it, sells one below their lowest low.
//! The stop is some average true ranges away, so that it is as wide as the market moves.
//!
//! The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

// Operators read these doc comments.
parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// Candles whose highest high and lowest low make the channel, a count.
        #[range(2..=200)]
        channel: usize = 20,
        /// Length of the ATR, in candles.
        #[range(1..=50)]
        atr_period: usize = 14,
        /// Distance of the stop from the entry, in multiples of the ATR.
        #[range(0.1..=10.0)]
        stop_distance: f64 = 2.0,
        /// Distance of the target from the entry, in multiples of the stop's distance.
        #[range(0.1..=20.0)]
        reward: f64 = 2.0,
        /// Length of the average that a breakout has to be on the right side of, in candles. Unset: no such filter.
        #[range(3..=200)]
        trend_period: Option<usize>,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Donchian;

impl Strategy for Donchian {
    type Parameters = Parameters;

    const ID: &'static str = "example_donchian";
    const NAME: &'static str = "Donchian breakout";
    const VERSION: &'static str = "1.0.0";
    const DESCRIPTION: &'static str =
        "Follows a close beyond the channel of the candles before it, with a stop by ATR.";
    // The longest channel and the candle that leaves it, with some room for the averages.
    const LOOKBACK: u32 = 250;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn check(parameters: &Parameters) -> Result<(), String> {
        match parameters.trend_period {
            Some(trend) if trend <= parameters.channel => {
                Err(format!("channel = {} must be below trend_period = {trend}", parameters.channel))
            }
            _ => Ok(()),
        }
    }

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { channel, atr_period, stop_distance, reward, trend_period } = parameters;
        window.require_all([channel + 1, atr_period + 1, trend_period.unwrap_or(0)])?;
        let close = window.close().newest();
        let high = indicators::highest(window.high().span(1..channel + 1));
        let low = indicators::lowest(window.low().span(1..channel + 1));
        let atr = indicators::atr(window.high(), window.low(), window.close(), atr_period).newest();
        let trend = trend_period.map(|period| indicators::ema(window.close(), period).newest());

        let (action, level, side) = if close > high && trend.is_none_or(|trend| close > trend) {
            (Action::Buy, high, 1.0)
        } else if close < low && trend.is_none_or(|trend| close < trend) {
            (Action::Sell, low, -1.0)
        } else {
            return Ok(None);
        };
        let (beyond, extreme) = if side > 0.0 { ("above", "high") } else { ("below", "low") };
        let depth = (close - level).abs() / atr;
        let more = depth * 0.1;
        let signal = Signal::new(action, 0.6 + if more < 0.35 { more } else { 0.35 })
            .trade(close, close - side * stop_distance * atr, reward)
            .strength(if depth < 1.0 { Strength::Medium } else { Strength::Strong })
            .rationale(format!(
                "The close {} is {beyond} {}, the {extreme} of {channel} candles, by {} ATR.",
                price(close),
                price(level),
                fixed(depth, 2)
            ))
            .metadata("channel_high", high)
            .metadata("channel_low", low)
            .metadata("atr", atr)
            .metadata("channel", channel);
        Ok(Some(match trend {
            Some(trend) => signal.metadata("trend", trend),
            None => signal,
        }))
    }
}

export!(Donchian);

#[cfg(test)]
mod tests {
    use ta_bot_sdk::testing::{Candles, evaluate};

    use super::*;

    #[test]
    fn it_follows_a_breakout_with_a_stop_by_atr() {
        let mut closes = vec![100.0, 101.0];
        closes = closes.repeat(15);
        closes.push(103.0);
        let signal = evaluate::<Donchian>(&Candles::from_closes(&closes), &[]).unwrap().unwrap();
        assert_eq!((signal.action, signal.number("channel_high")), (Action::Buy, 101.0));
        let (price, stop) = (signal.price.unwrap(), signal.stop_loss.unwrap());
        assert_eq!((price, stop), (103.0, 103.0 - 2.0 * signal.number("atr")));
        assert_eq!(evaluate::<Donchian>(&Candles::from_closes(&closes[..30]), &[]), Ok(None));
    }

    #[test]
    fn it_asks_for_data_and_refuses_a_trend_within_the_channel() {
        let short = Candles::from_closes(&[100.0; 20]);
        assert_eq!(evaluate::<Donchian>(&short, &[]), Err(Fault::InsufficientData(21)));
        let refused = evaluate::<Donchian>(&short, &[("trend_period", 20.into())]);
        assert_eq!(refused, Err(Fault::InvalidParameters("channel = 20 must be below trend_period = 20".into())));
    }
}
