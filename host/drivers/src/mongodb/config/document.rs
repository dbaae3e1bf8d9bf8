//! How settings and histories are stored as documents, and how documents of the older service are read.

use std::{fmt::Display, str::FromStr};

use mongodb::bson::{Bson, Document, doc};
use serde_json::{Value as Json, json};
use ta_bot_core::{ApplicationSettings, Series, StrategyId, Symbol, Timeframe, Timestamp};
use ta_bot_engine::settings::config_store::ChangeAction;

use super::{AuditEntry, Author, ConfigKey, Failure, StoredConfig, StoredLevels, StoredSettings, value};

/// The version of a document that names none: the document exists, so it must have some version.
const FIRST_VERSION: i64 = 1;
/// The value that the older service used for a missing bound of confidence.
const OLDER_BOUNDS: (f64, f64) = (0.6, 0.95);
/// The field of an entry that keeps the document as somebody else had written it.
pub(in crate::mongodb) const OLDER_DOCUMENT: &str = "older_document";
/// The author of a document that names none.
const UNKNOWN: &str = "unknown";

pub(super) fn level_filter(key: &ConfigKey) -> Document {
    let mut filter = doc! { "strategy_id": key.strategy.as_str() };
    if let Some(symbol) = &key.symbol {
        filter.insert("symbol", symbol.as_str());
    }
    filter
}

/// Matches the entries of one level. Null also matches entries without the field.
pub(super) fn history_filter(key: &ConfigKey) -> Document {
    let symbol = key.symbol.as_ref().map_or(Bson::Null, |symbol| symbol.as_str().into());
    doc! { "strategy_id": key.strategy.as_str(), "symbol": symbol }
}

/// Matches the documents that hold application settings: in `parameters`, or beside the version as the older service
/// stored them.
pub(super) fn settings_filter() -> Document {
    let there = || doc! { "$exists": true };
    doc! { "$or": [{ "parameters.symbols": there() }, { "symbols": there() }] }
}

/// Newest first. Entries of the older service have no sequence; they come after all others, ordered by their time.
pub(super) fn newest_first() -> Document {
    doc! { "sequence": -1, "changed_at": -1, "_id": -1 }
}

/// Adds the level of a document to `levels`. Leaves it out if the id or the symbol can't be one of ours: other services
/// have strategies, too. Defaults that the older service stored by itself count as not stored.
pub(super) fn read_level(document: &Document, has_symbol: bool, levels: &mut StoredLevels) {
    let strategy = document.get_str("strategy_id").ok().and_then(|id| id.parse::<StrategyId>().ok());
    let symbol = document.get_str("symbol").ok().and_then(|symbol| symbol.parse::<Symbol>().ok());
    let key = match (strategy, has_symbol, symbol) {
        (Some(strategy), false, _) => ConfigKey { strategy, symbol: None },
        (Some(strategy), true, Some(symbol)) => ConfigKey { strategy, symbol: Some(symbol) },
        _ => {
            tracing::debug!(document = %name(document), "skipped a document that is not a strategy's level");
            return;
        }
    };
    if is_auto_persisted(document) {
        tracing::debug!(document = %name(document), "skipped defaults that the older service stored by itself");
        return;
    }
    match stored(document) {
        Ok(stored) => drop(levels.readable.insert(key, stored)),
        Err(problem) => drop(levels.unreadable.insert(key, problem)),
    }
}

/// Reads what counts of a level: nothing of defaults that the older service stored by itself. Otherwise a change that
/// names one parameter, or a pause, would make all of them count.
pub(super) fn counted(document: &Document) -> Result<StoredConfig, String> {
    let mut stored = stored(document)?;
    if is_auto_persisted(document) {
        stored.parameters.clear();
    }
    Ok(stored)
}

/// Whether the older service stored a document by itself when it first read a strategy, and nobody has changed it
/// since. Its rules never read these values, many of which they do not know.
pub(super) fn is_auto_persisted(document: &Document) -> bool {
    let metadata = document.get_document("metadata");
    metadata.is_ok_and(|metadata| metadata.get_bool("auto_persisted").unwrap_or_default())
        && version(document) == Ok(FIRST_VERSION)
}

/// Reads what is stored at a level.
pub(super) fn stored(document: &Document) -> Result<StoredConfig, String> {
    let parameters = match document.get("parameters") {
        Some(Bson::Document(parameters)) => value::to_object(parameters),
        other => {
            return Err(format!(
                "the parameters of {} are {}: put a document of parameters there, or remove the document",
                name(document),
                other.map_or_else(|| "missing".to_owned(), ToString::to_string)
            ));
        }
    };
    let made = document.get_object_id("_id").map(|id| Timestamp::from_millis(id.timestamp().timestamp_millis()));
    let created_at = value::moment(document, &["created_at", "updated_at"]).or(made.ok());
    Ok(StoredConfig {
        parameters,
        version: version(document)?,
        created_at: created_at.unwrap_or(Timestamp::from_millis(0)),
        updated_at: value::moment(document, &["updated_at", "created_at"])
            .or(created_at)
            .unwrap_or(Timestamp::from_millis(0)),
        created_by: value::text(document, "created_by").unwrap_or_else(|| UNKNOWN.to_owned()),
    })
}

