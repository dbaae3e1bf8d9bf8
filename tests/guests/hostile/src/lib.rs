//! A strategy that does whatever its parameter `behaviour` names. Each behaviour is a way in which a strategy goes
//! wrong, by accident or on purpose. The sandbox must fail only that evaluation, with a status that says which
//! behaviour it was.

mod behaviour;
mod bindings;

use behaviour::Behaviour;
use bindings::{
    exports::ta_bot::strategy::strategy::{Guest, Parameters},
    ta_bot::strategy::{
        log,
        types::{Candles, Columns, Context, Description, Fault, Parameter, Signal, Value, ValueKind},
    },
};

pub(crate) struct Hostile;

impl Guest for Hostile {
    fn describe() -> Description {
        Description {
            id: "hostile".to_owned(),
            name: "Hostile".to_owned(),
            version: "1.0.0".to_owned(),
            description: "Misbehaves in the way it is told to.".to_owned(),
            lookback: 2,
            columns: Columns::CLOSE,
            timeframes: Vec::new(),
            extra: Vec::new(),
            parameters: vec![Parameter {
                name: "behaviour".to_owned(),
                description: "What to do instead of deciding.".to_owned(),
                kind: ValueKind::Text,
                default: Some(Value::Text(Behaviour::Fine.name().to_owned())),
                min: None,
                max: None,
                choices: Behaviour::ALL.iter().map(|behaviour| behaviour.name().to_owned()).collect(),
            }],
        }
    }

    fn check(parameters: Parameters) -> Result<(), String> {
        if chosen(&parameters)? == Behaviour::EndlessCheck {
            behaviour::endless_loop();
        }
        Ok(())
    }

    fn evaluate(_: Context, base: Candles, _: Vec<Candles>, parameters: Parameters) -> Result<Option<Signal>, Fault> {
        // Without WASI a panic can only report to the log.
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
        let behaviour = chosen(&parameters).map_err(Fault::InvalidParameters)?;
        let close = *base.close.last().ok_or(Fault::InsufficientData(1))?;
        Ok(Some(behaviour.act(close)))
    }
}

fn chosen(parameters: &[(String, Value)]) -> Result<Behaviour, String> {
    let name = parameters.iter().find_map(|(name, value)| match value {
        Value::Text(text) if name == "behaviour" => Some(text.as_str()),
        _ => None,
    });
    Behaviour::ALL
        .into_iter()
        .find(|behaviour| Some(behaviour.name()) == name)
        .ok_or_else(|| format!("no behaviour is called {name:?}"))
}
