//! The contract tests of the store of modules, and tests of damaged bytes.

use std::{fs, sync::Arc};

use ta_bot_engine::{
    modules::{
        bundled::{keep_bundled, load_folder},
        module_store::{ModuleStore, contract},
        registry::Registry,
    },
    support::store_error::StoreError,
};
use ta_bot_wasm::{Limits, Sandbox};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::sqlite::{Database, modules::SqliteModules};

async fn store(folder: &TempDir) -> SqliteModules {
    SqliteModules::new(Database::open(folder.path()).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_keep_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract::all(async || {
        let folder = tempfile::tempdir().unwrap();
        let stores = (store(&folder).await, store(&folder).await);
        folders.lock().unwrap().push(folder);
        (Arc::new(stores.0) as Arc<dyn ModuleStore>, Arc::new(stores.1) as Arc<dyn ModuleStore>)
    })
    .await;
}

#[tokio::test]
async fn bytes_that_have_changed_are_not_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let digest = store.put(b"a module").await.unwrap();
    let mut transaction = Database::open(folder.path()).await.unwrap().begin().await.unwrap();
    sqlx::query("UPDATE strategy_modules SET bytes = x'00'").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    let error = store.get(digest).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains(&digest.to_string()), "{error}");
    let listed = store.list().await.unwrap();
    assert_eq!(store.put(b"a module").await.unwrap(), digest);
    assert_eq!(store.get(digest).await.unwrap().as_deref(), Some(&b"a module"[..]), "kept anew");
    assert_eq!(store.list().await.unwrap(), listed);
}

#[tokio::test]
async fn only_what_was_loaded_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let modules = folder.path().join("modules");
    fs::create_dir(&modules).unwrap();
    fs::write(modules.join("broken.wasm"), b"no module").unwrap();
    let registry = Registry::new();
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    load_folder(&registry, &sandbox, &modules);
    keep_bundled(&store, &modules, &registry, &CancellationToken::new()).await;
    assert_eq!(store.list().await.unwrap(), []);
}
