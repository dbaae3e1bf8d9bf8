//! The RSI comes back: buys when it leaves the oversold zone, sells when it leaves the overbought one.
//!
//! The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

choices! {
    /// Which signals to give.
    pub enum Direction {
        /// Buy and sell.
        Both = "both",
        /// Buy only.
        Long = "long",
        /// Sell only.
        Short = "short",
    }
}

// Operators read these doc comments.
parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// Length of the RSI, in candles.
        #[range(2..=100)]
        period: usize = 14,
        /// The RSI has fallen too far below this, in points.
        #[range(0.0..=100.0)]
        oversold: f64 = 30.0,
        /// The RSI has risen too far above this, in points.
        #[range(0.0..=100.0)]
        overbought: f64 = 70.0,
        /// Which signals to give: both, long (buy only) or short (sell only).
        direction: Direction = Direction::Both,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Rsi;

impl Strategy for Rsi {
    type Parameters = Parameters;

    const ID: &'static str = "example_rsi";
    const NAME: &'static str = "RSI recovery";
    const VERSION: &'static str = "1.0.0";
    const DESCRIPTION: &'static str = "Follows the RSI out of the zones in which the price has moved too far.";
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
        let &Parameters { period, oversold, overbought, direction } = parameters;
        window.require(period + 2)?;
        let rsi = indicators::rsi(window.close(), period);
        let (before, now) = (rsi.ago(1), rsi.newest());

        let (action, moved, level) = if before <= oversold && now > oversold && direction != Direction::Short {
            (Action::Buy, "rose", oversold)
        } else if before >= overbought && now < overbought && direction != Direction::Long {
            (Action::Sell, "fell", overbought)
        } else {
            return Ok(None);
        };
        let more = (now - before).abs() * 0.01;
        let signal = Signal::new(action, 0.6 + if more < 0.35 { more } else { 0.35 })
            .rationale(format!(
                "The RSI over {period} candles {moved} from {} to {}, past {}.",
                fixed(before, 2),
                fixed(now, 2),
                fixed(level, 2)
            ))
            .metadata("rsi", now)
            .metadata("rsi_before", before)
            .metadata("period", period);
        Ok(Some(signal))
    }
}

export!(Rsi);

#[cfg(test)]
mod tests {
    use ta_bot_sdk::testing::{Candles, check, evaluate};

    use super::*;

    #[test]
    fn it_buys_when_the_index_leaves_the_oversold_zone() {
        let closes = [100.0, 99.0, 98.0, 97.0, 98.0];
        let signal = evaluate::<Rsi>(&Candles::from_closes(&closes), &[("period", 2.into())]).unwrap().unwrap();
        assert_eq!((signal.action, signal.number("rsi_before")), (Action::Buy, 0.0));
        assert_eq!(signal.rationale.as_deref(), Some("The RSI over 2 candles rose from 0.00 to 50.00, past 30.00."));
        let short_only = [("period", 2.into()), ("direction", "short".into())];
        assert_eq!(evaluate::<Rsi>(&Candles::from_closes(&closes), &short_only), Ok(None));
    }

    #[test]
    fn its_zones_may_not_overlap() {
        assert_eq!(
            check::<Rsi>(&[("oversold", 70.0.into())]),
            Err("oversold = 70 must be below overbought = 70".into())
        );
    }
}
