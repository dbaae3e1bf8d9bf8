//! The history of parameters.

use sqlx::{Row as _, SqliteConnection, SqlitePool, sqlite::SqliteRow};
use ta_bot_core::{StrategyId, Symbol};

use super::{AuditEntry, Author, ChangeAction, ConfigKey, key, symbol_text};
use crate::sqlite::database::row;

/// Returns the version after every version that the level ever had. The history keeps the versions of deleted levels.
pub(super) async fn next_version(connection: &mut SqliteConnection, key: &ConfigKey) -> Result<i64, sqlx::Error> {
    let sql = "SELECT coalesce(max(version), 0) + 1 FROM strategy_config_audit WHERE strategy_id = ? AND symbol = ?";
    sqlx::query_scalar(sql).bind(key.strategy.as_str()).bind(symbol_text(key)).fetch_one(connection).await
}

pub(super) async fn add(
    connection: &mut SqliteConnection,
    key: &ConfigKey,
    entry: &AuditEntry,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO strategy_config_audit
               (strategy_id, symbol, version, action, old_parameters, new_parameters, changed_by, changed_at, reason,
                claimed_by)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let query = sqlx::query(sql).bind(key.strategy.as_str()).bind(symbol_text(key)).bind(entry.version);
    let query = query.bind(action_text(entry.action));
    let query = query.bind(entry.old.as_ref().map(row::to_json).transpose()?);
    let query = query.bind(entry.new.as_ref().map(row::to_json).transpose()?);
    let Author { changed_by, claimed_by, reason, at } = &entry.author;
    let query = query.bind(changed_by).bind(at.millis()).bind(reason).bind(claimed_by);
    query.execute(connection).await.map(drop)
}

pub(super) async fn newest(
    readers: &SqlitePool,
    strategy: &StrategyId,
    symbol: Option<&Symbol>,
    limit: u32,
) -> Result<Vec<AuditEntry>, sqlx::Error> {
    let rows = match symbol {
        None => {
            let sql = "SELECT * FROM strategy_config_audit WHERE strategy_id = ? ORDER BY id DESC LIMIT ?";
            sqlx::query(sql).bind(strategy.as_str()).bind(limit).fetch_all(readers).await?
        }
        Some(symbol) => {
            let sql = "SELECT * FROM strategy_config_audit WHERE strategy_id = ? AND symbol = ?
                       ORDER BY version DESC LIMIT ?";
            sqlx::query(sql).bind(strategy.as_str()).bind(symbol.as_str()).bind(limit).fetch_all(readers).await?
        }
    };
    rows.iter().map(entry).collect()
}

pub(super) async fn at_version(
    readers: &SqlitePool,
    key: &ConfigKey,
    version: i64,
) -> Result<Option<AuditEntry>, sqlx::Error> {
    let sql = "SELECT * FROM strategy_config_audit WHERE strategy_id = ? AND symbol = ? AND version = ?";
    let query = sqlx::query(sql).bind(key.strategy.as_str()).bind(symbol_text(key)).bind(version);
    query.fetch_optional(readers).await?.as_ref().map(entry).transpose()
}

fn entry(found: &SqliteRow) -> Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        key: Some(key(found)?),
        action: action_of(found)?,
        old: row::json_or_none(found, "old_parameters")?,
        new: row::json_or_none(found, "new_parameters")?,
        version: found.try_get("version")?,
        author: author(found)?,
    })
}

pub(super) fn author(found: &SqliteRow) -> Result<Author, sqlx::Error> {
    Ok(Author {
        changed_by: found.try_get("changed_by")?,
        claimed_by: found.try_get("claimed_by")?,
        reason: found.try_get("reason")?,
        at: row::moment(found, "changed_at")?,
    })
}

pub(super) const fn action_text(action: ChangeAction) -> &'static str {
    match action {
        ChangeAction::Create => "CREATE",
        ChangeAction::Update => "UPDATE",
        ChangeAction::Delete => "DELETE",
    }
}

pub(super) fn action_of(found: &SqliteRow) -> Result<ChangeAction, sqlx::Error> {
    let text: &str = found.try_get("action")?;
    let known = [ChangeAction::Create, ChangeAction::Update, ChangeAction::Delete];
    let action = known.into_iter().find(|action| action_text(*action) == text);
    action.ok_or_else(|| row::undecodable("action", format!("{text:?} is no action")))
}
