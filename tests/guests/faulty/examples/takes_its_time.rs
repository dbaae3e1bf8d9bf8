//! Works everywhere, and computes for about a tenth of a second before it answers.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

/// How many steps it computes. Each needs the result of the one before, so no machine does several at once.
const STEPS: u64 = 50_000_000;

struct TakesItsTime;

impl TakesItsTime {
    fn describe() -> Description {
        description("takes_its_time", 2)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let step = |state: u64, index: u64| (state ^ index).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17);
        let end = (0..STEPS).fold(close.to_bits(), step);
        signal(end.is_multiple_of(2), close, close)
    }
}

faulty!(TakesItsTime);
