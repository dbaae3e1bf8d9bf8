//! The table of a strategy's parameters.

use serde::Serialize;
use ta_bot_core::{Level, ParameterSchema, ParameterSpec, ResolvedParameters, Value};

use super::output::{one_line, or_dash, table};

/// A parameter's declaration and its current value.
#[derive(Debug, Serialize)]
pub(super) struct ParameterView {
    #[serde(flatten)]
    spec: ParameterSpec,
    /// The value that counts.
    value: Option<Value>,
    /// The level that the value comes from.
    origin: Option<Level>,
}

impl ParameterView {
    pub(super) fn list(schema: &ParameterSchema, resolved: &ResolvedParameters) -> Vec<Self> {
        let view = |spec: &ParameterSpec| Self {
            spec: spec.clone(),
            value: resolved.values.get(&spec.name).cloned(),
            origin: resolved.origins.get(&spec.name).copied(),
        };
        schema.specs().iter().map(view).collect()
    }
}

/// A table with a row for each parameter.
pub(super) fn parameter_table(parameters: &[ParameterView]) -> String {
    if parameters.is_empty() {
        return "It has no parameters.".to_owned();
    }
    // If nothing is configured, a second column of the same values would only take up room.
    let configured = parameters.iter().any(|parameter| parameter.origin.is_some_and(|level| level != Level::Default));
    let header: &[&str] = if configured {
        &["parameter", "default", "configured", "level", "allowed", "description"]
    } else {
        &["parameter", "default", "allowed", "description"]
    };
    let row = |parameter: &ParameterView| {
        let ParameterView { spec, value, origin } = parameter;
        let mut row = vec![spec.name.clone(), or_dash(spec.default.as_ref(), shown)];
        if configured {
            let own = value.as_ref().filter(|_| *origin != Some(Level::Default));
            row.push(or_dash(own, shown));
            row.push(or_dash(*origin, |level| level_word(level).to_owned()));
        }
        row.extend([one_line(&spec.allowed()), one_line(&spec.description)]);
        row
    };
    table(header, &[], parameters.iter().map(row))
}

/// The level that a value comes from, in the word that JSON has for it.
const fn level_word(level: Level) -> &'static str {
    match level {
        Level::Default => "default",
        Level::Global => "global",
        Level::Symbol => "symbol",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => one_line(text),
        other => other.to_json().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{ParameterLevels, ValueKind};

    use super::*;

    fn schema() -> ParameterSchema {
        ParameterSchema::new(vec![ParameterSpec {
            name: "period".to_owned(),
            description: "Length, in candles.".to_owned(),
            kind: ValueKind::Integer,
            default: Some(Value::Integer(14)),
            min: Some(2.0),
            max: Some(200.0),
            choices: Vec::new(),
        }])
    }

    fn shown_with(levels: &ParameterLevels) -> String {
        let schema = schema();
        parameter_table(&ParameterView::list(&schema, &ResolvedParameters::resolve(&schema, levels)))
    }

    #[test]
    fn a_configured_value_has_its_column() {
        let plain = shown_with(&ParameterLevels::default());
        assert!(plain.contains("14") && plain.contains("from 2 to 200") && !plain.contains("CONFIGURED"), "{plain}");
        let stored = [("period".to_owned(), Value::Integer(9))].into_iter().collect();
        let configured = shown_with(&ParameterLevels { global: Some((stored, 1)), symbol: None });
        assert!(configured.contains("CONFIGURED") && configured.contains('9'), "{configured}");
        assert!(configured.contains("LEVEL") && configured.contains("global"), "{configured}");
    }
}
