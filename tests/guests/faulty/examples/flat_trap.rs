//! Works as long as the market moves, and divides by zero when it stands still.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

/// The smallest move of a price.
const TICK: f64 = 0.000_001;

struct FlatTrap;

impl FlatTrap {
    fn describe() -> Description {
        description("flat_trap", 20)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let (low, high) =
            base.close.iter().fold((close, close), |(low, high), close| (low.min(*close), high.max(*close)));
        let ticks = |distance: f64| (distance / TICK) as u64;
        let percent = 100 * ticks(close - low) / ticks(high - low);
        signal(percent >= 50, close, percent as f64)
    }
}

faulty!(FlatTrap);
