//! Strategies' parameters: read by every evaluation, written by operators.
//!
//! Evaluations read a snapshot of everything that is stored, so that a candle costs no query and a store that is away
//! stops nobody. A write goes to the store first; the snapshot follows, here at once and on other replicas by notice
//! or by the cache's time to live.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use arc_swap::ArcSwap;
use serde_json::{Map, Value as Json};
use ta_bot_core::{
    EvaluationError, ModuleDigest, ParameterLevels, ParameterProblem, ParameterSchema, Parameters, ResolvedParameters,
    StrategyId, Symbol, Timestamp,
};
use ta_bot_wasm::StrategyModule;
use thiserror::Error;

use crate::{
    config::{AuditEntry, Author, ConfigKey, ConfigStore, StoredConfig},
    freshness::Freshness,
    last_known::LastKnown,
    registry::Registry,
    store::{StoreError, WriteError},
};

/// How far back the last change of a deleted level is looked for, in entries of the strategy's history.
const LAST_CHANGES: u32 = 1000;

/// Why a configuration is not taken.
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

/// How a write treats what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// The level becomes what is given.
    Replace,
    /// What is given is laid over the level; null unsets a parameter.
    Patch,
}

/// A configuration that an operator gives.
#[derive(Debug, Clone)]
pub struct Change {
    /// Which level.
    pub key: ConfigKey,
    /// What it is to hold.
    pub parameters: Map<String, Json>,
    /// How it treats what is stored.
    pub merge: Merge,
    /// Only if this version is stored (0: nothing is).
    pub expected: Option<i64>,
    /// Check only; store nothing.
    pub validate_only: bool,
    /// Who and why.
    pub author: Author,
}

/// Everything that is stored, at one moment.
#[derive(Default)]
struct Snapshot {
    levels: HashMap<ConfigKey, StoredConfig>,
    /// What was resolved of it, for a symbol that has an override and for all others. Resolving needs the module's schema, so
    /// the module is part of the key.
    resolved: RwLock<HashMap<(ModuleDigest, ConfigKey), Resolution>>,
}

/// The parameters of an evaluation, and why the strategy refuses them, if it does. A write is refused when it does not pass
/// the strategy's check, but what was stored for an older module may not pass a newer one's; no strategy is ever
/// evaluated with parameters that it refused.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// The parameters.
    pub parameters: Arc<ResolvedParameters>,
    /// Why the strategy refuses them.
    pub refused: Option<EvaluationError>,
}

/// The parameters of every strategy.
pub struct ParameterBook {
    store: Arc<dyn ConfigStore>,
    registry: Arc<Registry>,
    snapshot: ArcSwap<Snapshot>,
    /// Only one asks a strategy about parameters at a time.
    checking: tokio::sync::Mutex<()>,
    /// Only one reads at a time, so that what was read first can't replace what was read later.
    refreshing: tokio::sync::Mutex<()>,
    state: Freshness,
    /// Where what was read is kept for a restart; none where the store is embedded, and as near as the file.
    last_known: Option<Arc<LastKnown>>,
}

/// What was stored at one moment.
#[derive(Clone)]
pub struct Edition(Arc<Snapshot>);

impl ParameterBook {
    /// A book on `store`, empty until it is refreshed.
    pub fn new(store: Arc<dyn ConfigStore>, registry: Arc<Registry>) -> Self {
        let (snapshot, refreshing) = (ArcSwap::default(), tokio::sync::Mutex::default());
        let checking = tokio::sync::Mutex::default();
        Self { store, registry, snapshot, checking, refreshing, state: Freshness::default(), last_known: None }
    }

    /// The same book, which keeps what it reads in a file and takes it from there at a start without the store.
    #[must_use]
    pub fn with_last_known(self, file: Arc<LastKnown>) -> Self {
        Self { last_known: Some(file), ..self }
    }

