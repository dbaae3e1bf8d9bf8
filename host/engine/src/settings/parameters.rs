//! Strategies' parameters: read by every evaluation, written by operators.
//!
//! Evaluations read a snapshot of everything that is stored, which a `Book` holds.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use async_trait::async_trait;
use ta_bot_core::{
    EvaluationError, ModuleDigest, ParameterLevels, ParameterProblem, ParameterSchema, ResolvedParameters, StrategyId,
    Switch, SwitchState, Switches, Symbol, Timestamp,
};
use ta_bot_wasm::StrategyModule;
use thiserror::Error;

use crate::{
    modules::registry::Registry,
    settings::{
        book::{Book, Contents},
        config_store::{AuditEntry, ConfigKey, ConfigStore, StoredConfig, StoredLevels},
        last_known::{LastKnown, Read},
    },
    support::store_error::{StoreError, WriteError},
};

mod validate;
mod write;

pub use write::{Change, Merge};

/// Why a configuration is not accepted.
#[derive(Debug, Error)]
pub enum ParameterError {
    /// No strategy has this id.
    #[error("there is no strategy {0}")]
    UnknownStrategy(String),
    /// Parameters are unknown, of the wrong type or out of range.
    #[error("{} of the parameters can't be taken; nothing was stored", .0.len())]
    Invalid(Vec<ParameterProblem>),
    /// The strategy refuses the parameters together.
    #[error("the strategy refuses these parameters together: {0}")]
    Refused(String),
    /// The strategy could not be asked.
    #[error("the strategy could not be asked about these parameters: {0}")]
    Unchecked(EvaluationError),
    /// There is no such version to go back to.
    #[error("there is no version {0} to go back to")]
    UnknownVersion(i64),
    /// The write did not happen.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<StoreError> for ParameterError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

/// Everything that is stored, at one moment.
#[derive(Default)]
struct Snapshot {
    stored: StoredLevels,
    /// The parameters resolved from the levels, for each symbol that has an override and for all other symbols
    /// together. Resolving needs the module's schema, so the module is part of the key.
    resolved: RwLock<HashMap<(ModuleDigest, ConfigKey), Resolution>>,
}

/// The parameters of an evaluation, and why the strategy refuses them, if it does. A write is refused if it does not
/// pass the strategy's check, but what was stored for an older module may not pass a newer module's check. No strategy
/// is ever evaluated with parameters that it refused.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The parameters.
    pub parameters: Arc<ResolvedParameters>,
    /// Why the strategy refuses them.
    pub refused: Option<EvaluationError>,
}

/// The parameters of every strategy.
pub struct ParameterBook {
    book: Book<Snapshot>,
    registry: Arc<Registry>,
    /// Only one caller asks a strategy about parameters at a time.
    checking: tokio::sync::Mutex<()>,
}

/// What was stored at one moment.
#[derive(Clone)]
pub struct Edition(Arc<Snapshot>);

#[async_trait]
impl Contents for Snapshot {
    type Stored = StoredLevels;
    const NAME: &'static str = "parameters";

    async fn read(store: &dyn ConfigStore) -> Result<Self::Stored, StoreError> {
        store.all().await
    }

    async fn last_known(file: &LastKnown) -> Option<Read<Self::Stored>> {
        file.parameters().await
    }

    async fn keep(levels: &Self::Stored, file: &LastKnown) {
        file.keep_parameters(levels).await;
    }

    /// Resolved parameters stay, unless something has changed.
    fn replaced(&self, levels: &Self::Stored) -> Option<Self> {
        if self.stored == *levels {
            return None;
        }
        for (ConfigKey { strategy, symbol }, problem) in &levels.unreadable {
            let symbol = symbol.as_ref().map(Symbol::as_str);
            tracing::error!(strategy.id = %strategy, symbol, problem, "stored parameters can't be read; the strategy is left out");
        }
        for (ConfigKey { strategy, symbol }, level) in &levels.readable {
            if let Some(problem) = level.switch().and_then(|stored| SwitchState::read(stored).problem()) {
                let symbol = symbol.as_ref().map(Symbol::as_str);
                tracing::error!(strategy.id = %strategy, symbol, problem, "the strategy is left out");
            }
        }
        Some(Self { stored: levels.clone(), resolved: RwLock::default() })
    }
}

