//! The contract tests of the store of comparisons.

use std::sync::Arc;

use ta_bot_engine::deployments::shadow_store::{ShadowStore, contract};

use crate::sqlite::{Database, shadows::SqliteShadows};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comparisons_keep_the_contract() {
    let folders = std::sync::Mutex::new(Vec::new());
    contract::all(async || {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (Database::open(folder.path()).await.unwrap(), Database::open(folder.path()).await.unwrap());
        folders.lock().unwrap().push(folder);
        let store = |database| Arc::new(SqliteShadows::new(database)) as Arc<dyn ShadowStore>;
        (store(one), store(two))
    })
    .await;
}
