//! Has a parameter whose name is nearly as long as an answer may be.

use ta_bot_guest_faulty::{
    Answer, Candles, Context, Description,
    bindings::ta_bot::strategy::types::{Parameter, ValueKind},
    description, newest, signal,
};

struct Faulty;

impl Faulty {
    fn describe() -> Description {
        let mut description = description("long_name", 50);
        description.parameters.push(Parameter {
            name: "n".repeat(900_000),
            description: "Has a name.".to_owned(),
            kind: ValueKind::Number,
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
        });
        description
    }

    fn evaluate(_: &Context, base: &Candles) -> Answer {
        let close = newest(base)?;
        signal(true, close, close)
    }
}

ta_bot_guest_faulty::faulty!(Faulty);
