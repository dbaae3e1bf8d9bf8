//! Works on every symbol but one, for which its code traps.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, mean, newest, signal};

/// The symbol for which it traps.
const SYMBOL: &str = "ETHUSDT";

struct TrapsOnSymbol;

impl TrapsOnSymbol {
    fn describe() -> Description {
        description("traps_on_symbol", 20)
    }

    fn evaluate(context: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        assert_ne!(context.symbol, SYMBOL);
        let mean = mean(&base.close);
        signal(close > mean, close, mean)
    }
}

faulty!(TrapsOnSymbol);
