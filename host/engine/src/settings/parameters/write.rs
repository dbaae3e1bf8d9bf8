//! How operators change parameters.

use std::sync::Arc;

use serde_json::{Map, Value as Json};
use ta_bot_core::{ENABLED, LevelParameters, split_switch};
use ta_bot_wasm::StrategyModule;

use super::{ParameterBook, ParameterError};
use crate::{
    settings::config_store::{AuditEntry, Author, ConfigKey, StoredConfig},
    support::store_error::{StoreError, WriteError},
};

/// How far back the last change of a deleted level is searched for, in entries of the strategy's history.
const LAST_CHANGES: u32 = 1000;
/// How often an unconditional write begins again because another writer was first.
const TRIES: u32 = 20;

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
    /// What the level is to hold.
    pub parameters: Map<String, Json>,
    /// How the change treats what is stored.
    pub merge: Merge,
    /// Write only if this version is stored (0: nothing is stored).
    pub expected: Option<i64>,
    /// Check only; store nothing.
    pub validate_only: bool,
    /// Who makes the change, and why.
    pub author: Author,
}

/// What a level is to hold.
pub(super) struct Wanted {
    /// The strategy's parameters; `None` if the level names none.
    parameters: LevelParameters,
    /// The host's own parameter, if the level names it.
    switch: Option<Json>,
}

impl Change {
    /// Whether only the host's own parameter is given. Then everything else stays as it is stored, and is not judged:
    /// a strategy can be paused whatever state its parameters are in, and without asking it.
    pub fn names_only_the_switch(&self) -> bool {
        self.parameters.len() == 1 && self.parameters.contains_key(ENABLED)
    }

    /// What the level holds after this change. If the change does not name the host's own parameter, that stays as it
    /// is stored: a paused strategy must not run because somebody sets its parameters.
    fn over(&self, stored: Map<String, Json>) -> Wanted {
        let (stored, stored_switch) = split_switch(stored);
        let (given, given_switch) = split_switch(self.parameters.clone());
        let switch = match given_switch {
            Some(Json::Null) if self.merge == Merge::Patch => None,
            Some(given) => Some(given),
            None => stored_switch,
        };
        let parameters = match self.merge {
            Merge::Replace if self.names_only_the_switch() => stored,
            Merge::Replace => given,
            Merge::Patch => patched(stored, given),
        };
        Wanted { parameters: Some(parameters), switch }
    }

    /// What of the change has to be checked: what the level holds after it, without a stored switch that the change
    /// does not name.
    fn to_check(&self, wanted: &Wanted) -> Map<String, Json> {
        let mut checked =
            if self.names_only_the_switch() { Map::new() } else { wanted.parameters.clone().unwrap_or_default() };
        if self.parameters.contains_key(ENABLED)
            && let Some(given) = &wanted.switch
        {
            checked.insert(ENABLED.to_owned(), given.clone());
        }
        checked
    }
}

impl Wanted {
    /// These parameters, with the switch as it is stored.
    pub(super) fn beside(parameters: LevelParameters, stored: Option<&StoredConfig>) -> Self {
        Self { parameters, switch: stored.and_then(StoredConfig::switch).cloned() }
    }

    /// Everything that the level holds; `None` if there is nothing to hold.
    pub(super) fn level(self) -> Option<Map<String, Json>> {
        let Some(switch) = self.switch else { return self.parameters };
        let mut level = self.parameters.unwrap_or_default();
        level.insert(ENABLED.to_owned(), switch);
        Some(level)
    }
}

