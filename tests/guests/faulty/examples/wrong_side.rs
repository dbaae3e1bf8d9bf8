//! Swaps its stop loss and its take profit.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, Signal, description, faulty, newest, signal};

struct WrongSide;

impl WrongSide {
    fn describe() -> Description {
        description("wrong_side", 10)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let right = signal(close > base.close[0], close, base.close[0])?;
        Ok(right.map(|signal| Signal { stop_loss: signal.take_profit, take_profit: signal.stop_loss, ..signal }))
    }
}

faulty!(WrongSide);
