//! The application's own settings and their history.

use sqlx::{Row as _, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use ta_bot_core::ApplicationSettings;
use ta_bot_engine::support::store_error::WriteError;

use super::{
    AuditEntry, Author, ChangeAction, StoredSettings,
    audit::{action_of, action_text, author as author_of},
    conflict,
};
use crate::sqlite::database::row;

pub(super) async fn current(connection: &mut SqliteConnection) -> Result<Option<StoredSettings>, sqlx::Error> {
    let sql = "SELECT settings, version, updated_at FROM app_config";
    let found = sqlx::query(sql).fetch_optional(connection).await?;
    let stored = |found: SqliteRow| {
        Ok(StoredSettings {
            settings: row::json(&found, "settings")?,
            version: found.try_get("version")?,
            updated_at: row::moment(&found, "updated_at")?,
        })
    };
    found.map(stored).transpose()
}

/// Writes within a transaction; the caller commits it unless the write was refused.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    settings: &ApplicationSettings,
    expected: Option<i64>,
    author: &Author,
) -> Result<Result<AuditEntry, WriteError>, sqlx::Error> {
    let stored = current(connection).await?;
    let version = stored.as_ref().map_or(0, |stored| stored.version);
    if let Some(conflict) = conflict(expected, version) {
        return Ok(Err(conflict));
    }
    let to_value = |settings| serde_json::to_value(settings).map_err(|error| sqlx::Error::Encode(Box::new(error)));
    let entry = AuditEntry {
        key: None,
        action: if stored.is_some() { ChangeAction::Update } else { ChangeAction::Create },
        old: stored.map(|stored| to_value(stored.settings)).transpose()?,
        new: Some(to_value(settings.clone())?),
        version: version + 1,
        author: author.clone(),
    };
    add(connection, &entry).await?;
    let sql = "INSERT INTO app_config (id, settings, version, updated_at) VALUES (1, ?1, ?2, ?3)
               ON CONFLICT (id) DO UPDATE SET settings = ?1, version = ?2, updated_at = ?3";
    let query = sqlx::query(sql).bind(row::to_json(settings)?).bind(entry.version).bind(author.at.millis());
    query.execute(connection).await?;
    Ok(Ok(entry))
}

async fn add(connection: &mut SqliteConnection, entry: &AuditEntry) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO app_config_audit
               (version, action, old_settings, new_settings, changed_by, changed_at, reason, claimed_by)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(entry.version).bind(action_text(entry.action));
    let query = query.bind(entry.old.as_ref().map(row::to_json).transpose()?);
    let query = query.bind(entry.new.as_ref().map(row::to_json).transpose()?);
    let Author { changed_by, claimed_by, reason, at } = &entry.author;
    let query = query.bind(changed_by).bind(at.millis()).bind(reason).bind(claimed_by);
    query.execute(connection).await.map(drop)
}

pub(super) async fn audit(readers: &SqlitePool, limit: u32) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let sql = "SELECT * FROM app_config_audit ORDER BY version DESC LIMIT ?";
    let rows = sqlx::query(sql).bind(limit).fetch_all(readers).await?;
    rows.iter().map(entry).collect()
}

pub(super) async fn at_version(readers: &SqlitePool, version: i64) -> Result<Option<AuditEntry>, sqlx::Error> {
    let query = sqlx::query("SELECT * FROM app_config_audit WHERE version = ?").bind(version);
    query.fetch_optional(readers).await?.as_ref().map(entry).transpose()
}

fn entry(found: &SqliteRow) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        key: None,
        action: action_of(found)?,
        old: row::json_or_none(found, "old_settings")?,
        new: row::json_or_none(found, "new_settings")?,
        version: found.try_get("version")?,
        author: author_of(found)?,
    })
}
