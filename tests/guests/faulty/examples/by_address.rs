//! Its answer depends on an address in memory.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

struct ByAddress;

impl ByAddress {
    fn describe() -> Description {
        description("by_address", 10)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        // The memory is never freed, so the next allocation has another address.
        let somewhere: &'static mut [u8; 48] = Box::leak(Box::new([1; 48]));
        let address = std::ptr::from_mut(somewhere) as usize;
        signal(address % 32 < 16, newest(base)?, address as f64)
    }
}

faulty!(ByAddress);
