//! Conversions between the WIT's types and the domain's. Nothing is decided here, only represented differently.

use ta_bot_core::{
    Action, CandleSlice, Columns, Decision, DescriptionError, ExtraInput, InputSymbol, InputTimeframe, ParameterSchema,
    ParameterSpec, Parameters, StrategyDescription, Strength, Timeframe, Value, ValueKind,
};

use crate::bindings::ta_bot::strategy::types as wit;

/// The columns of `window` that the guest wants; the others are empty.
pub(crate) fn candles<'a>(window: CandleSlice<'a>, columns: Columns) -> wit::Candles<'a> {
    let pick = |wanted: bool, column: &'a [f64]| if wanted { column } else { &[] };
    wit::Candles {
        open_time: pick(columns.open_time, window.open_time),
        open: pick(columns.open, window.open),
        high: pick(columns.high, window.high),
        low: pick(columns.low, window.low),
        close: pick(columns.close, window.close),
        volume: pick(columns.volume, window.volume),
    }
}

/// The parameters' values, in the order of the description.
pub(crate) fn parameters<'a>(
    schema: &'a ParameterSchema,
    values: &'a Parameters,
) -> Vec<(&'a str, wit::ValueParam<'a>)> {
    let named = |spec: &'a ParameterSpec| Some((spec.name.as_str(), value(values.get(&spec.name)?)));
    schema.specs().iter().filter_map(named).collect()
}

fn value(value: &Value) -> wit::ValueParam<'_> {
    match value {
        Value::Boolean(value) => wit::ValueParam::Boolean(*value),
        Value::Integer(value) => wit::ValueParam::Integer(*value),
        Value::Number(value) => wit::ValueParam::Number(*value),
        Value::Text(value) => wit::ValueParam::Text(value),
    }
}

fn read_value(value: wit::ValueResult) -> Value {
    match value {
        wit::ValueResult::Boolean(value) => Value::Boolean(value),
        wit::ValueResult::Integer(value) => Value::Integer(value),
        wit::ValueResult::Number(value) => Value::Number(value),
        wit::ValueResult::Text(value) => Value::Text(value),
    }
}

pub(crate) fn decision(signal: wit::Signal) -> Decision {
    Decision {
        action: match signal.action {
            wit::Action::Buy => Action::Buy,
            wit::Action::Sell => Action::Sell,
            wit::Action::Hold => Action::Hold,
            wit::Action::Close => Action::Close,
        },
        confidence: signal.confidence,
        price: signal.price,
        stop_loss: signal.stop_loss,
        take_profit: signal.take_profit,
        strength: signal.strength.map_or_else(Strength::default, |strength| match strength {
            wit::Strength::Weak => Strength::Weak,
            wit::Strength::Medium => Strength::Medium,
            wit::Strength::Strong => Strength::Strong,
            wit::Strength::Extreme => Strength::Extreme,
        }),
        rationale: signal.rationale,
        metadata: signal.metadata.into_iter().map(|(name, value)| (name, read_value(value))).collect(),
    }
}

/// The size of an answer, in bytes: its texts, and its numbers as the size of their types.
pub(crate) fn answer_bytes(answer: &Result<Option<wit::Signal>, wit::Fault>) -> usize {
    let number = |given: Option<f64>| given.map_or(0, |_| size_of::<f64>());
    match answer {
        Ok(None) => 0,
        Ok(Some(signal)) => {
            let wit::Signal { confidence, price, stop_loss, take_profit, rationale, metadata, .. } = signal;
            let numbers: usize = [Some(*confidence), *price, *stop_loss, *take_profit].into_iter().map(number).sum();
            let values: usize = metadata.iter().map(|(name, value)| name.len() + value_bytes(value)).sum();
            numbers + rationale.as_ref().map_or(0, String::len) + values
        }
        Err(wit::Fault::InvalidParameters(reason) | wit::Fault::Failed(reason)) => reason.len(),
        Err(wit::Fault::InsufficientData(_)) => size_of::<u32>(),
    }
}

const fn value_bytes(value: &wit::ValueResult) -> usize {
    match value {
        wit::ValueResult::Boolean(_) => size_of::<bool>(),
        wit::ValueResult::Integer(_) => size_of::<i64>(),
        wit::ValueResult::Number(_) => size_of::<f64>(),
        wit::ValueResult::Text(text) => text.len(),
    }
}

/// If no flag is set, all columns are wanted.
fn columns(flags: wit::Columns) -> Columns {
    if flags == wit::Columns::default() {
        return Columns::ALL;
    }
    Columns {
        open_time: flags.contains(wit::Columns::OPEN_TIME),
        open: flags.contains(wit::Columns::OPEN),
        high: flags.contains(wit::Columns::HIGH),
        low: flags.contains(wit::Columns::LOW),
        close: flags.contains(wit::Columns::CLOSE),
        volume: flags.contains(wit::Columns::VOLUME),
    }
}

/// Reads and checks a module's description of itself.
pub(crate) fn description(given: wit::Description) -> Result<StrategyDescription, String> {
    let timeframes = given.timeframes.iter().map(|name| name.parse::<Timeframe>());
    let description = StrategyDescription {
        id: given.id.parse().map_err(|error| DescriptionError::Id(error).to_string())?,
        name: given.name,
        version: given.version,
        description: given.description,
        lookback: given.lookback,
        columns: columns(given.columns),
        timeframes: timeframes.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
        extra: given.extra.into_iter().map(extra_input).collect::<Result<_, _>>()?,
        schema: ParameterSchema::new(given.parameters.into_iter().map(parameter).collect()),
    };
    description.check().map_err(|error| error.to_string())?;
    Ok(description)
}

fn extra_input(input: wit::ExtraInput) -> Result<ExtraInput, String> {
    Ok(ExtraInput {
        symbol: match input.symbol {
            wit::InputSymbol::Own => InputSymbol::Own,
            wit::InputSymbol::Fixed(name) => {
                InputSymbol::Fixed(name.parse().map_err(|error: ta_bot_core::SymbolError| error.to_string())?)
            }
        },
        timeframe: match input.timeframe {
            wit::InputTimeframe::NextHigher => InputTimeframe::NextHigher,
            wit::InputTimeframe::Fixed(name) => {
                InputTimeframe::Fixed(name.parse().map_err(|error: ta_bot_core::TimeframeError| error.to_string())?)
            }
        },
        lookback: input.lookback,
        columns: columns(input.columns),
    })
}

fn parameter(given: wit::Parameter) -> ParameterSpec {
    ParameterSpec {
        name: given.name,
        description: given.description,
        kind: match given.kind {
            wit::ValueKind::Boolean => ValueKind::Boolean,
            wit::ValueKind::Integer => ValueKind::Integer,
            wit::ValueKind::Number => ValueKind::Number,
            wit::ValueKind::Text => ValueKind::Text,
        },
        default: given.default.map(read_value),
        min: given.min,
        max: given.max,
        choices: given.choices,
    }
}
