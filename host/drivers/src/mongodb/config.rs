//! Settings on MongoDB, in the collections and documents of the older service.
//!
//! A change and its history entry are written in one transaction, which replaces the document only if it still has the
//! version that was read. Writers that conflict repeat the transaction, so a condition is always checked against what
//! is stored. Documents of the older service are read as they are: a version or a timestamp may be missing, and unknown
//! fields are kept.

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::bson::{Document, doc};
use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, StrategyId, Symbol};
use ta_bot_engine::{
    settings::config_store::{
        AuditEntry, Author, ConfigKey, ConfigStore, Leftovers, Replaced, StoredConfig, StoredLevels, StoredSettings,
    },
    support::store_error::{StoreError, WriteError},
};

use crate::mongodb::database::{
    Connected, Mongo, NAME, READ_LIMIT, SERVER_LIMIT, WRITE_LIMIT,
    error::Failure,
    indexes::{APP_HISTORY, APP_SETTINGS, GLOBAL_LEVELS, LEVEL_HISTORY, SYMBOL_LEVELS},
    value,
};

mod document;
mod older;
mod write;

pub(super) use document::OLDER_DOCUMENT;
use write::{Change, Place};

/// Settings on MongoDB.
#[derive(Debug, Clone)]
pub struct MongoConfig {
    mongo: Mongo,
}

impl MongoConfig {
    /// Settings in this database.
    pub const fn new(mongo: Mongo) -> Self {
        Self { mongo }
    }

    /// The documents of a history that `filter` matches, sorted by `order`.
    async fn history(
        &self,
        collection: &'static str,
        filter: Document,
        order: Document,
        limit: u32,
    ) -> Result<Vec<Document>, StoreError> {
        if limit == 0 {
            // MongoDB takes 0 for "without limit".
            return Ok(Vec::new());
        }
        let read = |connected: Connected| async move {
            let history = connected.database.collection::<Document>(collection);
            let found = history.find(filter).sort(order).limit(i64::from(limit)).max_time(SERVER_LIMIT).await?;
            Ok(found.try_collect().await?)
        };
        self.mongo.run(READ_LIMIT, read).await
    }

    async fn one(&self, collection: &'static str, filter: Document) -> Result<Option<Document>, StoreError> {
        let read = |connected: Connected| async move {
            let documents = connected.database.collection::<Document>(collection);
            // Newest first: the older service may have left several documents of settings.
            let newest = doc! { "version": -1, "_id": 1 };
            Ok(documents.find_one(filter).sort(newest).max_time(SERVER_LIMIT).await?)
        };
        self.mongo.run(READ_LIMIT, read).await
    }

    async fn change(&self, place: Place, change: Change) -> Result<Option<AuditEntry>, WriteError> {
        let mongo = self.mongo.clone();
        let written = |connected: Connected| async move {
            mongo.see_to_indexes(&connected).await?;
            write::write(&connected, &place, &change).await
        };
        self.mongo.run(WRITE_LIMIT, written).await?
    }
}

#[async_trait]
impl ConfigStore for MongoConfig {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn all(&self) -> Result<StoredLevels, StoreError> {
        let read = |connected: Connected| async move {
            let mut levels = StoredLevels::default();
            for collection in [GLOBAL_LEVELS, SYMBOL_LEVELS] {
                let documents = connected.database.collection::<Document>(collection);
                let mut found = documents.find(doc! {}).max_time(SERVER_LIMIT).await?;
                while let Some(document) = found.try_next().await? {
                    document::read_level(&document, collection == SYMBOL_LEVELS, &mut levels);
                }
            }
            Ok(levels)
        };
        self.mongo.run(READ_LIMIT, read).await
    }

    async fn get(&self, key: &ConfigKey) -> Result<Option<StoredConfig>, StoreError> {
        let found = self.one(levels_of(key), document::level_filter(key)).await?;
        let stored = found.as_ref().map(document::counted).transpose();
        stored.map_err(|reason| StoreError::Corrupt { store: NAME, reason })
    }

