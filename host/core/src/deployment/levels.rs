//! Parameters that come with a deployment.
//!
//! A new version of a strategy may need parameters that the old one does not know. Both must change at the same candle,
//! so the parameters are part of the log's entry, and which of them count for a candle follows from the log, as the
//! module does. The store of settings follows later: until it holds what a deployment brought, the log counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::{DeploymentEntry, DeploymentLog};
use crate::{ENABLED, StrategyId, Symbol, Timestamp, in_short};

/// The parameters that a level holds, by name; `None` if nothing is stored there.
pub type LevelParameters = Option<Map<String, Json>>;

/// What levels of a strategy's parameters are to hold. `None` in place of a symbol is the level of all symbols.
pub type RequestedLevels = BTreeMap<Option<Symbol>, LevelParameters>;

/// What requested levels look like, in words.
const SHAPE: &str = "an object like {\"global\": {\"period\": 10}, \"symbols\": {\"BTCUSDT\": {\"period\": 20}}}, with null \
                     instead of parameters if nothing is to be stored there";

/// Reads the levels that a deployment is requested with: `{"global": {…}, "symbols": {"BTCUSDT": {…}}}`. An error says
/// what was given and what is allowed.
pub fn requested_levels(given: &Json) -> Result<RequestedLevels, String> {
    let Json::Object(given) = given else { return Err(SHAPE.to_owned()) };
    let mut levels = RequestedLevels::new();
    for (name, value) in given {
        match (name.as_str(), value) {
            ("global", parameters) => levels.extend([(None, read_level(name, parameters)?)]),
            ("symbols", Json::Object(symbols)) => {
                for (symbol, parameters) in symbols {
                    let parsed: Symbol = symbol.parse().map_err(|error| format!("{symbol}: {error}"))?;
                    levels.insert(Some(parsed), read_level(symbol, parameters)?);
                }
            }
            _ => return Err(format!("{name} = {}: allowed is {SHAPE}", in_short(value))),
        }
    }
    Ok(levels)
}

fn read_level(name: &str, parameters: &Json) -> Result<LevelParameters, String> {
    match parameters {
        Json::Null => Ok(None),
        Json::Object(parameters) if parameters.contains_key(ENABLED) => Err(format!(
            "{name}: {ENABLED} is no parameter of the strategy; it is set by the configuration of the strategy, and stays \
             as it is"
        )),
        Json::Object(parameters) => Ok(Some(parameters.clone())),
        other => Err(format!("{name} = {}: allowed is {SHAPE}", in_short(other))),
    }
}

/// What a deployment makes of one level of its strategy's parameters. The host's own parameter is not among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployedLevel {
    /// The symbol; `None` for all symbols.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbol: Option<Symbol>,
    /// What the level holds from the deployment's first candle on.
    pub parameters: LevelParameters,
    /// What it held until then.
    pub before: LevelParameters,
    /// The newest version of the level in the store of settings when the deployment was requested; 0 if it never had
    /// one. What is stored later counts instead of `parameters`.
    pub over: i64,
}

/// What the log makes of a level for the candles of one close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LevelOfLog<'a> {
    /// A deployment that does not apply yet changes the level. Until it does, the level holds what it held.
    Until {
        /// What it held.
        parameters: Option<&'a Map<String, Json>>,
        /// The version that this had in the store of settings.
        version: i64,
    },
    /// A deployment that applies changed the level.
    Since {
        /// What it holds, unless something newer is stored.
        parameters: Option<&'a Map<String, Json>>,
        /// The newest version in the store of settings that is older.
        over: i64,
    },
}

/// What the log makes of a strategy's levels for the candles of one close. Levels that it does not name hold what is
/// stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LevelsOfLog<'a> {
    levels: BTreeMap<Option<&'a Symbol>, LevelOfLog<'a>>,
    /// The revisions of the last entry with parameters that applies and of the last one that there is.
    span: (i64, i64),
}

impl<'a> LevelsOfLog<'a> {
    fn of(entries: &'a [DeploymentEntry], candle_close: Timestamp) -> Self {
        let mut found = Self::default();
        for entry in entries.iter().filter(|entry| !entry.change.deployment.parameters.is_empty()) {
            let applies = entry.from <= candle_close;
            for level in &entry.change.deployment.parameters {
                found.add(level, applies);
            }
            found.span = (if applies { entry.revision } else { found.span.0 }, entry.revision);
        }
        found
    }

    fn add(&mut self, level: &'a DeployedLevel, applies: bool) {
        let DeployedLevel { symbol, parameters, before, over } = level;
        let symbol = symbol.as_ref();
        if applies {
            self.levels.insert(symbol, LevelOfLog::Since { parameters: parameters.as_ref(), over: *over });
        } else if !matches!(self.levels.get(&symbol), Some(LevelOfLog::Until { .. })) {
            self.levels.insert(symbol, LevelOfLog::Until { parameters: before.as_ref(), version: *over });
        }
    }

    /// The same, under what is requested for a deployment that would be the newest.
    #[must_use]
    pub fn with(mut self, requested: &'a RequestedLevels) -> Self {
        for (symbol, parameters) in requested {
            let since = LevelOfLog::Since { parameters: parameters.as_ref(), over: i64::MAX };
            self.levels.insert(symbol.as_ref(), since);
        }
        self
    }

