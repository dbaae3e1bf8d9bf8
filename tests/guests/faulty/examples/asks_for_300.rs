//! Needs 300 candles and says so, but declares 50, so it never gets what it needs.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, Fault, description, faulty, mean, newest, signal};

struct AsksFor300;

impl AsksFor300 {
    fn describe() -> Description {
        description("asks_for_300", 50)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        if base.close.len() < 300 {
            return Err(Fault::InsufficientData(300));
        }
        let close = newest(base)?;
        let mean = mean(&base.close);
        signal(close > mean, close, mean)
    }
}

faulty!(AsksFor300);
