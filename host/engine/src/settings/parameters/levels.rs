//! The levels of a strategy's parameters as they count for the candles of one close: what is stored, under what the log
//! of deployments makes of it.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use ta_bot_core::{LevelOfLog, LevelsOfLog, ParameterLevels, ParameterSchema, Parameters, StrategyId, Symbol};

use crate::settings::config_store::{ConfigKey, StoredLevels};

/// The levels of one strategy.
#[derive(Clone, Copy)]
pub(super) struct Levels<'a> {
    stored: &'a StoredLevels,
    strategy: &'a StrategyId,
    log: &'a LevelsOfLog<'a>,
}

impl<'a> Levels<'a> {
    pub(super) const fn new(stored: &'a StoredLevels, strategy: &'a StrategyId, log: &'a LevelsOfLog<'a>) -> Self {
        Self { stored, strategy, log }
    }

    /// The key of a level; `None` is the level of all symbols.
    pub(super) fn key(&self, symbol: Option<&Symbol>) -> ConfigKey {
        ConfigKey { strategy: self.strategy.clone(), symbol: symbol.cloned() }
    }

    /// The levels that hold something, readable or not.
    pub(super) fn symbols(&self) -> BTreeSet<Option<&'a Symbol>> {
        let stored = self.stored.readable.keys().chain(self.stored.unreadable.keys());
        let stored = stored.filter(|key| key.strategy == *self.strategy).map(|key| key.symbol.as_ref());
        stored.chain(self.log.symbols()).filter(|symbol| self.has(*symbol)).collect()
    }

    /// Whether a level holds something, readable or not.
    pub(super) fn has(&self, symbol: Option<&Symbol>) -> bool {
        self.get(symbol).is_some() || self.unreadable(symbol).is_some()
    }

    /// What a level holds, with its version in the store. What a deployment brought and the store does not hold yet has
    /// the version that it gets there.
    pub(super) fn get(&self, symbol: Option<&Symbol>) -> Option<(&'a Map<String, Json>, i64)> {
        let stored = self.stored.readable.get(&self.key(symbol)).map(|level| (&level.parameters, level.version));
        match self.log.level(symbol) {
            Some(LevelOfLog::Until { parameters, version }) => Some((parameters?, version)),
            Some(LevelOfLog::Since { parameters, over }) if self.is_older(symbol, over) => {
                Some((parameters?, over.saturating_add(1)))
            }
            _ => stored,
        }
    }

    /// Why what a level holds can't be read, if so.
    pub(super) fn unreadable(&self, symbol: Option<&Symbol>) -> Option<&'a str> {
        match self.log.level(symbol) {
            Some(LevelOfLog::Until { .. }) => None,
            _ => self.stored.unreadable.get(&self.key(symbol)).map(String::as_str),
        }
    }

    /// The parameters that count for all symbols or for one, as far as they fit `schema`.
    pub(super) fn fitting(&self, schema: &ParameterSchema, symbol: Option<&Symbol>) -> ParameterLevels {
        let level = |symbol: Option<&Symbol>| -> Option<(Parameters, i64)> {
            let (parameters, version) = self.get(symbol)?;
            Some((schema.read_what_fits(parameters).0, version))
        };
        ParameterLevels { global: level(None), symbol: symbol.and_then(|symbol| level(Some(symbol))) }
    }

    /// Whether what is stored at a level, if anything, is not newer than this version.
    fn is_older(&self, symbol: Option<&Symbol>, version: i64) -> bool {
        let key = self.key(symbol);
        !self.stored.unreadable.contains_key(&key)
            && self.stored.readable.get(&key).is_none_or(|stored| stored.version <= version)
    }
}
