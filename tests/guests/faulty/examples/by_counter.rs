//! Its answer depends on how often it was asked.

use std::sync::atomic::{AtomicU32, Ordering};

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

static ASKED: AtomicU32 = AtomicU32::new(0);

struct ByCounter;

impl ByCounter {
    fn describe() -> Description {
        description("by_counter", 10)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        signal(asked % 3 != 2, newest(base)?, 0.0)
    }
}

faulty!(ByCounter);
