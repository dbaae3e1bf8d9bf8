//! Describes itself differently each time.

use std::sync::atomic::{AtomicU32, Ordering};

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, description, faulty, newest, signal};

static ASKED: AtomicU32 = AtomicU32::new(0);

struct DescribeChanges;

impl DescribeChanges {
    fn describe() -> Description {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        Description { version: format!("1.0.{asked}"), ..description("describe_changes", 10) }
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        signal(close > base.close[0], close, base.close[0])
    }
}

faulty!(DescribeChanges);
