//! The store of operators' settings: parameters for each strategy, and the application's own settings.
//!
//! Every change has a version and an audit entry, written in the same transaction. A write can be made conditional on
//! the version that the writer has seen.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, ENABLED, StrategyId, Symbol, Timestamp};

use crate::support::store_error::{StoreError, WriteError};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
mod older;

pub use older::{Leftovers, Replaced};

/// What is stored for a strategy at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredConfig {
    /// The parameters that this level names, the host's own among them.
    pub parameters: Map<String, Json>,
    /// Grows with each change, deletions included, and is never used twice.
    pub version: i64,
    /// When the level was first stored.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Who first stored it.
    pub created_by: String,
}

impl StoredConfig {
    /// What this level says about running: the host's own parameter among the stored ones.
    pub fn switch(&self) -> Option<&Json> {
        self.parameters.get(ENABLED)
    }
}

/// Every stored level, at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredLevels {
    /// The levels that can be read.
    pub readable: HashMap<ConfigKey, StoredConfig>,
    /// The levels that can't be read, with what is wrong and what to do. Their strategies must not run as if nothing
    /// were stored there.
    pub unreadable: BTreeMap<ConfigKey, String>,
}

/// A level: the global one of a strategy, or that of one symbol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConfigKey {
    /// The strategy that the parameters are for.
    pub strategy: StrategyId,
    /// The symbol that the parameters are for; `None` means all symbols.
    pub symbol: Option<Symbol>,
}

/// How long the name of a person or program that changes something may be, in characters.
pub const MAX_NAME: usize = 200;
/// How long the reason for a change may be, in characters.
pub const MAX_REASON: usize = 2000;

/// Who changes something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who changes it.
    pub changed_by: String,
    /// Whom the request names as its author, if it was sent with the token of somebody else.
    pub claimed_by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the names say it")]
pub enum ChangeAction {
    Create,
    Update,
    Delete,
}

/// One line of a level's history.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Which level; `None` for the application's settings.
    pub key: Option<ConfigKey>,
    /// What was done.
    pub action: ChangeAction,
    /// What was stored before.
    pub old: Option<Json>,
    /// What has been stored since.
    pub new: Option<Json>,
    /// The version that the change made.
    pub version: i64,
    /// Who, when and why.
    pub author: Author,
}

/// The application's settings with their version.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredSettings {
    /// The settings.
    pub settings: ApplicationSettings,
    /// Grows with each change.
    pub version: i64,
    /// When they last changed.
    pub updated_at: Timestamp,
}

/// A store of settings.
#[async_trait]
pub trait ConfigStore: Send + Sync {
    /// The name that signals give as the source of their parameters.
    fn name(&self) -> &'static str;

    /// Every stored level. A level that can't be read does not keep the others out, and what can't be a level of any
    /// strategy here is left out: other services may share the store.
    async fn all(&self) -> Result<StoredLevels, StoreError>;

    /// One level. One whose document does not count, see [`leftovers`](Self::leftovers), holds nothing, in the version
    /// that the document has.
    async fn get(&self, key: &ConfigKey) -> Result<Option<StoredConfig>, StoreError>;

    /// Replaces a level, or deletes it if `parameters` is `None`, and writes the audit entry, in one transaction. If
    /// `expected` is given, this happens only if that version is stored (0: nothing is stored). Deleting what is not
    /// there changes nothing and returns `None`.
    async fn write(
        &self,
        key: &ConfigKey,
        parameters: Option<&Map<String, Json>>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, WriteError>;

    /// The history of a strategy, newest first: of one symbol's level if `symbol` is given, otherwise of all its
    /// levels.
    async fn audit(
        &self,
        strategy: &StrategyId,
        symbol: Option<&Symbol>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// The entry of one level's history that made `version`.
    async fn at_version(&self, key: &ConfigKey, version: i64) -> Result<Option<AuditEntry>, StoreError>;

    /// The application's settings; `None` until somebody changes them.
    async fn settings(&self) -> Result<Option<StoredSettings>, StoreError>;

    /// Replaces the application's settings, with audit entry and condition as for a level.
    async fn write_settings(
        &self,
        settings: &ApplicationSettings,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<AuditEntry, WriteError>;

    /// The history of the application's settings, newest first.
    async fn settings_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError>;

    /// The entry of the settings' history that made `version`.
    async fn settings_at_version(&self, version: i64) -> Result<Option<AuditEntry>, StoreError>;

    /// What an older service left here and does not count. Only a store that services share has any.
    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        Ok(Leftovers::default())
    }

    /// The levels that were changed here and held a document of an older service before. A level that the older service
    /// has changed since is none of them.
    async fn replaced(&self) -> Result<Vec<Replaced>, StoreError> {
        Ok(Vec::new())
    }

    /// Makes the document of a level again what it was before it was changed here, its version included, and writes the
    /// audit entry, in one transaction. This happens only if the level is still as `replaced` says. Returns `None` if
    /// the document was not kept.
    async fn put_back(&self, _replaced: &Replaced, _author: &Author) -> Result<Option<AuditEntry>, WriteError> {
        Ok(None)
    }

    /// Checks that the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
