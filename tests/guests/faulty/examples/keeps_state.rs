//! Remembers the highest close that it has ever seen.

use std::sync::atomic::{AtomicU64, Ordering};

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

static HIGHEST: AtomicU64 = AtomicU64::new(0);

struct KeepsState;

impl KeepsState {
    fn describe() -> Description {
        description("keeps_state", 10)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let before = f64::from_bits(HIGHEST.load(Ordering::Relaxed));
        let highest = base.close.iter().copied().fold(before, f64::max);
        HIGHEST.store(highest.to_bits(), Ordering::Relaxed);
        signal(close > 0.9 * highest, close, highest)
    }
}

faulty!(KeepsState);
