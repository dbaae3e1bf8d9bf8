//! How operators change parameters.

use serde_json::{Map, Value as Json};

use super::{ParameterBook, ParameterError};
use crate::{
    settings::config_store::{AuditEntry, Author, ConfigKey},
    support::store_error::StoreError,
};

/// How far back the last change of a deleted level is searched for, in entries of the strategy's history.
const LAST_CHANGES: u32 = 1000;

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

impl ParameterBook {
    /// Checks a configuration and stores it. Returns what was done; `None` if the change was only to be checked.
    pub async fn change(&self, change: Change) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&change.key.strategy)?;
        let stored = self.book.store().get(&change.key).await?;
        let version = stored.as_ref().map_or(0, |stored| stored.version);
        let mut wanted = change.parameters;
        if change.merge == Merge::Patch {
            wanted = patched(stored.map(|stored| stored.parameters).unwrap_or_default(), wanted);
        }
        self.validate(&module, &change.key, Some(&wanted)).await?;
        if change.validate_only {
            return Ok(None);
        }
        // A patch was checked against what was stored a moment ago, so it is written only if that is still stored.
        let expected = change.expected.or((change.merge == Merge::Patch).then_some(version));
        let entry = self.book.store().write(&change.key, Some(&wanted), expected, &change.author).await?;
        self.book.follow().await;
        Ok(entry)
    }

    /// Removes a level. Returns `None` if there was none.
    pub async fn delete(
        &self,
        key: &ConfigKey,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        // What is left must be valid as well: another level may only have been possible beside this one.
        self.validate(&module, key, None).await?;
        let entry = self.book.store().write(key, None, expected, author).await?;
        self.book.follow().await;
        Ok(entry)
    }

    /// Stores again what a level held at version `target`, or before its last change if `target` is `None`.
    pub async fn roll_back(
        &self,
        key: &ConfigKey,
        target: Option<i64>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, ParameterError> {
        let module = self.module(&key.strategy)?;
        let stored = self.book.store().get(key).await?.map_or(0, |stored| stored.version);
        let wanted = match target {
            Some(0) => None,
            Some(version) => {
                let entry = self.book.store().at_version(key, version).await?;
                entry.ok_or(ParameterError::UnknownVersion(version))?.new
            }
            None => self.last_change(key, stored).await?.ok_or(ParameterError::UnknownVersion(0))?.old,
        };
        let wanted = wanted.and_then(|json| json.as_object().cloned());
        self.validate(&module, key, wanted.as_ref()).await?;
        // Two operators who roll back at once must not undo each other's step without knowing.
        let entry = self.book.store().write(key, wanted.as_ref(), Some(expected.unwrap_or(stored)), author).await?;
        self.book.follow().await;
        Ok(entry)
    }

    /// The newest entry of a level's history. If nothing is stored, that entry is a deletion, which only the history
    /// knows.
    async fn last_change(&self, key: &ConfigKey, stored: i64) -> Result<Option<AuditEntry>, StoreError> {
        if stored > 0 {
            return self.book.store().at_version(key, stored).await;
        }
        let history = self.book.store().audit(&key.strategy, key.symbol.as_ref(), LAST_CHANGES).await?;
        Ok(history.into_iter().find(|entry| entry.key.as_ref() == Some(key)))
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
