//! Its confidence is NaN when the market stands still.

use ta_bot_guest_faulty::{Answer, Candles, Context, Description, Signal, description, faulty, newest, signal};

struct NanWhenFlat;

impl NanWhenFlat {
    fn describe() -> Description {
        description("nan_when_flat", 20)
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        let (low, high) =
            base.close.iter().fold((close, close), |(low, high), close| (low.min(*close), high.max(*close)));
        let confidence = (close - low) / (high - low);
        Ok(signal(confidence >= 0.5, close, confidence)?.map(|signal| Signal { confidence, ..signal }))
    }
}

faulty!(NanWhenFlat);
