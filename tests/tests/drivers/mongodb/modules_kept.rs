//! Bytes of modules: damage, and storing the bundled ones.

use mongodb::bson::{Binary, doc, spec::BinarySubtype};
use ta_bot_core::ModuleDigest;
use ta_bot_engine::modules::{
    bundled::{keep_bundled, load_folder},
    registry::Registry,
};
use ta_bot_tests::{root, two_strategies_dir};
use ta_bot_wasm::{Limits, Sandbox};
use tokio_util::sync::CancellationToken;

use super::*;

const CHUNKS: &str = "strategy_modules.chunks";

fn bytes() -> Vec<u8> {
    (0..600_000_u32).flat_map(u32::to_le_bytes).collect()
}

async fn store_with_a_module() -> (MongoModules, Database, ModuleDigest) {
    let (uri, name) = (shared().await.uri(), fresh_name());
    let store = MongoModules::new(open(&uri, &name));
    let digest = store.put(&bytes()).await.unwrap();
    assert!(store.get(digest).await.unwrap() == Some(bytes()));
    (store, plain(&uri, &name).await, digest)
}

/// Checks that the module is whole once the same bytes are put again, and that there is still only one file.
async fn assert_kept_anew(store: &MongoModules, database: &Database, digest: ModuleDigest) {
    let listed = store.list().await.unwrap();
    assert_eq!(store.put(&bytes()).await.unwrap(), digest);
    assert!(store.get(digest).await.unwrap() == Some(bytes()));
    assert_eq!(store.list().await.unwrap(), listed);
    assert_eq!(documents(database, "strategy_modules.files").await.len(), 1);
}

fn assert_corrupt(error: &StoreError) {
    assert!(matches!(error, StoreError::Corrupt { store: "mongodb", .. }), "{error}");
}

#[tokio::test]
async fn a_changed_chunk_is_noticed_whenever_it_is_read() {
    let (store, database, digest) = store_with_a_module().await;
    let chunks = database.collection::<Document>(CHUNKS);
    let chunk = chunks.find_one(doc! { "n": 3 }).await.unwrap().unwrap();
    let mut bytes = chunk.get_binary_generic("data").unwrap().clone();
    bytes[1000] ^= 1;
    let data = Binary { subtype: BinarySubtype::Generic, bytes };
    let update = doc! { "$set": { "data": data } };
    assert_eq!(chunks.update_one(doc! { "n": 3 }, update).await.unwrap().modified_count, 1);
    for _ in 0..2 {
        let error = store.get(digest).await.unwrap_err();
        assert_corrupt(&error);
        assert!(error.to_string().contains(&digest.to_string()), "{error}");
    }
    assert_kept_anew(&store, &database, digest).await;
}

#[tokio::test]
async fn a_missing_chunk_and_a_missing_file_are_noticed() {
    let (store, database, digest) = store_with_a_module().await;
    let chunks = database.collection::<Document>(CHUNKS);
    assert_eq!(chunks.delete_one(doc! { "n": 2 }).await.unwrap().deleted_count, 1);
    assert_corrupt(&store.get(digest).await.unwrap_err());
    assert_kept_anew(&store, &database, digest).await;
    database.collection::<Document>("strategy_modules.files").delete_many(doc! {}).await.unwrap();
    assert_corrupt(&store.get(digest).await.unwrap_err());
    assert_kept_anew(&store, &database, digest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_who_meet_leave_one_file() {
    let (uri, name) = (shared().await.uri(), fresh_name());
    let bytes = vec![7; 2_000_000];
    let stores: Vec<_> = (0..6).map(|_| MongoModules::new(open(&uri, &name))).collect();
    for put in futures_util::future::join_all(stores.iter().map(|store| store.put(&bytes))).await {
        put.unwrap();
    }
    let database = plain(&uri, &name).await;
    assert_eq!(documents(&database, "strategy_modules").await.len(), 1);
    assert_eq!(documents(&database, "strategy_modules.files").await.len(), 1);
    assert_eq!(documents(&database, CHUNKS).await.len(), 2_000_000_usize.div_ceil(255 * 1024));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundled_modules_are_kept_once_the_server_is_there() {
    let mut server = Server::start().await.unwrap();
    server.kill().unwrap();
    let store = MongoModules::new(open(&server.uri(), "petrosa"));
    let folder = two_strategies_dir();
    let compiled = root().join("target/compiled-for-tests");
    std::fs::create_dir_all(&compiled).unwrap();
    let registry = Arc::new(Registry::new());
    load_folder(&registry, &Sandbox::new(Limits::default(), Some(compiled)).unwrap(), &folder);
    let kept = tokio::spawn({
        let (store, registry) = (store.clone(), Arc::clone(&registry));
        async move { keep_bundled(&store, &folder, &registry, &CancellationToken::new()).await }
    });
    assert_away(&store.list().await.unwrap_err());
    server.restart().await.unwrap();
    tokio::time::timeout(PATIENCE, kept).await.expect("they are kept by themselves").unwrap();
    let mut loaded: Vec<String> = registry.strategies().values().map(|module| module.digest().to_string()).collect();
    loaded.sort();
    let listed = until_ok(|| store.list()).await;
    assert_eq!(listed.iter().map(|kept| kept.digest.to_string()).collect::<Vec<_>>(), loaded);
    assert_eq!(loaded.len(), 2);
    let rsi = registry.get(&"rsi".parse().unwrap()).unwrap().digest();
    assert_eq!(ModuleDigest::of(&store.get(rsi).await.unwrap().unwrap()), rsi);
}
