//! Buys when a candle closes above the highest high of the candles before it, sells when it closes below their lowest
//! low. Make it yours: the README says how.

use ta_bot_sdk::prelude::*;

// Operators read these doc comments.
parameters! {
    /// The parameters of the rule.
    pub struct Parameters {
        /// Candles that make the channel, a count.
        #[range(2..=200)]
        period: usize = 20,
        /// Distance of the target from the entry, in multiples of the stop's distance.
        #[range(0.1..=20.0)]
        reward: f64 = 2.0,
    }
}

/// The rule.
#[derive(Debug)]
pub struct Rule;

impl Strategy for Rule {
    type Parameters = Parameters;

    const ID: &'static str = "my_strategy";
    const NAME: &'static str = "My strategy";
    const VERSION: &'static str = "0.1.0";
    const DESCRIPTION: &'static str = "Follows a close beyond the channel of the candles before it.";
    const LOOKBACK: u32 = 201;
    const COLUMNS: &'static [Column] = &[Column::High, Column::Low, Column::Close];

    fn evaluate(
        _context: &Context,
        window: Window<'_>,
        _extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let &Parameters { period, reward } = parameters;
        window.require(period + 1)?;
        let close = window.close().newest();
        let high = indicators::highest(window.high().span(1..period + 1));
        let low = indicators::lowest(window.low().span(1..period + 1));
        let signal = if close > high {
            Signal::buy(0.7).trade(close, low, reward).rationale(format!(
                "The close {} is above {}, the high of {period} candles.",
                price(close),
                price(high)
            ))
        } else if close < low {
            Signal::sell(0.7).trade(close, high, reward).rationale(format!(
                "The close {} is below {}, the low of {period} candles.",
                price(close),
                price(low)
            ))
        } else {
            return Ok(None);
        };
        Ok(Some(signal.metadata("channel_high", high).metadata("channel_low", low)))
    }
}

export!(Rule);

#[cfg(test)]
mod tests {
    use ta_bot_sdk::testing::{Candles, check, evaluate};

    use super::*;

    #[test]
    fn it_buys_above_the_channel() {
        let mut closes = vec![100.0; 30];
        assert_eq!(evaluate::<Rule>(&Candles::from_closes(&closes), &[]), Ok(None));
        closes.push(101.0);
        let signal = evaluate::<Rule>(&Candles::from_closes(&closes), &[]).unwrap().unwrap();
        assert_eq!((signal.action, signal.stop_loss, signal.take_profit), (Action::Buy, Some(100.0), Some(103.0)));
    }

    #[test]
    fn it_asks_for_as_many_candles_as_it_needs() {
        let few = Candles::from_closes(&[100.0; 20]);
        assert_eq!(evaluate::<Rule>(&few, &[]), Err(Fault::InsufficientData(21)));
        assert_eq!(check::<Rule>(&[("period", 1.into())]), Err("period = 1 must be from 2 to 200".into()));
    }
}
