//! Tests of configuration and modules on a MongoDB-compatible server.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mongodb::{Client, Database, bson::Document};
use serde_json::{Map, Value as Json, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::mongodb::{Mongo, config::MongoConfig, modules::MongoModules, retention::MongoRetention};
use ta_bot_engine::{
    modules::module_store::{self, ModuleStore},
    retention::store::{self, Prunable},
    settings::config_store::{self, Author, ConfigKey, ConfigStore},
    support::store_error::StoreError,
};
use ta_bot_test_servers::Mongo as Server;
use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};

mod faults;
mod last_known;
mod modules_kept;
mod older;

/// Long enough for a machine that builds on all its cores at the same time.
const PATIENCE: Duration = Duration::from_mins(1);

/// The server that tests share if they do not harm it.
async fn shared() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(async || Server::start().await.unwrap()).await
}

/// The name of a database that no other test uses.
fn fresh_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

fn open(uri: &str, database: &str) -> Mongo {
    Mongo::open(uri, database).unwrap()
}

/// A database through a plain client, without our driver.
async fn plain(uri: &str, database: &str) -> Database {
    Client::with_uri_str(uri).await.unwrap().database(database)
}

async fn documents(database: &Database, collection: &str) -> Vec<Document> {
    use futures_util::TryStreamExt as _;
    let found = database.collection::<Document>(collection).find(Document::new()).await.unwrap();
    found.try_collect().await.unwrap()
}

fn key(strategy: &str, symbol: Option<&str>) -> ConfigKey {
    ConfigKey { strategy: strategy.parse().unwrap(), symbol: symbol.map(|symbol| symbol.parse().unwrap()) }
}

fn author(reason: &str) -> Author {
    Author { changed_by: "ann".to_owned(), claimed_by: None, reason: Some(reason.to_owned()), at: Timestamp::now() }
}

fn period(period: i64) -> Map<String, Json> {
    json!({"period": period}).as_object().unwrap().clone()
}

/// Repeats `ask` until it succeeds.
async fn until_ok<T, E: std::fmt::Display, F: Future<Output = Result<T, E>>>(ask: impl Fn() -> F) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "it stays so: {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn assert_away(error: &StoreError) {
    assert!(matches!(error, StoreError::Unavailable { store: "mongodb", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_keep_the_contract() {
    let server = shared().await;
    config_store::contract::all(async || {
        let name = fresh_name();
        let store = || Arc::new(MongoConfig::new(open(&server.uri(), &name))) as Arc<dyn ConfigStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_keep_the_contract() {
    let server = shared().await;
    store::contract::histories(async || {
        let mongo = open(&server.uri(), &fresh_name());
        let retention = Arc::new(MongoRetention::new(mongo.clone())) as Arc<dyn Prunable>;
        (retention, Arc::new(MongoConfig::new(mongo)) as Arc<dyn ConfigStore>)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_keep_the_contract() {
    let server = shared().await;
    module_store::contract::all(async || {
        let name = fresh_name();
        let store = || Arc::new(MongoModules::new(open(&server.uri(), &name))) as Arc<dyn ModuleStore>;
        (store(), store())
    })
    .await;
}
