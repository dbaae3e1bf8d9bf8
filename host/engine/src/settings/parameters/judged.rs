//! What each stored parameter means to the strategy that it is for, judged as evaluations do it.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use ta_bot_core::{
    ENABLED, ParameterProblem, ParameterSchema, Parameters, ProblemKind, ResolvedParameters, StrategyDescription,
    SwitchState, split_switch,
};

use super::{ParameterBook, Snapshot, levels::Levels};
use crate::settings::config_store::{ConfigKey, StoredConfig};

/// What a stored parameter means.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// It changes what the strategy is evaluated with.
    Counts,
    /// It is what would hold without it.
    Same,
    /// The strategy has no parameter of this name.
    Unknown,
    /// The strategy has such a parameter, and does not take this value.
    Unfit(ParameterProblem),
    /// The host's own parameter, which says whether the strategy runs.
    Switch(SwitchState),
}

/// One stored parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Its name.
    pub name: String,
    /// What is stored.
    pub stored: Json,
    /// What would hold without it: the module's default or, for one symbol, what is stored for all symbols.
    pub instead_of: Option<Json>,
    /// What it means.
    pub meaning: Meaning,
}

/// What is stored at a level.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedLevel {
    /// Which level.
    pub key: ConfigKey,
    /// What it holds; `None` if that can't be read.
    pub stored: Option<StoredConfig>,
    /// Whether there is a module for its strategy.
    pub has_module: bool,
    /// Each of its parameters.
    pub parameters: Vec<Judged>,
    /// Why the strategy evaluates no candles where this level counts, if so. Another level may be the reason: a symbol
    /// inherits from all symbols.
    pub stopped: Option<String>,
}

impl JudgedLevel {
    /// What the level holds, without what the strategy does not know or does not take.
    pub fn fitting(&self) -> Map<String, Json> {
        let fits = |judged: &&Judged| matches!(judged.meaning, Meaning::Counts | Meaning::Same);
        self.parameters.iter().filter(fits).map(|judged| (judged.name.clone(), judged.stored.clone())).collect()
    }

    /// Whether it holds anything that the strategy does not know or does not take.
    pub fn has_misfits(&self) -> bool {
        self.parameters.iter().any(|judged| matches!(judged.meaning, Meaning::Unknown | Meaning::Unfit(_)))
    }

    /// Whether it changes anything about what the strategy is evaluated with.
    pub fn counts(&self) -> bool {
        self.parameters.iter().any(|judged| judged.meaning == Meaning::Counts)
    }
}

impl ParameterBook {
    /// Every level that is stored, in order. Each is tried with its strategy, so this may run guests.
    pub fn judge_all(&self) -> Vec<JudgedLevel> {
        let snapshot = self.book.current();
        let keys = snapshot.stored.readable.keys().chain(snapshot.stored.unreadable.keys());
        keys.collect::<BTreeSet<_>>().into_iter().map(|key| self.judge(&snapshot, key)).collect()
    }

    /// The level of `key` as if it held `stored`. Whether the strategy takes it is not asked.
    pub fn judge_instead(&self, key: &ConfigKey, stored: StoredConfig) -> JudgedLevel {
        let snapshot = self.book.current();
        let module = self.registry.get(&key.strategy);
        let log = self.registry.log();
        let log = log.newest_levels(&key.strategy);
        let levels = Levels::new(&snapshot.stored, &key.strategy, &log);
        let parameters = match &module {
            Some(module) => parameters(&module.description().schema, &levels, key, &stored.parameters),
            None => unknown(&stored.parameters),
        };
        let has_module = module.is_some();
        JudgedLevel { key: key.clone(), stored: Some(stored), has_module, parameters, stopped: None }
    }

    fn judge(&self, snapshot: &Snapshot, key: &ConfigKey) -> JudgedLevel {
        let Some(module) = self.registry.get(&key.strategy) else {
            let stored = snapshot.stored.readable.get(key).cloned();
            let parameters = stored.as_ref().map(|stored| unknown(&stored.parameters)).unwrap_or_default();
            return JudgedLevel { key: key.clone(), stored, has_module: false, parameters, stopped: None };
        };
        let StrategyDescription { id, schema, .. } = module.description();
        let log = self.registry.log();
        let log = log.newest_levels(id);
        let levels = Levels::new(&snapshot.stored, id, &log);
        let stored = self.level(key, snapshot.stored.readable.get(key));
        let parameters =
            stored.as_ref().map(|stored| parameters(schema, &levels, key, &stored.parameters)).unwrap_or_default();
        let refused = snapshot.resolve(&module, &levels, key.symbol.as_ref(), log.span()).refused;
        let stopped = refused.map(|error| error.to_string());
        let stopped = stopped.or_else(|| snapshot.switch(key).state.problem());
        JudgedLevel { key: key.clone(), stored, has_module: true, parameters, stopped }
    }
}

/// Judges the parameters that the level of `key` holds.
fn parameters(
    schema: &ParameterSchema,
    levels: &Levels<'_>,
    key: &ConfigKey,
    stored: &Map<String, Json>,
) -> Vec<Judged> {
    let inherited = match key.symbol {
        Some(_) => ResolvedParameters::resolve(schema, &levels.fitting(schema, None)).values,
        None => schema.defaults(),
    };
    stored.iter().map(|(name, value)| judged(schema, &inherited, name, value)).collect()
}

/// Judges one parameter in place of what would hold without it.
fn judged(schema: &ParameterSchema, inherited: &Parameters, name: &str, value: &Json) -> Judged {
    let alone = Map::from_iter([(name.to_owned(), value.clone())]);
    let (read, problems) = schema.read_what_fits(&alone);
    let meaning = match (problems.into_iter().next(), read.get(name)) {
        _ if name == ENABLED => Meaning::Switch(SwitchState::read(value)),
        (Some(problem), _) if problem.kind == ProblemKind::Unknown => Meaning::Unknown,
        (Some(problem), _) => Meaning::Unfit(problem),
        (None, read) if read == inherited.get(name) => Meaning::Same,
        (None, _) => Meaning::Counts,
    };
    let instead_of = inherited.get(name).map(ta_bot_core::Value::to_json);
    Judged { name: name.to_owned(), stored: value.clone(), instead_of, meaning }
}

/// Parameters of a strategy that there is no module of.
fn unknown(stored: &Map<String, Json>) -> Vec<Judged> {
    let (parameters, _) = split_switch(stored.clone());
    let unknown = |(name, stored)| Judged { name, stored, instead_of: None, meaning: Meaning::Unknown };
    parameters.into_iter().map(unknown).collect()
}
