//! Momentum: the close against the close some candles ago. Buys strength, sells weakness.
//!
//! The folders beside this one hold the same rule in other languages; all of them give the same numbers.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

use ta_bot_sdk::prelude::*;

const STOP_DISTANCE: f64 = 0.02;
const TARGET_DISTANCE: f64 = 0.04;

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
        /// Candles to look back, a count.
        #[range(1..=200)]
        period: usize = 10,
        /// Change that is needed, as a fraction: 0.01 is one percent.
        #[range(0.0..=1.0)]
        threshold: f64 = 0.01,
        /// Which signals to give: both, long (buy only) or short (sell only).
        direction: Direction = Direction::Both,
        /// Volume that the newest candle must have, in units of the base asset.
        min_volume: Option<f64>,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Momentum;

impl Strategy for Momentum {
    type Parameters = Parameters;

    const ID: &'static str = "momentum";
    const NAME: &'static str = "Momentum";
    const VERSION: &'static str = "1.0.0";
    const DESCRIPTION: &'static str =
        "Follows the change of the close over the last candles once it passes a threshold.";
    // The longest period plus the newest candle. Asking only for the columns that are read saves time.
    const LOOKBACK: u32 = 201;
    const COLUMNS: &'static [Column] = &[Column::Close, Column::Volume];

    fn check(parameters: &Parameters) -> Result<(), String> {
        if parameters.threshold == 0.0 && parameters.direction == Direction::Both {
            return Err("threshold must be above 0 when direction is both, or every candle gives a signal".to_owned());
        }
        Ok(())
    }

    fn evaluate(
        context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { period, threshold, direction, min_volume } = parameters;
        window.require(period + 1)?;
        let close = window.close().newest();
        let before = window.close().ago(period);
        if before.is_nan() || before <= 0.0 {
            return Err(Fault::failed("the close to compare with is not above 0"));
        }
        let momentum = close / before - 1.0;
        log::debug!("{} {}: momentum {} %", context.symbol, context.timeframe, percent(momentum));

        if min_volume.is_some_and(|least| window.volume().newest() < least) {
            return Ok(None);
        }
        // The stop of a buy lies below its entry, that of a sell above.
        let (action, side) = if momentum > threshold && direction != Direction::Short {
            (Action::Buy, 1.0)
        } else if momentum < -threshold && direction != Direction::Long {
            (Action::Sell, -1.0)
        } else {
            return Ok(None);
        };
        let signal = Signal::new(action, 0.6 + (momentum.abs() * 10.0).min(0.35))
            .stop_loss(close * (1.0 - side * STOP_DISTANCE))
            .take_profit(close * (1.0 + side * TARGET_DISTANCE))
            .strength(Strength::Medium)
            .rationale(format!(
                "The close moved by {} % in {period} candles, past the threshold of {} %.",
                percent(momentum),
                percent(threshold)
            ))
            .metadata("momentum", momentum)
            .metadata("period", period);
        Ok(Some(signal))
    }
}

/// Formats a fraction as a percentage with two decimals. It rounds to whole hundredths, since languages round decimals
/// differently.
fn percent(fraction: f64) -> String {
    let hundredths = (fraction.abs() * 10_000.0 + 0.5).floor() as u64;
    let sign = if fraction < 0.0 { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

export!(Momentum);

#[cfg(test)]
mod tests {
    use ta_bot_sdk::testing::{Candles, evaluate};

    use super::*;

    #[test]
    fn it_follows_the_move() {
        let rising = Candles::from_closes(&[100.0, 101.0, 103.0]);
        let signal = evaluate::<Momentum>(&rising, &[("period", 2.into())]).unwrap().unwrap();
        assert_eq!((signal.action, signal.stop_loss), (Action::Buy, Some(103.0 * 0.98)));
        assert_eq!(
            signal.rationale.as_deref(),
            Some("The close moved by 3.00 % in 2 candles, past the threshold of 1.00 %.")
        );
        let long_only = [("period", 2.into()), ("direction", "long".into())];
        let falling = Candles::from_closes(&[100.0, 99.0, 90.0]);
        assert_eq!(evaluate::<Momentum>(&falling, &long_only), Ok(None));
    }

    #[test]
    fn it_asks_for_data() {
        let short = Candles::from_closes(&[100.0; 10]);
        assert_eq!(evaluate::<Momentum>(&short, &[]), Err(Fault::InsufficientData(11)));
    }
}
