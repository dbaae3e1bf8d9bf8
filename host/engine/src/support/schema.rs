//! Which versions of TA Bot can work with a schema.
//!
//! During an upgrade, and after a way back from one, replicas of two versions share a database. So every change of a
//! schema says which version is the oldest that can work with the tables after it, and a version that meets a newer
//! schema asks for that alone.

use crate::support::store_error::StoreError;

/// A change of a schema, as the database records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaChange {
    /// The version of the schema after the change.
    pub version: i64,
    /// The oldest version that can work with the tables after it.
    pub oldest: i64,
}

impl SchemaChange {
    /// A change after which no older version can work.
    pub const fn breaking(version: i64) -> Self {
        Self { version, oldest: version }
    }
}

/// Fails if a TA Bot that knows the schema of `store` up to version `known` can't work with one that had these changes.
/// `instead` says what else an operator can do than run another version.
pub fn check(store: &'static str, known: i64, changes: &[SchemaChange], instead: &str) -> Result<(), StoreError> {
    let newer = changes.iter().filter(|change| change.version > known);
    let newest = newer.clone().map(|change| change.version).max();
    let needed = newer.map(|change| change.oldest).max();
    let (Some(newest), Some(needed)) = (newest, needed) else { return Ok(()) };
    if needed <= known {
        tracing::info!(store, schema = newest, known, "the schema is newer than this version, which can work with it");
        return Ok(());
    }
    let reason = format!(
        "its schema has version {newest}, which is newer than this version of TA Bot: it knows versions up to {known}, \
         and that schema needs one that knows version {needed}: run the version of TA Bot that made it or a newer one, \
         or {instead}"
    );
    Err(StoreError::Corrupt { store, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_works_with_its_own_schema_and_with_newer_ones_that_allow_it() {
        let change = |version, oldest| SchemaChange { version, oldest };
        let told = |known, changes: &[SchemaChange]| check("test", known, changes, "use another").err();
        assert!(told(7, &[]).is_none());
        assert!(told(7, &[SchemaChange::breaking(7), change(6, 1)]).is_none());
        assert!(told(7, &[change(8, 7), change(9, 5)]).is_none());
        let error = told(7, &[change(9, 7), change(8, 8)]).unwrap().to_string();
        for part in ["version 9, which is newer", "up to 7", "knows version 8", "use another"] {
            assert!(error.contains(part), "{error}");
        }
        assert!(told(8, &[change(9, 7), change(8, 8)]).is_none());
    }
}
