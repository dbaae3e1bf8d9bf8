//! What the faulty strategies share. Each one is an example of this crate, because it is a component of its own. It
//! answers like any strategy, but has one fault that only the right check of admission can see.

#[doc(hidden)]
pub mod bindings;

pub use bindings::{
    exports::ta_bot::strategy::strategy::{Guest, Parameters},
    ta_bot::strategy::types::{Action, Candles, Columns, Context, Description, Fault, Signal, Value},
};

/// What a strategy returns.
pub type Answer = Result<Option<Signal>, Fault>;

/// Makes a component of a type that has `evaluate(&Context, &Candles) -> Answer` and `describe() -> Description`.
#[macro_export]
macro_rules! faulty {
    ($Faulty:ident) => {
        #[allow(unsafe_code, reason = "the exports of a component are raw functions")]
        mod component {
            use super::$Faulty;
            use $crate::{Answer, Candles, Context, Description, Guest, Parameters};

            impl Guest for $Faulty {
                fn describe() -> Description {
                    <$Faulty>::describe()
                }

                fn check(_: Parameters) -> Result<(), String> {
                    Ok(())
                }

                fn evaluate(context: Context, base: Candles, _: Vec<Candles>, _: Parameters) -> Answer {
                    <$Faulty>::evaluate(&context, &base)
                }
            }

            $crate::bindings::export!($Faulty with_types_in $crate::bindings);
        }
    };
}

/// The description of a strategy without parameters.
pub fn description(id: &str, lookback: u32) -> Description {
    Description {
        id: id.to_owned(),
        name: "Faulty".to_owned(),
        version: "1.0.0".to_owned(),
        description: "Has a fault that admission must see.".to_owned(),
        lookback,
        columns: Columns::empty(),
        timeframes: Vec::new(),
        extra: Vec::new(),
        parameters: Vec::new(),
    }
}

/// A buy or a sell at the close, with its levels on the right sides, and the reading behind it.
pub fn signal(buys: bool, close: f64, reading: f64) -> Answer {
    let side = if buys { 1.0 } else { -1.0 };
    Ok(Some(Signal {
        action: if buys { Action::Buy } else { Action::Sell },
        confidence: 0.7,
        price: Some(close),
        stop_loss: Some(close * (1.0 - 0.02 * side)),
        take_profit: Some(close * (1.0 + 0.04 * side)),
        strength: None,
        rationale: None,
        metadata: vec![("reading".to_owned(), Value::Number(reading))],
    }))
}

/// The mean of some closes.
pub fn mean(closes: &[f64]) -> f64 {
    closes.iter().sum::<f64>() / closes.len() as f64
}

/// The newest close.
pub fn newest(base: &Candles) -> Result<f64, Fault> {
    base.close.last().copied().ok_or(Fault::InsufficientData(1))
}