impl ParameterBook {
    /// A book on `store`, empty until it is refreshed.
    pub fn new(store: Arc<dyn ConfigStore>, registry: Arc<Registry>) -> Self {
        Self { book: Book::new(store, Snapshot::default()), registry, checking: tokio::sync::Mutex::default() }
    }

    /// The same book, which keeps what it reads in a file and takes it from there at a start without the store.
    #[must_use]
    pub fn with_last_known(self, file: Arc<LastKnown>) -> Self {
        Self { book: self.book.with_last_known(file), ..self }
    }

    /// The name of the store, as signals give it.
    pub fn store_name(&self) -> &'static str {
        self.book.store().name()
    }

    /// Takes a new snapshot from the store, as every book does.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.book.refresh().await
    }

    /// An error if the parameters were never read: the modules' defaults may be wrong, and wrong ones are worse than
    /// none.
    pub fn known(&self) -> Result<(), StoreError> {
        self.book.known()
    }

    /// Since when the snapshot may be older than what is stored, if the last try to read it failed.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.book.stale_since()
    }

    /// What is in use now, for asking later whether it [still is](Self::is_current).
    pub fn edition(&self) -> Edition {
        Edition(self.book.current())
    }

    /// Whether nothing has changed since `edition`.
    pub fn is_current(&self, edition: &Edition) -> bool {
        Arc::ptr_eq(&self.book.current(), &edition.0)
    }

    /// The parameters with which `module` evaluates `symbol` now. The first time that they count, the strategy is
    /// asked whether it accepts them, so this may run a guest.
    pub fn resolve(&self, module: &StrategyModule, symbol: &Symbol) -> Resolution {
        let id = &module.description().id;
        let snapshot = self.book.current();
        let mut level = ConfigKey { strategy: id.clone(), symbol: Some(symbol.clone()) };
        // Symbols without an override have the same parameters, so a thousand of them need one check.
        if !snapshot.has(&level) {
            level.symbol = None;
        }
        let key = (module.digest(), level);
        if let Some(resolved) = snapshot.resolved.read().ok().and_then(|known| known.get(&key).cloned()) {
            return resolved;
        }
        let schema = &module.description().schema;
        let parameters = ResolvedParameters::resolve(schema, &snapshot.levels(schema, id, key.1.symbol.as_ref()));
        let refused = match snapshot.problem(&key.1) {
            Some(problem) => Some(EvaluationError::InvalidParameters(problem)),
            None => module.check(&parameters.values).err(),
        };
        let resolution = Resolution { parameters: Arc::new(parameters), refused };
        // A refusal is an answer and is kept; a failure to ask the strategy is not.
        let known = matches!(resolution.refused, None | Some(EvaluationError::InvalidParameters(_)));
        if let Ok(mut resolved) = snapshot.resolved.write()
            && known
        {
            resolved.insert(key, resolution.clone());
        }
        resolution
    }

    /// The parameters that count for a strategy, for all symbols or for one, with the stored level if there is one.
    pub fn read(&self, key: &ConfigKey) -> Result<(ResolvedParameters, Option<StoredConfig>), ParameterError> {
        let module = self.module(&key.strategy)?;
        self.known()?;
        let snapshot = self.book.current();
        if let Some(reason) = snapshot.problem(key) {
            return Err(StoreError::Corrupt { store: self.store_name(), reason }.into());
        }
        let schema = &module.description().schema;
        let levels = snapshot.levels(schema, &key.strategy, key.symbol.as_ref());
        Ok((ResolvedParameters::resolve(schema, &levels), snapshot.stored.readable.get(key).cloned()))
    }

    /// Whether operators let a strategy run, for all symbols or for one.
    pub fn switch(&self, key: &ConfigKey) -> Switch {
        self.book.current().switch(key)
    }

    /// Everything that the levels of a strategy say about running.
    pub fn switches(&self, strategy: &StrategyId) -> Switches {
        let snapshot = self.book.current();
        let of_all = snapshot.switch(&ConfigKey { strategy: strategy.clone(), symbol: None });
        let levels = snapshot.stored.readable.iter().filter(|(key, _)| &key.strategy == strategy);
        let of_symbol = levels.filter_map(|(key, level)| Some((key.symbol.clone()?, level.switch()?)));
        let symbols = of_symbol.map(|(symbol, stored)| (symbol, SwitchState::read(stored))).collect();
        Switches { all: of_all.state, symbols }
    }

    /// The symbols for which a level of `strategy` is stored, and whether a global one is.
    pub fn stored_levels(&self, strategy: &StrategyId) -> (bool, Vec<Symbol>) {
        let snapshot = self.book.current();
        let keys = || snapshot.stored.readable.keys().filter(|key| &key.strategy == strategy);
        let mut symbols: Vec<Symbol> = keys().filter_map(|key| key.symbol.clone()).collect();
        symbols.sort();
        (keys().any(|key| key.symbol.is_none()), symbols)
    }

    /// The history of a strategy's levels, newest first.
    pub async fn audit(
        &self,
        strategy: &StrategyId,
        symbol: Option<&Symbol>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, ParameterError> {
        self.module(strategy)?;
        Ok(self.book.store().audit(strategy, symbol, limit).await?)
    }

    fn module(&self, id: &StrategyId) -> Result<Arc<StrategyModule>, ParameterError> {
        self.registry.get(id).ok_or_else(|| ParameterError::UnknownStrategy(id.to_string()))
    }
}

