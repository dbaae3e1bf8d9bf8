//! Which value of a parameter applies: the symbol's, else the global one, else the module's default.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{ParameterHash, ParameterSchema, Parameters};

/// Where a parameter's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The default that the module declares.
    Default,
    /// Set by an operator for all symbols.
    Global,
    /// Set by an operator for this symbol.
    Symbol,
}

/// The parameters that operators have stored for a strategy, with their versions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParameterLevels {
    /// The parameters for all symbols, with their version.
    pub global: Option<(Parameters, i64)>,
    /// The parameters for one symbol, with their version.
    pub symbol: Option<(Parameters, i64)>,
}

/// The parameters of one evaluation, and where each value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedParameters {
    /// The values.
    pub values: Parameters,
    /// The level of each value.
    pub origins: BTreeMap<String, Level>,
    /// The version of the nearest stored level; 0 if nothing is stored.
    pub version: i64,
    /// The nearest level at which parameters are stored.
    pub level: Level,
    /// The hash of `values`.
    pub hash: ParameterHash,
}

impl ResolvedParameters {
    /// Applies the stored levels on top of the defaults. Stored parameters that the schema no longer has are left out.
    pub fn resolve(schema: &ParameterSchema, levels: &ParameterLevels) -> Self {
        let defaults = schema.defaults();
        let mut values = Parameters::default();
        let mut origins = BTreeMap::new();
        for spec in schema.specs() {
            let stored =
                |level: &Option<(Parameters, i64)>| level.as_ref().and_then(|(p, _)| p.get(&spec.name).cloned());
            let found = stored(&levels.symbol)
                .map(|value| (value, Level::Symbol))
                .or_else(|| stored(&levels.global).map(|value| (value, Level::Global)))
                .or_else(|| defaults.get(&spec.name).cloned().map(|value| (value, Level::Default)));
            if let Some((value, level)) = found {
                values.set(spec.name.as_str(), value);
                origins.insert(spec.name.clone(), level);
            }
        }
        let (level, version) = match (&levels.symbol, &levels.global) {
            (Some((_, version)), _) => (Level::Symbol, *version),
            (None, Some((_, version))) => (Level::Global, *version),
            (None, None) => (Level::Default, 0),
        };
        let hash = values.hash();
        Self { values, origins, version, level, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Value, parameters::tests::rsi_schema};

    fn set(name: &str, value: Value) -> Parameters {
        [(name.to_owned(), value)].into_iter().collect()
    }

    #[test]
    fn a_symbol_inherits_what_it_does_not_name() {
        let levels = ParameterLevels {
            global: Some((set("oversold", Value::Number(25.0)), 7)),
            symbol: Some((set("period", Value::Integer(10)), 3)),
        };
        let resolved = ResolvedParameters::resolve(&rsi_schema(), &levels);
        assert_eq!(resolved.values.get("period"), Some(&Value::Integer(10)));
        assert_eq!(resolved.values.get("oversold"), Some(&Value::Number(25.0)));
        assert_eq!(resolved.values.get("trend_period"), None);
        let origins = ["period", "oversold", "trigger"].map(|name| resolved.origins[name]);
        assert_eq!(origins, [Level::Symbol, Level::Global, Level::Default]);
        assert_eq!((resolved.level, resolved.version), (Level::Symbol, 3));
    }

    #[test]
    fn nothing_stored_is_version_zero_of_the_defaults() {
        let resolved = ResolvedParameters::resolve(&rsi_schema(), &ParameterLevels::default());
        assert_eq!((resolved.level, resolved.version), (Level::Default, 0));
        assert_eq!(resolved.hash, rsi_schema().defaults().hash());
    }
}
