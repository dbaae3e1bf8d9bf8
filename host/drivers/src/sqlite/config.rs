//! Settings in the embedded database.
//!
//! Each write reads what is stored, compares, writes and adds to the history in one transaction. The transaction holds
//! the right to write from its start, so that two writers can't both find the version that they expect.

use async_trait::async_trait;
use serde_json::{Map, Value as Json};
use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use ta_bot_core::{ApplicationSettings, StrategyId, Symbol};
use ta_bot_engine::{
    settings::config_store::{
        AuditEntry, Author, ChangeAction, ConfigKey, ConfigStore, StoredConfig, StoredLevels, StoredSettings,
    },
    support::store_error::{StoreError, WriteError},
};

use crate::sqlite::database::{Database, NAME, row};

mod audit;
mod settings;

/// The embedded store of settings.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    database: Database,
}

impl SqliteConfig {
    /// Settings in `database`.
    pub const fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl ConfigStore for SqliteConfig {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn all(&self) -> Result<StoredLevels, StoreError> {
        let all = async {
            let sql = "SELECT * FROM strategy_configs ORDER BY strategy_id, symbol";
            let rows = sqlx::query(sql).fetch_all(self.database.readers()).await?;
            let mut levels = StoredLevels::default();
            for found in &rows {
                let Ok(key) = key(found) else { continue };
                match stored(found) {
                    Ok(stored) => drop(levels.readable.insert(key, stored)),
                    Err(problem) => {
                        let reason = format!("{problem}: set the parameters of this level again, or delete it");
                        levels.unreadable.insert(key, reason);
                    }
                }
            }
            Ok(levels)
        };
        self.database.read(all).await
    }

    async fn get(&self, key: &ConfigKey) -> Result<Option<StoredConfig>, StoreError> {
        let one = async {
            let mut connection = self.database.readers().acquire().await?;
            current(&mut connection, key).await
        };
        self.database.read(one).await
    }

    async fn write(
        &self,
        key: &ConfigKey,
        parameters: Option<&Map<String, Json>>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, WriteError> {
        let written = async {
            let mut transaction = self.database.begin().await?;
            let stored = current(&mut transaction, key).await?;
            if let Some(conflict) = conflict(expected, stored.as_ref().map_or(0, |stored| stored.version)) {
                return Ok(Err(conflict));
            }
            let Some(action) = action(stored.is_some(), parameters.is_some()) else { return Ok(Ok(None)) };
            let entry = AuditEntry {
                key: Some(key.clone()),
                action,
                old: stored.map(|stored| Json::Object(stored.parameters)),
                new: parameters.map(|parameters| Json::Object(parameters.clone())),
                version: audit::next_version(&mut transaction, key).await?,
                author: author.clone(),
            };
            audit::add(&mut transaction, key, &entry).await?;
            replace(&mut transaction, key, &entry).await?;
            transaction.commit().await?;
            Ok(Ok(Some(entry)))
        };
        self.database.write(1, written).await?
    }

    async fn audit(
        &self,
        strategy: &StrategyId,
        symbol: Option<&Symbol>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.database.read(audit::newest(self.database.readers(), strategy, symbol, limit)).await
    }

    async fn at_version(&self, key: &ConfigKey, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        self.database.read(audit::at_version(self.database.readers(), key, version)).await
    }

    async fn settings(&self) -> Result<Option<StoredSettings>, StoreError> {
        let stored = async {
            let mut connection = self.database.readers().acquire().await?;
            settings::current(&mut connection).await
        };
        self.database.read(stored).await
    }

    async fn write_settings(
        &self,
        settings: &ApplicationSettings,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<AuditEntry, WriteError> {
        let written = async {
            let mut transaction = self.database.begin().await?;
            let written = settings::write(&mut transaction, settings, expected, author).await?;
            if written.is_ok() {
                transaction.commit().await?;
            }
            Ok(written)
        };
        self.database.write(1, written).await?
    }

    async fn settings_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        self.database.read(settings::audit(self.database.readers(), limit)).await
    }

    async fn settings_at_version(&self, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        self.database.read(settings::at_version(self.database.readers(), version)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.database.ping().await
    }
}

/// How the symbol of a key is stored: a primary key can't hold NULL, so the global level has an empty one.
fn symbol_text(key: &ConfigKey) -> &str {
    key.symbol.as_ref().map_or("", Symbol::as_str)
}

fn key(found: &SqliteRow) -> Result<ConfigKey, sqlx::Error> {
    let symbol: &str = found.try_get("symbol")?;
    let symbol = if symbol.is_empty() { None } else { Some(row::parsed(found, "symbol")?) };
    Ok(ConfigKey { strategy: row::parsed(found, "strategy_id")?, symbol })
}

fn stored(found: &SqliteRow) -> Result<StoredConfig, sqlx::Error> {
    Ok(StoredConfig {
        parameters: row::json(found, "parameters")?,
        version: found.try_get("version")?,
        created_at: row::moment(found, "created_at")?,
        updated_at: row::moment(found, "updated_at")?,
        created_by: found.try_get("created_by")?,
    })
}

async fn current(connection: &mut SqliteConnection, key: &ConfigKey) -> Result<Option<StoredConfig>, sqlx::Error> {
    let sql = "SELECT * FROM strategy_configs WHERE strategy_id = ? AND symbol = ?";
    let query = sqlx::query(sql).bind(key.strategy.as_str()).bind(symbol_text(key));
    query.fetch_optional(connection).await?.as_ref().map(stored).transpose()
}

/// Changes the level to what its history entry says.
async fn replace(connection: &mut SqliteConnection, key: &ConfigKey, entry: &AuditEntry) -> Result<(), sqlx::Error> {
    let Some(new) = &entry.new else {
        let sql = "DELETE FROM strategy_configs WHERE strategy_id = ? AND symbol = ?";
        let query = sqlx::query(sql).bind(key.strategy.as_str()).bind(symbol_text(key));
        return query.execute(connection).await.map(drop);
    };
    let sql =
        "INSERT INTO strategy_configs (strategy_id, symbol, parameters, version, created_at, updated_at, created_by)
               VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)
               ON CONFLICT (strategy_id, symbol) DO UPDATE SET parameters = ?3, version = ?4, updated_at = ?5";
    let query = sqlx::query(sql).bind(key.strategy.as_str()).bind(symbol_text(key)).bind(row::to_json(new)?);
    let query = query.bind(entry.version).bind(entry.author.at.millis()).bind(&entry.author.changed_by);
    query.execute(connection).await.map(drop)
}

/// Returns the error for a write that expects a version other than the stored one.
fn conflict(expected: Option<i64>, current: i64) -> Option<WriteError> {
    expected.filter(|expected| *expected != current).map(|expected| WriteError::Conflict { expected, current })
}

/// What a write does; `None` if it deletes something that does not exist.
fn action(is_stored: bool, is_given: bool) -> Option<ChangeAction> {
    match (is_stored, is_given) {
        (false, false) => None,
        (false, true) => Some(ChangeAction::Create),
        (true, true) => Some(ChangeAction::Update),
        (true, false) => Some(ChangeAction::Delete),
    }
}
