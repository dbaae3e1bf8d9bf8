//! How long the histories of parameters and settings are kept on MongoDB.
//!
//! Entries of the older service, which have no sequence, are not ours to remove; nor are those that hold a document of
//! that service, which a way back puts in its place again.

use std::collections::{HashMap, hash_map::Entry};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use mongodb::{
    Collection,
    bson::{Bson, Document, doc},
};
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    retention::{
        kind::Kind,
        store::{Prunable, Stored},
    },
    support::store_error::StoreError,
};

use crate::mongodb::{
    config::OLDER_DOCUMENT,
    database::{
        Connected, Mongo, READ_LIMIT, SERVER_LIMIT, WRITE_LIMIT,
        error::Failure,
        indexes::{APP_HISTORY, LEVEL_HISTORY},
        value,
    },
};

/// The store on MongoDB.
#[derive(Debug, Clone)]
pub struct MongoRetention {
    mongo: Mongo,
}

impl MongoRetention {
    /// The histories in this database.
    pub const fn new(mongo: Mongo) -> Self {
        Self { mongo }
    }
}

#[async_trait]
impl Prunable for MongoRetention {
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Audits]
    }

    async fn prune(&self, kind: Kind, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        if kind != Kind::Audits {
            return Ok(0);
        }
        let removed = |connected: Connected| async move {
            let of_levels = remove(&collection(&connected, LEVEL_HISTORY), before, limit).await?;
            let left = limit.saturating_sub(u32::try_from(of_levels).unwrap_or(limit));
            Ok(of_levels + remove(&collection(&connected, APP_HISTORY), before, left).await?)
        };
        self.mongo.run(WRITE_LIMIT, removed).await
    }

    async fn due(&self, kind: Kind, before: Timestamp, most: u32) -> Result<u64, StoreError> {
        if kind != Kind::Audits || most == 0 {
            return Ok(0);
        }
        let counted = |connected: Connected| async move {
            let mut count = 0;
            for history in [LEVEL_HISTORY, APP_HISTORY] {
                let entries = collection(&connected, history);
                count += entries.count_documents(older(before)).limit(u64::from(most)).max_time(SERVER_LIMIT).await?;
            }
            Ok(count.min(u64::from(most)))
        };
        self.mongo.run(READ_LIMIT, counted).await
    }

    async fn stored(&self, kind: Kind) -> Result<Stored, StoreError> {
        if kind != Kind::Audits {
            return Ok(Stored::default());
        }
        let stored = |connected: Connected| async move {
            let mut stored = Stored { rows: Some(0), ..Stored::default() };
            for history in [LEVEL_HISTORY, APP_HISTORY] {
                let entries = collection(&connected, history);
                let count = entries.estimated_document_count().max_time(SERVER_LIMIT).await?;
                stored.rows = stored.rows.map(|rows| rows + count);
                let ours = doc! { "sequence": { "$exists": true } };
                let oldest = entries.find_one(ours).sort(doc! { "changed_at": 1 }).max_time(SERVER_LIMIT).await?;
                let oldest = oldest.and_then(|entry| value::moment(&entry, &["changed_at"]));
                stored.oldest = stored.oldest.into_iter().chain(oldest).min();
            }
            Ok(stored)
        };
        self.mongo.run(READ_LIMIT, stored).await
    }
}

fn collection(connected: &Connected, name: &str) -> Collection<Document> {
    connected.database.collection(name)
}

/// Matches entries of ours that are older than a moment.
fn older(before: Timestamp) -> Document {
    let mut filter = doc! { "sequence": { "$exists": true }, "changed_at": { "$lt": value::from_moment(before) } };
    filter.insert(OLDER_DOCUMENT, doc! { "$exists": false });
    filter
}

/// Removes the oldest entries, except the newest one of each history, after which its versions go on. The settings have
/// one history; their entries have no strategy and no symbol.
async fn remove(entries: &Collection<Document>, before: Timestamp, limit: u32) -> Result<u64, Failure> {
    let fields = doc! { "strategy_id": 1, "symbol": 1, "version": 1 };
    let oldest = entries.find(older(before)).sort(doc! { "changed_at": 1 }).projection(fields);
    let mut oldest = oldest.max_time(SERVER_LIMIT).await?;
    let mut newest: HashMap<String, i64> = HashMap::new();
    let mut ids = Vec::new();
    while ids.len() < limit as usize
        && let Some(entry) = oldest.try_next().await?
    {
        let part = |name: &str| entry.get(name).cloned().unwrap_or(Bson::Null);
        let history = doc! { "strategy_id": part("strategy_id"), "symbol": part("symbol") };
        let newest = match newest.entry(history.to_string()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => {
                let found = entries.find_one(history).sort(doc! { "version": -1 }).max_time(SERVER_LIMIT).await?;
                *place.insert(found.and_then(|entry| value::whole(&entry, "version")).unwrap_or(i64::MIN))
            }
        };
        if let Some(id) = entry.get("_id").cloned()
            && value::whole(&entry, "version").is_some_and(|version| version < newest)
        {
            ids.push(id);
        }
    }
    if ids.is_empty() {
        return Ok(0);
    }
    Ok(entries.delete_many(doc! { "_id": { "$in": ids } }).await?.deleted_count)
}