impl Snapshot {
    /// Whether anything is stored at this level, readable or not.
    fn has(&self, key: &ConfigKey) -> bool {
        self.stored.readable.contains_key(key) || self.stored.unreadable.contains_key(key)
    }

    /// Why the parameters that count at this level can't be known, if so. Running with what can be read would be
    /// running with parameters that nobody has set.
    fn problem(&self, key: &ConfigKey) -> Option<String> {
        let global = ConfigKey { symbol: None, ..key.clone() };
        let problem = [key, &global].into_iter().find_map(|key| self.stored.unreadable.get(key))?;
        Some(format!("what is stored can't be read: {problem}"))
    }

    /// Whether the strategy runs at this level.
    fn switch(&self, key: &ConfigKey) -> Switch {
        let stored = |key: &ConfigKey| self.stored.readable.get(key).and_then(StoredConfig::switch);
        let of_symbol = key.symbol.as_ref().and_then(|_| stored(key));
        Switch::resolve(stored(&ConfigKey { symbol: None, ..key.clone() }), of_symbol)
    }

    /// The stored levels, read by `schema`. What a newer module no longer accepts counts as not stored.
    fn levels(&self, schema: &ParameterSchema, strategy: &StrategyId, symbol: Option<&Symbol>) -> ParameterLevels {
        let level = |symbol: Option<Symbol>| {
            let stored = self.stored.readable.get(&ConfigKey { strategy: strategy.clone(), symbol })?;
            let (parameters, problems) = schema.read_what_fits(&stored.parameters);
            if !problems.is_empty() {
                tracing::warn!(strategy.id = %strategy, ?problems, "stored parameters no longer fit and are left out");
            }
            Some((parameters, stored.version))
        };
        ParameterLevels { global: level(None), symbol: symbol.and_then(|symbol| level(Some(symbol.clone()))) }
    }
}

#[cfg(test)]
mod tests;