/// The version of a document.
pub(super) fn version(document: &Document) -> Result<i64, String> {
    match document.get("version") {
        None | Some(Bson::Null) => Ok(FIRST_VERSION),
        Some(found) => value::whole(document, "version")
            .filter(|version| *version > 0)
            .ok_or_else(|| format!("the version of {} is {found}: make it a whole number from 1", name(document))),
    }
}

pub(super) fn stored_settings(document: &Document) -> Result<StoredSettings, Failure> {
    Ok(StoredSettings {
        settings: settings(document)?,
        version: version(document).map_err(Failure::Corrupt)?,
        updated_at: value::moment(document, &["updated_at", "created_at"]).unwrap_or(Timestamp::from_millis(0)),
    })
}

/// Reads application settings: ours, or those of the older service, which calls timeframes `candle_periods` and accepts
/// no holes. A symbol, timeframe, strategy or series that can be none here, such as the months that exchanges have too,
/// is left out and named; the rest counts.
pub(super) fn settings(document: &Document) -> Result<ApplicationSettings, Failure> {
    let fields = document.get_document("parameters").unwrap_or(document);
    let read = |name: &str| fields.get(name).map_or(Json::Null, value::to_json);
    let or = |value: Json, default: Json| if value.is_null() { default } else { value };
    let found = json!({
        "symbols": usable::<Symbol>(read("symbols"), document),
        "timeframes": usable::<Timeframe>(or(read("timeframes"), read("candle_periods")), document),
        "enabled_strategies": usable::<StrategyId>(read("enabled_strategies"), document),
        "min_confidence": or(read("min_confidence"), json!(OLDER_BOUNDS.0)),
        "max_confidence": or(read("max_confidence"), json!(OLDER_BOUNDS.1)),
        "accepted_holes": usable::<Series>(or(read("accepted_holes"), json!([])), document),
    });
    serde_json::from_value(found).map_err(|error| {
        Failure::Corrupt(format!("the application settings of {} can't be read: {error}", name(document)))
    })
}

/// A list without the texts that are no `T`. Anything but a list of texts stays as it is, and is refused as a whole.
fn usable<T: FromStr<Err: Display>>(list: Json, document: &Document) -> Json {
    let Json::Array(entries) = list else { return list };
    let is_usable = |entry: &Json| match entry.as_str().map(str::parse::<T>) {
        Some(Err(problem)) => {
            tracing::warn!(%problem, "{} of the application settings is left out: {}", entry, name(document));
            false
        }
        Some(Ok(_)) | None => true,
    };
    Json::Array(entries.into_iter().filter(is_usable).collect())
}

/// The level of an entry.
pub(super) fn key_of_entry(entry: &Document, strategy: &StrategyId) -> ConfigKey {
    let symbol = entry.get_str("symbol").ok().and_then(|symbol| symbol.parse().ok());
    ConfigKey { strategy: strategy.clone(), symbol }
}

/// Reads an entry of a history. Entries of the older service may lack a version: they can be read, but not rolled back
/// to.
pub(super) fn entry(document: &Document, key: Option<ConfigKey>) -> AuditEntry {
    let values = |field: &str| match document.get(field) {
        None | Some(Bson::Null) => None,
        Some(found) => Some(value::to_json(found)),
    };
    let (old, new) = (values("old_parameters"), values("new_parameters"));
    AuditEntry {
        key,
        action: action_of(document.get_str("action").unwrap_or_default(), new.is_some()),
        old,
        new,
        version: value::whole(document, "version").unwrap_or(0),
        author: Author {
            changed_by: value::text(document, "changed_by").unwrap_or_else(|| UNKNOWN.to_owned()),
            claimed_by: value::text(document, "claimed_by"),
            reason: value::text(document, "reason"),
            at: value::moment(document, &["changed_at"]).unwrap_or(Timestamp::from_millis(0)),
        },
    }
}

/// An entry as it is stored, with the fields of `identity`.
pub(super) fn of_entry(entry: &AuditEntry, identity: Document, sequence: i64) -> Document {
    let values = |values: &Option<Json>| values.as_ref().map_or(Bson::Null, value::from_json);
    let mut document = identity;
    document.extend(doc! {
        "action": action_text(entry.action),
        "old_parameters": values(&entry.old),
        "new_parameters": values(&entry.new),
        "version": entry.version,
        "sequence": sequence,
        "changed_by": &entry.author.changed_by,
        "changed_at": value::from_moment(entry.author.at),
        "reason": entry.author.reason.clone(),
    });
    if let Some(claimed) = &entry.author.claimed_by {
        document.insert("claimed_by", claimed);
    }
    document
}

