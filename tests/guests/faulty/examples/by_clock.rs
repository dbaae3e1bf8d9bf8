//! Its answer depends on the wall clock. Built for `wasm32-wasip2`, whose standard library asks WASI for the time.

use std::time::{SystemTime, UNIX_EPOCH};

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

struct ByClock;

impl ByClock {
    fn describe() -> Description {
        description("by_clock", 10)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        signal(age.as_millis() % 2 == 0, newest(base)?, age.as_secs_f64())
    }
}

faulty!(ByClock);