    /// What the log makes of a level; `None` if nothing.
    pub fn level(&self, symbol: Option<&Symbol>) -> Option<LevelOfLog<'a>> {
        self.levels.get(&symbol).copied()
    }

    /// The levels that the log makes something of.
    pub fn symbols(&self) -> impl Iterator<Item = Option<&'a Symbol>> {
        self.levels.keys().copied()
    }

    /// Two values of one strategy with the same span are equal.
    pub const fn span(&self) -> (i64, i64) {
        self.span
    }
}

impl DeploymentLog {
    /// What the log makes of a strategy's levels for the candles that close at `candle_close`.
    pub fn levels_at(&self, strategy: &StrategyId, candle_close: Timestamp) -> LevelsOfLog<'_> {
        LevelsOfLog::of(self.of(strategy), candle_close)
    }

    /// What the log makes of a strategy's levels from its newest entry on.
    pub fn newest_levels(&self, strategy: &StrategyId) -> LevelsOfLog<'_> {
        LevelsOfLog::of(self.of(strategy), Timestamp::from_millis(i64::MAX))
    }
}

/// What the levels held that the entries after `revision` changed, before they did.
pub(crate) fn held_at(entries: &[DeploymentEntry], revision: i64) -> RequestedLevels {
    let mut held = RequestedLevels::new();
    for entry in entries.iter().filter(|entry| entry.revision > revision) {
        for level in &entry.change.deployment.parameters {
            held.entry(level.symbol.clone()).or_insert_with(|| level.before.clone());
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Deployment, DeploymentAction, DeploymentChange};

    fn map(value: &Json) -> LevelParameters {
        value.as_object().cloned()
    }

    fn entry(revision: i64, from: i64, parameters: Vec<DeployedLevel>) -> DeploymentEntry {
        let change = DeploymentChange {
            strategy: "rsi".parse().unwrap(),
            action: DeploymentAction::Activate,
            deployment: Deployment { parameters, ..Deployment::default() },
            changed_by: "ann".to_owned(),
            claimed_by: None,
            reason: None,
            at: Timestamp::from_millis(0),
        };
        DeploymentEntry { revision, from: Timestamp::from_millis(from), change }
    }

    fn level(symbol: Option<&str>, before: &Json, parameters: &Json, over: i64) -> DeployedLevel {
        let symbol = symbol.map(|symbol| symbol.parse().unwrap());
        DeployedLevel { symbol, parameters: map(parameters), before: map(before), over }
    }

    fn log() -> Vec<DeploymentEntry> {
        let (one, two, three) = (json!({"n": 1}), json!({"n": 2}), json!({"n": 3}));
        vec![
            entry(1, 10, vec![level(None, &one, &two, 4)]),
            entry(2, 20, Vec::new()),
            entry(3, 20, vec![level(None, &two, &three, 5), level(Some("BTCUSDT"), &Json::Null, &one, 0)]),
        ]
    }

    #[test]
    fn what_a_level_holds_follows_from_the_log_and_the_close() {
        let log = log();
        let at = |close| LevelsOfLog::of(&log, Timestamp::from_millis(close));
        let [one, two, three] = [1, 2, 3].map(|number| json!({"n": number}));
        let (one, two, three) = (one.as_object(), two.as_object(), three.as_object());
        let until = |parameters, version| Some(LevelOfLog::Until { parameters, version });
        let since = |parameters, over| Some(LevelOfLog::Since { parameters, over });
        assert_eq!(at(9).level(None), until(one, 4));
        assert_eq!(at(10).level(None), until(two, 5));
        assert_eq!(at(20).level(None), since(three, 5));
        let bitcoin = "BTCUSDT".parse().unwrap();
        assert_eq!(at(19).level(Some(&bitcoin)), until(None, 0));
        assert_eq!(at(20).level(Some(&bitcoin)), since(one, 0));
        assert_eq!([9, 10, 19, 20].map(|close| at(close).span()), [(0, 3), (1, 3), (1, 3), (3, 3)]);
        assert_eq!(LevelsOfLog::of(&log[1..2], Timestamp::from_millis(i64::MAX)), LevelsOfLog::default());
    }

    #[test]
    fn requested_levels_are_read_or_refused_as_a_whole() {
        let given = json!({"global": {"n": 1}, "symbols": {"BTCUSDT": null, "ETHUSDT": {}}});
        let read: Vec<_> = requested_levels(&given).unwrap().into_iter().collect();
        let symbol = |name: &str| Some(name.parse().unwrap());
        let expected = [(None, map(&json!({"n": 1}))), (symbol("BTCUSDT"), None), (symbol("ETHUSDT"), map(&json!({})))];
        assert_eq!(read, expected);
        for (wrong, named) in [
            (json!([]), "an object like"),
            (json!({"all": {}}), "all = {}"),
            (json!({"global": 3}), "global = 3"),
            (json!({"symbols": {"btc usdt": {}}}), "btc usdt"),
            (json!({"symbols": {"BTCUSDT": {"enabled": false}}}), "BTCUSDT: enabled"),
        ] {
            let problem = requested_levels(&wrong).unwrap_err();
            assert!(problem.contains(named), "{problem}");
        }
    }

    #[test]
    fn going_back_restores_what_was_held_before_the_first_change() {
        let held = |revision| held_at(&log(), revision).into_values().collect::<Vec<_>>();
        assert_eq!(held(0), [map(&json!({"n": 1})), None]);
        assert_eq!(held(1), [map(&json!({"n": 2})), None]);
        assert_eq!(held(3), Vec::<LevelParameters>::new());
    }
}