impl ParameterBook {
    /// Checks a configuration and stores it. Returns what was done; `None` if the change was only to be checked.
    ///
    /// What is stored is compared with what was read, so that nothing that happens meanwhile is undone. Without a
    /// condition a replacement begins again then; a patch is refused.
    pub async fn change(&self, change: Change) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&change.key.strategy)?;
        let again = change.expected.is_none() && (change.merge == Merge::Replace || change.names_only_the_switch());
        until_first(again, || self.change_once(&module, &change)).await
    }

    async fn change_once(
        &self,
        module: &Arc<StrategyModule>,
        change: &Change,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let stored = self.book.store().get(&change.key).await?;
        let version = version_of(stored.as_ref());
        let held = Wanted::beside(self.held(&change.key, stored.as_ref()), stored.as_ref()).level();
        let wanted = change.over(held.unwrap_or_default());
        let checked = change.to_check(&wanted);
        if change.names_only_the_switch() {
            module.description().schema.read(&checked).map_err(ParameterError::Invalid)?;
        } else {
            self.validate(module, &change.key, Some(&checked)).await?;
        }
        if change.validate_only {
            return Ok(None);
        }
        let level = wanted.level();
        self.write(&change.key, level.as_ref(), version, change.expected, &change.author).await
    }

    /// Removes the parameters of a level. The host's own parameter stays. Returns `None` if there was nothing to
    /// remove.
    pub async fn delete(
        &self,
        key: &ConfigKey,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        // What is left must be valid as well: another level may only have been possible beside this one.
        self.validate(&module, key, None).await?;
        until_first(expected.is_none(), || self.delete_once(key, expected, author)).await
    }

    async fn delete_once(
        &self,
        key: &ConfigKey,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let stored = self.book.store().get(key).await?;
        let version = version_of(stored.as_ref());
        let left = Wanted::beside(self.nothing(key), stored.as_ref()).level();
        if stored.is_some_and(|stored| Some(stored.parameters) == left) {
            agree(expected, version)?;
            return Ok(None);
        }
        self.write(key, left.as_ref(), version, expected, author).await
    }

    /// Stores again the parameters that a level held at version `target`, or before their last change if `target` is
    /// `None`. The host's own parameter stays: going back to earlier parameters neither pauses a strategy nor ends its
    /// pause.
    pub async fn roll_back(
        &self,
        key: &ConfigKey,
        target: Option<i64>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        let stored = self.book.store().get(key).await?;
        let version = version_of(stored.as_ref());
        let wanted = match target {
            Some(0) => None,
            Some(earlier) => {
                let entry = self.book.store().at_version(key, earlier).await?;
                parameters_of(entry.ok_or(ParameterError::UnknownVersion(earlier))?.new)
            }
            None if self.unsettled(key, stored.as_ref()).is_some() => {
                parameters_of(stored.as_ref().map(|stored| Json::Object(stored.parameters.clone())))
            }
            None => self.before_last_change(key, version).await?,
        };
        self.validate(&module, key, wanted.as_ref()).await?;
        let level = Wanted::beside(wanted.or_else(|| self.nothing(key)), stored.as_ref()).level();
        // Two operators who roll back at once must not undo each other's step without knowing.
        self.write(key, level.as_ref(), version, expected, author).await
    }

    /// Writes a level that was made of what is stored in `version`, if that is still stored and is what the caller
    /// expects.
    async fn write(
        &self,
        key: &ConfigKey,
        level: Option<&Map<String, Json>>,
        version: i64,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        agree(expected, version)?;
        let entry = self.book.store().write(key, level, Some(version), author).await?;
        self.book.follow().await;
        Ok(entry)
    }

    /// The parameters of a level before they were last changed. A change of the host's own parameter alone is no change
    /// of parameters.
    async fn before_last_change(
        &self,
        key: &ConfigKey,
        stored: i64,
    ) -> Result<Option<Map<String, Json>>, ParameterError> {
        let mut entry = self.last_entry(key, stored).await?;
        for _ in 0..LAST_CHANGES {
            let Some(AuditEntry { old, new, version, .. }) = entry else { break };
            let is_the_same = old == new;
            let (before, after) = (parameters_of(old), parameters_of(new));
            if is_the_same || before != after {
                return Ok(before);
            }
            entry = self.book.store().at_version(key, version - 1).await?;
        }
        Err(ParameterError::UnknownVersion(0))
    }

    /// The newest entry of a level's history. If nothing is stored, that entry is a deletion, which only the history
    /// knows.
    pub(super) async fn last_entry(&self, key: &ConfigKey, stored: i64) -> Result<Option<AuditEntry>, StoreError> {
        if stored > 0 {
            return self.book.store().at_version(key, stored).await;
        }
        let history = self.book.store().audit(&key.strategy, key.symbol.as_ref(), LAST_CHANGES).await?;
        Ok(history.into_iter().find(|entry| entry.key.as_ref() == Some(key)))
    }
}

/// Writes, and begins again if another writer was first and that is allowed.
async fn until_first<T, Written>(again: bool, write: impl Fn() -> Written) -> Result<T, ParameterError>
where
    Written: Future<Output = Result<T, ParameterError>>,
{
    let mut tries = 1;
    loop {
        match write().await {
            Err(ParameterError::Write(WriteError::Conflict { .. })) if again && tries < TRIES => tries += 1,
            done => return done,
        }
    }
}

/// The version of what is stored; 0 if nothing is.
pub(super) fn version_of(stored: Option<&StoredConfig>) -> i64 {
    stored.map_or(0, |stored| stored.version)
}

/// Refuses a write whose caller expects another version than the stored one.
fn agree(expected: Option<i64>, current: i64) -> Result<(), WriteError> {
    match expected.filter(|expected| *expected != current) {
        Some(expected) => Err(WriteError::Conflict { expected, current }),
        None => Ok(()),
    }
}

/// The strategy's parameters of a level in a history. A level that held nothing but the host's own parameter counts as
/// one that did not exist.
pub(super) fn parameters_of(level: Option<Json>) -> Option<Map<String, Json>> {
    let Some(Json::Object(level)) = level else { return None };
    match split_switch(level) {
        (parameters, Some(_)) if parameters.is_empty() => None,
        (parameters, _) => Some(parameters),
    }
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