    async fn write(
        &self,
        key: &ConfigKey,
        parameters: Option<&Map<String, Json>>,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<Option<AuditEntry>, WriteError> {
        let new = parameters.map(|parameters| Json::Object(parameters.clone()));
        self.change(Place::of_level(key), Change { new, expected, author: author.clone(), whole: None }).await
    }

    async fn audit(
        &self,
        strategy: &StrategyId,
        symbol: Option<&Symbol>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut filter = doc! { "strategy_id": strategy.as_str() };
        if let Some(symbol) = symbol {
            filter.insert("symbol", symbol.as_str());
        }
        let found = self.history(LEVEL_HISTORY, filter, document::newest_first(), limit).await?;
        let key = |entry: &Document| document::key_of_entry(entry, strategy);
        Ok(found.iter().map(|entry| document::entry(entry, Some(key(entry)))).collect())
    }

    async fn at_version(&self, key: &ConfigKey, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        let mut filter = document::history_filter(key);
        filter.insert("version", version);
        let found = self.history(LEVEL_HISTORY, filter, document::newest_first(), 1).await?;
        Ok(found.first().map(|entry| document::entry(entry, Some(key.clone()))))
    }

    async fn settings(&self) -> Result<Option<StoredSettings>, StoreError> {
        let found = self.one(APP_SETTINGS, document::settings_filter()).await?;
        found.as_ref().map(document::stored_settings).transpose().map_err(|failure| failure.to_store_error(None))
    }

    async fn write_settings(
        &self,
        settings: &ApplicationSettings,
        expected: Option<i64>,
        author: &Author,
    ) -> Result<AuditEntry, WriteError> {
        let new = serde_json::to_value(settings).map_err(|error| StoreError::CannotWrite {
            store: NAME,
            reason: format!("the settings can't be written as JSON: {error}"),
        })?;
        let change = Change { new: Some(new), expected, author: author.clone(), whole: None };
        let entry = self.change(Place::of_settings(), change).await?;
        // Only a deletion of something that does not exist has no entry.
        let reason = || "a change has no entry in the history".to_owned();
        Ok(entry.ok_or_else(|| StoreError::Corrupt { store: NAME, reason: reason() })?)
    }

    async fn settings_audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let found = self.history(APP_HISTORY, doc! {}, document::newest_first(), limit).await?;
        Ok(found.iter().map(|entry| document::entry(entry, None)).collect())
    }

    async fn settings_at_version(&self, version: i64) -> Result<Option<AuditEntry>, StoreError> {
        let found = self.history(APP_HISTORY, doc! { "version": version }, document::newest_first(), 1).await?;
        Ok(found.first().map(|entry| document::entry(entry, None)))
    }

    async fn leftovers(&self) -> Result<Leftovers, StoreError> {
        self.mongo.run(READ_LIMIT, |connected| async move { older::leftovers(&connected).await }).await
    }

    async fn replaced(&self) -> Result<Vec<Replaced>, StoreError> {
        self.mongo.run(READ_LIMIT, |connected| async move { older::replaced(&connected).await }).await
    }

    async fn put_back(&self, replaced: &Replaced, author: &Author) -> Result<Option<AuditEntry>, WriteError> {
        let key = replaced.key.clone();
        let kept = self.mongo.run(READ_LIMIT, |connected| async move { older::kept(&connected, &key).await }).await?;
        let Some(whole) = kept else { return Ok(None) };
        let new = document::stored(&whole).map_err(|reason| StoreError::Corrupt { store: NAME, reason })?.parameters;
        // A deletion leaves no document, whatever its entry's version is.
        let expected = if replaced.change.new.is_some() { replaced.change.version } else { 0 };
        let change = Change {
            new: Some(Json::Object(new)),
            expected: Some(expected),
            author: author.clone(),
            whole: Some(whole),
        };
        self.change(Place::of_level(&replaced.key), change).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.mongo.ping().await
    }
}

/// The collection that holds a level.
const fn levels_of(key: &ConfigKey) -> &'static str {
    if key.symbol.is_some() { SYMBOL_LEVELS } else { GLOBAL_LEVELS }
}
