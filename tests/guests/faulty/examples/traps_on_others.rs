//! Works on one symbol, and its code traps on every other.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, mean, newest, signal};

/// The symbol on which it works.
const SYMBOL: &str = "BTCUSDT";

struct TrapsOnOthers;

impl TrapsOnOthers {
    fn describe() -> Description {
        description("traps_on_others", 20)
    }

    fn evaluate(context: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        assert_eq!(context.symbol, SYMBOL);
        let mean = mean(&base.close);
        signal(close > mean, close, mean)
    }
}

faulty!(TrapsOnOthers);