    /// The name of the store, as signals give it.
    pub fn store_name(&self) -> &'static str {
        self.store.name()
    }

    /// Takes a new snapshot from the store. Where the store is away the last one stays in use; the first time it is that
    /// of the file, if there is one.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.refreshing.lock().await;
        let levels = match self.store.all().await {
            Ok(levels) => levels.into_iter().collect(),
            Err(error) => {
                self.take_last_known().await;
                self.state.failed(Timestamp::now());
                return Err(error);
            }
        };
        self.take(levels);
        self.state.succeeded();
        if let Some(file) = &self.last_known {
            file.keep_parameters(&self.snapshot.load().levels).await;
        }
        Ok(())
    }

    /// What was resolved stays, unless something has changed.
    fn take(&self, levels: HashMap<ConfigKey, StoredConfig>) {
        if self.snapshot.load().levels != levels {
            self.snapshot.store(Arc::new(Snapshot { levels, resolved: RwLock::default() }));
        }
    }

    async fn take_last_known(&self) {
        let (false, Some(file)) = (self.state.is_known(), &self.last_known) else { return };
        if let Some(read) = file.parameters().await {
            tracing::warn!(read_at = %read.at, "the store of parameters is away; the last known ones are in use");
            self.take(read.what);
            self.state.taken_over(read.at);
        }
    }

    /// An error while the parameters were never read, neither from the store nor from the file: the modules' defaults may
    /// be wrong ones, which are worse than none.
    pub fn known(&self) -> Result<(), StoreError> {
        self.state.known(self.store.name())
    }

    /// Since when the snapshot may be older than what is stored, if the last try to read it failed.
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.state.stale_since()
    }

    /// Lets the snapshot follow a write that has happened. Where that fails the write has happened all the same, and the
    /// snapshot follows by the cache's time to live.
    async fn follow(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "parameters were written but could not be read again yet");
        }
    }

    /// What is in use now, to be asked later whether it [still is](Self::is_current).
    pub fn edition(&self) -> Edition {
        Edition(self.snapshot.load_full())
    }

    /// Whether nothing was changed since.
    pub fn is_current(&self, edition: &Edition) -> bool {
        Arc::ptr_eq(&self.snapshot.load(), &edition.0)
    }

    /// The parameters with which `module` looks at `symbol` now. The first time that they count the strategy is asked
    /// whether it takes them, so this may run a guest.
    pub fn resolve(&self, module: &StrategyModule, symbol: &Symbol) -> Resolution {
        let id = &module.description().id;
        let snapshot = self.snapshot.load();
        let mut level = ConfigKey { strategy: id.clone(), symbol: Some(symbol.clone()) };
        // Symbols without an override have the same parameters: a thousand of them are one question.
        if !snapshot.levels.contains_key(&level) {
            level.symbol = None;
        }
        let key = (module.digest(), level);
        if let Some(resolved) = snapshot.resolved.read().ok().and_then(|known| known.get(&key).cloned()) {
            return resolved;
        }
        let schema = &module.description().schema;
        let parameters = ResolvedParameters::resolve(schema, &snapshot.levels(schema, id, key.1.symbol.as_ref()));
        let refused = module.check(&parameters.values).err();
        let resolution = Resolution { parameters: Arc::new(parameters), refused };
        // A refusal is an answer to be kept; that the strategy could not be asked is not.
        let known = matches!(resolution.refused, None | Some(EvaluationError::InvalidParameters(_)));
        if let Ok(mut resolved) = snapshot.resolved.write()
            && known
        {
            resolved.insert(key, resolution.clone());
        }
        resolution
    }

    /// What counts for a strategy, for all symbols or for one, with the stored level if there is one.
    pub fn read(&self, key: &ConfigKey) -> Result<(ResolvedParameters, Option<StoredConfig>), ParameterError> {
        let module = self.module(&key.strategy)?;
        self.known()?;
        let snapshot = self.snapshot.load();
        let schema = &module.description().schema;
        let levels = snapshot.levels(schema, &key.strategy, key.symbol.as_ref());
        Ok((ResolvedParameters::resolve(schema, &levels), snapshot.levels.get(key).cloned()))
    }

    /// The symbols for which a level of `strategy` is stored, and whether a global one is.
    pub fn stored_levels(&self, strategy: &StrategyId) -> (bool, Vec<Symbol>) {
        let snapshot = self.snapshot.load();
        let keys = || snapshot.levels.keys().filter(|key| &key.strategy == strategy);
        let mut symbols: Vec<Symbol> = keys().filter_map(|key| key.symbol.clone()).collect();
        symbols.sort();
        (keys().any(|key| key.symbol.is_none()), symbols)
    }

    /// Checks a configuration and stores it. Answers what was done; none where it was to be checked only.
    pub async fn change(&self, change: Change) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&change.key.strategy)?;
        let stored = self.store.get(&change.key).await?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let mut wanted = change.parameters;
        if change.merge == Merge::Patch {
            wanted = patched(stored.map(|stored| stored.parameters).unwrap_or_default(), wanted);
        }
        self.validate(&module, &change.key, Some(&wanted)).await?;
        if change.validate_only {
            return Ok(None);
        }
        // A patch was checked against what was stored a moment ago, so it is written only if that still holds.
        let expected = change.expected.or((change.merge == Merge::Patch).then_some(version));
        let entry = self.store.write(&change.key, Some(&wanted), expected, &change.author).await?;
        self.follow().await;
        Ok(entry)
    }

    /// Removes a level. Answers none where there was none.
    pub async fn delete(
        &self,
        key: &ConfigKey,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        // What is left must fit as well: another level may only have been possible beside this one.
        self.validate(&module, key, None).await?;
        let entry = self.store.write(key, None, expected, author).await?;
        self.follow().await;
        Ok(entry)
    }

    /// Stores again what a level held at `target`, or before its last change where none is given.
    pub async fn roll_back(
        &self,
        key: &ConfigKey,
        target: Option<i64>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        let stored = self.store.get(key).await?.map_or(0, |stored| stored.version);
        let wanted = match target {
            Some(0) => None,
            Some(version) => {
                let entry = self.store.at_version(key, version).await?;
                entry.ok_or(ParameterError::UnknownVersion(version))?.new
            }
            None => self.last_change(key, stored).await?.ok_or(ParameterError::UnknownVersion(0))?.old,
        };
        let wanted = wanted.and_then(|json| json.as_object().cloned());
        self.validate(&module, key, wanted.as_ref()).await?;
        // Two who go back at once must not undo each other's step without knowing.
        let entry = self.store.write(key, wanted.as_ref(), Some(expected.unwrap_or(stored)), author).await?;
        self.follow().await;
        Ok(entry)
    }

    /// The newest entry of a level's history. Where nothing is stored it is a deletion, which only the history knows.
    async fn last_change(&self, key: &ConfigKey, stored: i64) -> Result<Option<AuditEntry>, StoreError> {
        if stored > 0 {
            return self.store.at_version(key, stored).await;
        }
        let history = self.store.audit(&key.strategy, key.symbol.as_ref(), LAST_CHANGES).await?;
        Ok(history.into_iter().find(|entry| entry.key.as_ref() == Some(key)))
    }

    /// The history of a strategy's levels, newest first.
    pub async fn audit(
        &self,
        strategy: &StrategyId,
        symbol: Option<&Symbol>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, ParameterError> {
        self.module(strategy)?;
        Ok(self.store.audit(strategy, symbol, limit).await?)
    }

    fn module(&self, id: &StrategyId) -> Result<Arc<StrategyModule>, ParameterError> {
        self.registry.get(id).ok_or_else(|| ParameterError::UnknownStrategy(id.to_string()))
    }

    /// Checks a level (none: its removal) as it would count: alone by the schema, and with what it inherits by the strategy
    /// itself. A global level must also fit under every symbol's override.
    async fn validate(
        &self,
        module: &Arc<StrategyModule>,
        key: &ConfigKey,
        wanted: Option<&Map<String, Json>>,
    ) -> Result<(), ParameterError> {
        let schema = &module.description().schema;
        let wanted = wanted.map(|wanted| schema.read(wanted)).transpose().map_err(ParameterError::Invalid)?;
        let snapshot = self.snapshot.load_full();
        let mut cases =
            vec![with_level(snapshot.levels(schema, &key.strategy, key.symbol.as_ref()), key, wanted.as_ref())];
        if key.symbol.is_none() {
            let (_, symbols) = self.stored_levels(&key.strategy);
            let under = symbols.iter().map(|symbol| snapshot.levels(schema, &key.strategy, Some(symbol)));
            cases.extend(under.map(|levels| with_level(levels, key, wanted.as_ref())));
        }
        self.ask(module, cases).await
    }

    /// Whether a module takes everything that is stored for its strategy, so that it can take the place of another one. A
    /// problem of a symbol's level names the symbol before the parameter.
    pub async fn fits(&self, module: &Arc<StrategyModule>) -> Result<(), ParameterError> {
        let (id, schema) = (&module.description().id, &module.description().schema);
        let snapshot = self.snapshot.load_full();
        let mut stored: Vec<_> = snapshot.levels.iter().filter(|(key, _)| key.strategy == *id).collect();
        stored.sort_by_key(|(key, _)| *key);
        let misfits = stored.iter().flat_map(|(key, level)| {
            let problems = schema.read(&level.parameters).err().unwrap_or_default();
            problems.into_iter().map(|problem| match &key.symbol {
                Some(symbol) => ParameterProblem { parameter: format!("{symbol} {}", problem.parameter), ..problem },
                None => problem,
            })
        });
        let misfits: Vec<ParameterProblem> = misfits.collect();
        if !misfits.is_empty() {
            return Err(ParameterError::Invalid(misfits));
        }
        let symbols = stored.iter().map(|(key, _)| key.symbol.as_ref()).chain([None]);
        let cases = symbols.map(|symbol| snapshot.levels(schema, id, symbol)).collect();
        self.ask(module, cases).await
    }

    /// Asks the strategy about parameters as they would count.
    async fn ask(&self, module: &Arc<StrategyModule>, cases: Vec<ParameterLevels>) -> Result<(), ParameterError> {
        let schema = &module.description().schema;
        let resolved: Vec<Parameters> =
            cases.iter().map(|levels| ResolvedParameters::resolve(schema, levels).values).collect();
        let module = Arc::clone(module);
        // One at a time: each check takes an instance of the pool that evaluations need.
        let _turn = self.checking.lock().await;
        let checked = tokio::task::spawn_blocking(move || resolved.iter().try_for_each(|values| module.check(values)));
        match checked.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(EvaluationError::InvalidParameters(reason))) => Err(ParameterError::Refused(reason)),
            Ok(Err(error)) => Err(ParameterError::Unchecked(error)),
            Err(error) => Err(ParameterError::Unchecked(EvaluationError::Failed(error.to_string()))),
        }
    }
}

