//! What another service left in a store that it shared with this one, and how it is put back.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::{AuditEntry, ConfigKey, StoredConfig};

/// What an older service left and does not count here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Leftovers {
    /// The defaults that it stored by itself. They count as not stored.
    pub defaults: BTreeMap<ConfigKey, StoredConfig>,
    /// The fields of the document of application settings as they are stored, with those that mean nothing here.
    pub settings: Option<Map<String, Json>>,
}

/// A level that was changed here, and held a document of an older service before.
#[derive(Debug, Clone, PartialEq)]
pub struct Replaced {
    /// Which level.
    pub key: ConfigKey,
    /// The collection that holds its document.
    pub collection: &'static str,
    /// The newest change of it.
    pub change: AuditEntry,
    /// The document as it was before the first change, in MongoDB's extended JSON. `None` if a version changed it that
    /// did not keep the document; then the history has only its parameters.
    pub document: Option<Json>,
    /// The parameters of that document.
    pub parameters: Option<Json>,
}
