//! What the older service left in its collections: documents that do not count here, and documents that were changed
//! here and are kept in the history as they were.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use ta_bot_core::StrategyId;

use super::{
    ConfigKey, Connected, Failure, GLOBAL_LEVELS, LEVEL_HISTORY, Leftovers, Replaced, SERVER_LIMIT, SYMBOL_LEVELS,
    document, levels_of, value,
};
use crate::mongodb::database::indexes::APP_SETTINGS;

/// Reads what does not count: the defaults that the older service stored by itself, and fields of the settings.
pub(super) async fn leftovers(connected: &Connected) -> Result<Leftovers, Failure> {
    let mut left = Leftovers::default();
    for collection in [GLOBAL_LEVELS, SYMBOL_LEVELS] {
        let documents = connected.database.collection::<Document>(collection);
        let mut found = documents.find(doc! { "metadata.auto_persisted": true }).max_time(SERVER_LIMIT).await?;
        while let Some(document) = found.try_next().await? {
            if let Some(key) = key(&document, collection == SYMBOL_LEVELS)
                && document::is_auto_persisted(&document)
                && let Ok(stored) = document::stored(&document)
            {
                left.defaults.insert(key, stored);
            }
        }
    }
    let settings = connected.database.collection::<Document>(APP_SETTINGS);
    let newest = doc! { "version": -1, "_id": 1 };
    let found = settings.find_one(document::settings_filter()).sort(newest).max_time(SERVER_LIMIT).await?;
    left.settings = found.as_ref().map(value::to_object);
    Ok(left)
}

/// The level of a document, if it is one of ours.
fn key(document: &Document, has_symbol: bool) -> Option<ConfigKey> {
    let strategy = document.get_str("strategy_id").ok()?.parse().ok()?;
    let symbol = if has_symbol { Some(document.get_str("symbol").ok()?.parse().ok()?) } else { None };
    Some(ConfigKey { strategy, symbol })
}

/// Finds the levels whose newest change was made here, and which held a document that was not written here before.
pub(super) async fn replaced(connected: &Connected) -> Result<Vec<Replaced>, Failure> {
    let history = connected.database.collection::<Document>(LEVEL_HISTORY);
    let ours = doc! { "sequence": { "$exists": true } };
    let mut entries = history.find(ours).sort(doc! { "strategy_id": 1, "sequence": 1 }).max_time(SERVER_LIMIT).await?;
    // What the entries of each level say, of which the newest comes last.
    let mut levels: BTreeMap<ConfigKey, Replaced> = BTreeMap::new();
    while let Some(entry) = entries.try_next().await? {
        let strategy = entry.get_str("strategy_id").ok().and_then(|id| id.parse::<StrategyId>().ok());
        let Some(key) = strategy.map(|strategy| document::key_of_entry(&entry, &strategy)) else { continue };
        let change = document::entry(&entry, Some(key.clone()));
        let kept = entry.get_document(document::OLDER_DOCUMENT).ok();
        let level = levels.entry(key.clone()).or_insert_with(|| Replaced {
            collection: levels_of(&key),
            key,
            parameters: change.old.clone(),
            change: change.clone(),
            document: None,
        });
        if let Some(kept) = kept {
            // A document is written as extended JSON.
            level.document = serde_json::to_value(kept).ok();
            level.parameters = kept.get("parameters").map(value::to_json);
        }
        level.change = change;
    }
    let mut replaced = Vec::new();
    for level in levels.into_values().filter(|level| level.parameters.is_some()) {
        if is_as_changed(connected, &level).await? {
            replaced.push(level);
        }
    }
    Ok(replaced)
}

/// Whether a level is still as its newest change here has left it.
async fn is_as_changed(connected: &Connected, level: &Replaced) -> Result<bool, Failure> {
    let documents = connected.database.collection::<Document>(level.collection);
    let stored = documents.find_one(document::level_filter(&level.key)).max_time(SERVER_LIMIT).await?;
    Ok(match (stored, &level.change.new) {
        (Some(stored), Some(_)) => document::version(&stored) == Ok(level.change.version),
        (None, None) => true,
        _ => false,
    })
}

/// The document that a level held before it was changed here, as the newest entry that keeps one has it.
pub(super) async fn kept(connected: &Connected, key: &ConfigKey) -> Result<Option<Document>, Failure> {
    let history = connected.database.collection::<Document>(LEVEL_HISTORY);
    let mut filter = document::history_filter(key);
    filter.insert(document::OLDER_DOCUMENT, doc! { "$exists": true });
    let found = history.find_one(filter).sort(document::newest_first()).max_time(SERVER_LIMIT).await?;
    Ok(found.and_then(|entry| entry.get_document(document::OLDER_DOCUMENT).ok().cloned()))
}