impl Snapshot {
    /// The stored levels, read by `schema`. What a newer module no longer takes counts as not stored.
    fn levels(&self, schema: &ParameterSchema, strategy: &StrategyId, symbol: Option<&Symbol>) -> ParameterLevels {
        let level = |symbol: Option<Symbol>| {
            let stored = self.levels.get(&ConfigKey { strategy: strategy.clone(), symbol })?;
            let (parameters, problems) = schema.read_what_fits(&stored.parameters);
            if !problems.is_empty() {
                tracing::warn!(strategy.id = %strategy, ?problems, "stored parameters no longer fit and are left out");
            }
            Some((parameters, stored.version))
        };
        ParameterLevels { global: level(None), symbol: symbol.and_then(|symbol| level(Some(symbol.clone()))) }
    }
}

/// `levels` with the level of `key` replaced.
fn with_level(mut levels: ParameterLevels, key: &ConfigKey, wanted: Option<&Parameters>) -> ParameterLevels {
    let level = if key.symbol.is_some() { &mut levels.symbol } else { &mut levels.global };
    *level = wanted.map(|wanted| (wanted.clone(), 0));
    levels
}

fn patched(mut stored: Map<String, Json>, patch: Map<String, Json>) -> Map<String, Json> {
    for (name, value) in patch {
        if value.is_null() {
            stored.remove(&name);
        } else {
            stored.insert(name, value);
        }
    }
    stored
}
