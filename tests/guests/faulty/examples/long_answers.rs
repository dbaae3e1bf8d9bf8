//! Gives reasons for its decisions that nobody could read: half a megabyte of rationale, and as much in its readings.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, Value, description, newest, signal};

struct Faulty;

impl Faulty {
    fn describe() -> Description {
        description("long_answers", 50)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let mut answer = signal(true, close, close)?;
        if let Some(signal) = &mut answer {
            signal.rationale = Some("because it is so ".repeat(30_000));
            let reading = |index: usize| (format!("reading {index}"), Value::Text("very ".repeat(2_000)));
            signal.metadata.extend((0..40).map(reading));
        }
        Ok(answer)
    }
}

ta_bot_guest_faulty::faulty!(Faulty);
