//! The indexes: those that enforce uniqueness, and those by which histories are read.
//!
//! An existing index is used as it is, whatever its name: the older service may have created it, and the user may not
//! be allowed to create any.

use futures_util::TryStreamExt as _;
use mongodb::{
    Collection, Database, IndexModel,
    bson::{Document, doc},
    options::IndexOptions,
};

use super::{SERVER_LIMIT, error::Failure};

/// Parameters for all symbols, one document for each strategy.
pub(crate) const GLOBAL_LEVELS: &str = "strategy_configs_global";
/// Parameters for one symbol.
pub(crate) const SYMBOL_LEVELS: &str = "strategy_configs_symbol";
/// The history of both kinds of levels.
pub(crate) const LEVEL_HISTORY: &str = "strategy_config_audit";
/// The application's settings, in one document.
pub(crate) const APP_SETTINGS: &str = "app_config";
/// The history of the application's settings.
pub(crate) const APP_HISTORY: &str = "app_config_audit";
/// What is known about each kept module; its bytes are in the GridFS bucket of the same name.
pub(crate) const MODULES: &str = "strategy_modules";
/// The modules that operators removed, one document for each removal.
pub(crate) const REMOVED_MODULES: &str = "strategy_modules_removed";

struct IndexSpec {
    collection: &'static str,
    keys: Document,
    is_unique: bool,
}

pub(super) async fn make(database: &Database) -> Result<(), Failure> {
    for wanted in all() {
        let collection = database.collection::<Document>(wanted.collection);
        if !is_there(&collection, &wanted).await? {
            create(&collection, &wanted).await?;
        }
    }
    Ok(())
}

/// The unique indexes that can't be made, because two documents have the same keys: `strategy_id in COLLECTION`.
pub(crate) async fn doubled(database: &Database) -> Result<Vec<String>, Failure> {
    let mut doubled = Vec::new();
    for wanted in all().into_iter().filter(|wanted| wanted.is_unique) {
        let collection = database.collection::<Document>(wanted.collection);
        if is_there(&collection, &wanted).await? {
            continue;
        }
        let keys: Document = wanted.keys.keys().map(|key| (key.clone(), format!("${key}").into())).collect();
        let twice = [
            doc! { "$group": { "_id": keys, "count": { "$sum": 1 } } },
            doc! { "$match": { "count": { "$gt": 1 } } },
            doc! { "$limit": 1 },
        ];
        let mut found = collection.aggregate(twice).max_time(SERVER_LIMIT).await?;
        if found.try_next().await?.is_some() {
            let fields = wanted.keys.keys().cloned().collect::<Vec<_>>().join(" and ");
            doubled.push(format!("{fields} in {}", wanted.collection));
        }
    }
    Ok(doubled)
}

fn all() -> [IndexSpec; 5] {
    let index = |collection, keys| IndexSpec { collection, keys, is_unique: false };
    let unique = |collection, keys| IndexSpec { collection, keys, is_unique: true };
    [
        unique(GLOBAL_LEVELS, doc! { "strategy_id": 1 }),
        unique(SYMBOL_LEVELS, doc! { "strategy_id": 1, "symbol": 1 }),
        index(LEVEL_HISTORY, doc! { "strategy_id": 1, "symbol": 1, "version": -1 }),
        index(LEVEL_HISTORY, doc! { "strategy_id": 1, "sequence": -1 }),
        index(APP_HISTORY, doc! { "version": -1 }),
    ]
}

async fn is_there(collection: &Collection<Document>, wanted: &IndexSpec) -> Result<bool, Failure> {
    let mut indexes = match collection.list_indexes().max_time(SERVER_LIMIT).await.map_err(Failure::from) {
        Err(failure) if failure.is_no_collection() => return Ok(false),
        found => found?,
    };
    while let Some(index) = indexes.try_next().await? {
        let is_unique = index.options.as_ref().and_then(|options| options.unique) == Some(true);
        let partial = index.options.as_ref().is_some_and(|options| options.partial_filter_expression.is_some());
        if same_keys(&index.keys, &wanted.keys) && (is_unique || !wanted.is_unique) && !partial {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two indexes have the same keys. The direction may be any kind of number.
fn same_keys(found: &Document, wanted: &Document) -> bool {
    let keys = |keys: &Document| {
        let number = |key: &str| keys.get(key).and_then(super::value::number).unwrap_or_default();
        keys.keys().map(|key| (key.clone(), number(key) < 0.0)).collect::<Vec<_>>()
    };
    keys(found) == keys(wanted)
}

async fn create(collection: &Collection<Document>, wanted: &IndexSpec) -> Result<(), Failure> {
    let options = IndexOptions::builder().unique(wanted.is_unique.then_some(true)).build();
    let model = IndexModel::builder().keys(wanted.keys.clone()).options(options).build();
    let Err(error) = collection.create_index(model).await else { return Ok(()) };
    let failure = Failure::from(error);
    if failure.is_duplicate() {
        let fields = wanted.keys.keys().cloned().collect::<Vec<_>>().join(" and ");
        return Err(Failure::CannotWrite(format!(
            "two documents of the collection {} have the same {fields}: remove one of them",
            wanted.collection
        )));
    }
    Err(failure)
}
