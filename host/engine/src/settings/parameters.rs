//! Strategies' parameters: read by every evaluation, written by operators.
//!
//! Evaluations read a snapshot of everything that is stored, which a `Book` holds.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use async_trait::async_trait;
use ta_bot_core::{
    EvaluationError, LevelsOfLog, ModuleDigest, ParameterProblem, ResolvedParameters, StrategyId, Switch, SwitchState,
    Switches, Symbol, Timestamp,
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

mod deployed;
mod judged;
mod levels;
mod misfit;
mod validate;
mod write;

pub use judged::{Judged, JudgedLevel, Meaning};
pub use misfit::Misfit;
pub use write::{Change, Merge};

use levels::Levels;
use write::Wanted;

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

/// What resolved parameters follow from, beside what is stored: the module's schema, the level, and the part of the log
/// of deployments that makes something of it.
type ResolutionKey = (ModuleDigest, ConfigKey, (i64, i64));

/// Everything that is stored, at one moment.
#[derive(Default)]
struct Snapshot {
    stored: StoredLevels,
    /// The parameters resolved from the levels, for each symbol that has an override and for all other symbols
    /// together.
    resolved: RwLock<HashMap<ResolutionKey, Resolution>>,
}

/// The parameters of an evaluation, and why the strategy can't be evaluated with them, if so. A write is refused if it
/// does not pass the strategy's check, but what was stored for an older module may not fit a newer one, and others may
/// write into the store as well. No strategy is ever evaluated with a part of what is stored, or with what it refused.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The parameters.
    pub parameters: Arc<ResolvedParameters>,
    /// Why the strategy is not evaluated.
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

    /// The parameters with which `module` evaluates `symbol` now, on candles for which the log of deployments makes
    /// `log` of the strategy's levels. The first time that they count, the strategy is asked whether it accepts them,
    /// so this may run a guest.
    pub fn resolve(&self, module: &StrategyModule, symbol: &Symbol, log: &LevelsOfLog<'_>) -> Resolution {
        let snapshot = self.book.current();
        let levels = Levels::new(&snapshot.stored, &module.description().id, log);
        // Symbols without an override have the same parameters, so a thousand of them need one check.
        let level = levels.has(Some(symbol)).then_some(symbol);
        snapshot.resolve(module, &levels, level, log.span())
    }

    /// The parameters that count for a strategy, for all symbols or for one, with the stored level if there is one. If
    /// some of what is stored does [not fit](Self::misfits), these are the parameters without it, and the strategy is
    /// not evaluated with them.
    pub fn read(&self, key: &ConfigKey) -> Result<(ResolvedParameters, Option<StoredConfig>), ParameterError> {
        let module = self.module(&key.strategy)?;
        let schema = &module.description().schema;
        self.known()?;
        let snapshot = self.book.current();
        let log = self.registry.log();
        let log = log.newest_levels(&key.strategy);
        let levels = Levels::new(&snapshot.stored, &key.strategy, &log);
        let symbol = key.symbol.as_ref();
        if let Some(problem) = [symbol, None].into_iter().find_map(|symbol| levels.unreadable(symbol)) {
            let reason = format!("what is stored can't be read: {problem}");
            return Err(StoreError::Corrupt { store: self.store_name(), reason }.into());
        }
        let resolved = ResolvedParameters::resolve(schema, &levels.fitting(schema, symbol));
        Ok((resolved, self.level(key, snapshot.stored.readable.get(key))))
    }

    /// What is stored at a level, with what a deployment brought to it in place of older parameters.
    fn level(&self, key: &ConfigKey, stored: Option<&StoredConfig>) -> Option<StoredConfig> {
        let Some(deployed) = self.unsettled(key, stored) else { return stored.cloned() };
        let parameters = Wanted::beside(deployed, stored).level()?;
        let log = self.registry.log();
        let change = &log.newest(&key.strategy)?.change;
        let (version, created_at, created_by) = match stored {
            Some(stored) => (stored.version, stored.created_at, &stored.created_by),
            None => (0, change.at, &change.changed_by),
        };
        Some(StoredConfig { parameters, version, created_at, updated_at: change.at, created_by: created_by.clone() })
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
        let log = self.registry.log();
        let log = log.newest_levels(strategy);
        let symbols = Levels::new(&snapshot.stored, strategy, &log).symbols();
        (symbols.contains(&None), symbols.into_iter().flatten().cloned().collect())
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
    /// The parameters of a level, and whether the strategy takes them.
    fn resolve(
        &self,
        module: &StrategyModule,
        levels: &Levels<'_>,
        level: Option<&Symbol>,
        span: (i64, i64),
    ) -> Resolution {
        let schema = &module.description().schema;
        let key = (module.digest(), levels.key(level), span);
        if let Some(resolved) = self.resolved.read().ok().and_then(|known| known.get(&key).cloned()) {
            return resolved;
        }
        let parameters = ResolvedParameters::resolve(schema, &levels.fitting(schema, level));
        let refused = match levels.misfit(schema, level) {
            Some(misfit) => Some(EvaluationError::InvalidParameters(misfit.to_string())),
            None => module.check(&parameters.values).err(),
        };
        let resolution = Resolution { parameters: Arc::new(parameters), refused };
        // A refusal is an answer and is kept; a failure to ask the strategy is not.
        let known = matches!(resolution.refused, None | Some(EvaluationError::InvalidParameters(_)));
        if let Ok(mut resolved) = self.resolved.write()
            && known
        {
            resolved.insert(key, resolution.clone());
        }
        resolution
    }

    /// Whether the strategy runs at this level.
    fn switch(&self, key: &ConfigKey) -> Switch {
        let stored = |key: &ConfigKey| self.stored.readable.get(key).and_then(StoredConfig::switch);
        let of_symbol = key.symbol.as_ref().and_then(|_| stored(key));
        Switch::resolve(stored(&ConfigKey { symbol: None, ..key.clone() }), of_symbol)
    }
}

#[cfg(test)]
mod tests;