const fn action_text(action: ChangeAction) -> &'static str {
    match action {
        ChangeAction::Create => "CREATE",
        ChangeAction::Update => "UPDATE",
        ChangeAction::Delete => "DELETE",
    }
}

/// Reads an action. The older service has actions of its own, all of which left something stored.
fn action_of(text: &str, has_new: bool) -> ChangeAction {
    match text.to_ascii_uppercase().as_str() {
        "CREATE" => ChangeAction::Create,
        "DELETE" => ChangeAction::Delete,
        _ if has_new => ChangeAction::Update,
        _ => ChangeAction::Delete,
    }
}

/// The name by which an operator can find the document.
fn name(document: &Document) -> String {
    let id = document.get("_id").map_or_else(|| "without _id".to_owned(), ToString::to_string);
    match document.get_str("strategy_id") {
        Ok(strategy) => format!("the document {id} of {strategy}"),
        Err(_) => format!("the document {id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_with_parameters_alone_is_a_level() {
        let document = doc! { "strategy_id": "rsi", "parameters": { "period": 14_i64, "oversold": 30.0 } };
        let mut levels = StoredLevels::default();
        read_level(&document, false, &mut levels);
        let (key, stored) = levels.readable.into_iter().next().unwrap();
        assert_eq!((key.strategy.as_str(), key.symbol), ("rsi", None));
        assert_eq!(Json::Object(stored.parameters), json!({"period": 14, "oversold": 30.0}));
        assert_eq!((stored.version, stored.created_by.as_str()), (1, "unknown"));
    }

    #[test]
    fn what_is_no_level_of_ours_is_left_out_and_what_is_damaged_is_told() {
        let mut levels = StoredLevels::default();
        read_level(&doc! { "strategy_id": "Not an id!", "parameters": {} }, false, &mut levels);
        read_level(&doc! { "strategy_id": "rsi", "parameters": {} }, true, &mut levels);
        assert_eq!(levels, StoredLevels::default());
        for document in [
            doc! { "strategy_id": "rsi" },
            doc! { "strategy_id": "rsi", "parameters": "period=14" },
            doc! { "strategy_id": "rsi", "parameters": {}, "version": "two" },
            doc! { "strategy_id": "rsi", "parameters": {}, "version": 0 },
        ] {
            read_level(&document, false, &mut levels);
            let (key, reason) = levels.unreadable.pop_first().unwrap();
            assert!(key.strategy.as_str() == "rsi" && reason.contains("rsi"), "{reason}");
        }
        assert!(levels.readable.is_empty(), "{levels:?}");
    }

    #[test]
    fn settings_of_the_older_service_are_read() {
        let document = doc! {
            "symbols": ["BTCUSDT", "no symbol"], "candle_periods": ["5m", "1M", "1h"], "enabled_strategies": ["rsi"],
            "max_positions": 10, "version": 3_i64, "updated_at": "2025-10-17T14:45:00",
        };
        let stored = stored_settings(&document).unwrap();
        assert_eq!((stored.version, stored.settings.symbols.len(), stored.settings.timeframes.len()), (3, 1, 2));
        assert_eq!((stored.settings.min_confidence, stored.settings.max_confidence), OLDER_BOUNDS);
        assert_eq!(stored.settings.accepted_holes, []);
        let Err(Failure::Corrupt(reason)) = settings(&doc! { "_id": 7, "symbols": 7 }) else { panic!("was taken") };
        assert!(reason.contains("document 7"), "{reason}");
    }

    #[test]
    fn an_accepted_series_that_is_none_is_left_out_and_the_rest_counts() {
        let accepted = ["ADAUSDT 5m", "ADAUSDT", "ADAUSDT 1M", "no! 5m", "ETHUSDT 1h"];
        let document = doc! { "parameters": {
            "symbols": ["BTCUSDT"], "timeframes": ["5m"], "accepted_holes": accepted.to_vec(),
        } };
        let names: Vec<String> = settings(&document).unwrap().accepted_holes.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["ADAUSDT 5m", "ETHUSDT 1h"]);
        let document = doc! { "symbols": [], "timeframes": [], "accepted_holes": "all" };
        assert!(matches!(settings(&document), Err(Failure::Corrupt(_))));
    }

    #[test]
    fn entries_of_the_older_service_are_read() {
        let document = doc! { "action": "rollback", "new_parameters": { "period": 9 }, "changed_by": "llm" };
        let read = entry(&document, None);
        assert_eq!((read.action, read.version, read.old), (ChangeAction::Update, 0, None));
        assert_eq!(read.new, Some(json!({"period": 9})));
    }
}
