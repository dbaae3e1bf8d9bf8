//! Needs about 300 candles until its average has forgotten where it began, but declares 50 and never says so.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

struct WarmsUp300;

impl WarmsUp300 {
    fn describe() -> Description {
        description("warms_up_300", 50)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let average = base.close.iter().copied().reduce(|average, close| average + (close - average) / 100.0);
        let average = average.unwrap_or(close);
        signal(close > average, close, average)
    }
}

faulty!(WarmsUp300);
