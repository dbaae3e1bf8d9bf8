//! Takes longer than any limit.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty};

struct NeverEnds;

impl NeverEnds {
    fn describe() -> Description {
        description("never_ends", 10)
    }

    fn evaluate(_: &Context, _: &Candles) -> Answer {
        loop {
            std::hint::spin_loop();
        }
    }
}

faulty!(NeverEnds);
