//! What differs between a recorded answer and ours.

use serde_json::{Map, Value as Json};
use ta_bot_core::{Decision, EvaluationError, Strength, Value};

use crate::golden::{Answer, Recorded};

/// How far a number may be off, as a share of the larger one.
const RELATIVE: f64 = 1e-9;
/// How far a number may be off as a share of the price: differences between nearly equal prices lose digits.
const OF_THE_PRICE: f64 = 1e-11;
/// The field in which the recording engine noted the parameters that were set. In our messages the host writes it.
const OF_THE_ENGINE: &str = "strategy_config";

/// The first difference, in words.
pub(crate) fn difference(
    recorded: Option<&Answer>,
    ours: &Result<Option<Decision>, EvaluationError>,
    close: f64,
    parameters: Option<&Map<String, Json>>,
) -> Option<String> {
    match (recorded, ours) {
        (_, Err(error)) => Some(format!("fails: {error}")),
        (None | Some(Answer::Failed), Ok(None)) => None,
        (Some(Answer::Signal(recorded)), Ok(Some(ours))) => in_signal(recorded, ours, close, parameters),
        (Some(Answer::Signal(recorded)), Ok(None)) => Some(format!("says nothing, recorded is {recorded:?}")),
        (None | Some(Answer::Failed), Ok(Some(ours))) => Some(format!("says {ours:?}, nothing is recorded")),
    }
}

fn in_signal(
    recorded: &Recorded,
    ours: &Decision,
    close: f64,
    parameters: Option<&Map<String, Json>>,
) -> Option<String> {
    if ours.action.as_str() != recorded.action || strength(ours.strength) != recorded.strength {
        return Some(format!(
            "{:?} {:?}, recorded {} {}",
            ours.action, ours.strength, recorded.action, recorded.strength
        ));
    }
    let numbers = [
        ("confidence", Some(ours.confidence), Some(recorded.confidence)),
        ("price", ours.price, Some(recorded.price)),
        ("stop-loss", ours.stop_loss, recorded.stop_loss),
        ("take-profit", ours.take_profit, recorded.take_profit),
    ];
    let off = numbers.into_iter().find(|(_, ours, recorded)| !same_optional(*ours, *recorded, close));
    let off = off.map(|(name, ours, recorded)| format!("{name} {ours:?}, recorded {recorded:?}"));
    off.or_else(|| in_metadata(&recorded.metadata, &ours.metadata, close, parameters))
}

const fn strength(strength: Strength) -> &'static str {
    match strength {
        Strength::Weak => "weak",
        Strength::Medium => "medium",
        Strength::Strong => "strong",
        Strength::Extreme => "extreme",
    }
}

fn in_metadata(
    recorded: &Map<String, Json>,
    ours: &[(String, Value)],
    close: f64,
    parameters: Option<&Map<String, Json>>,
) -> Option<String> {
    for (name, value) in recorded.iter().filter(|(name, _)| *name != OF_THE_ENGINE) {
        let mine = ours.iter().find_map(|(mine, value)| (mine == name).then_some(value));
        if !mine.is_some_and(|mine| same_value(mine, value, close)) {
            return Some(format!("metadata {name} {mine:?}, recorded {value}"));
        }
    }
    // The engine's note must also have the parameters that we were given.
    let noted = recorded.get(OF_THE_ENGINE).map(|note| &note["parameters"]);
    if noted.and_then(Json::as_object) != parameters {
        return Some(format!("recorded with {noted:?}, evaluated with {parameters:?}"));
    }
    let more = ours.iter().find(|(name, _)| !recorded.contains_key(name));
    let twice = ours.len() + usize::from(noted.is_some()) > recorded.len();
    more.map(|(name, _)| format!("metadata {name} is not recorded"))
        .or_else(|| twice.then(|| "metadata has a name twice".to_owned()))
}

fn same_value(ours: &Value, recorded: &Json, close: f64) -> bool {
    match (ours, recorded) {
        (Value::Boolean(ours), Json::Bool(recorded)) => ours == recorded,
        (Value::Text(ours), Json::String(recorded)) => ours == recorded,
        (Value::Integer(ours), Json::Number(recorded)) => recorded.as_f64() == Some(f64::from(*ours)),
        (Value::Number(ours), Json::Number(recorded)) => same_optional(Some(*ours), recorded.as_f64(), close),
        (Value::Number(ours), Json::Null) => !ours.is_finite(),
        _ => false,
    }
}

fn same_optional(ours: Option<f64>, recorded: Option<f64>, close: f64) -> bool {
    match (ours, recorded) {
        (Some(ours), Some(recorded)) => {
            let off = (ours - recorded).abs();
            off <= RELATIVE * ours.abs().max(recorded.abs()) || off <= OF_THE_PRICE * close
        }
        (ours, recorded) => ours == recorded,
    }
}
