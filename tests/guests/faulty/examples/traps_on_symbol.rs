//! Is fine on every symbol but one, where its code stops in the middle.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, mean, newest, signal};

/// The symbol that it does not survive.
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
