//! The contract tests of the stores on SQLite, and tests of what is special to SQLite.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use ta_bot_engine::{
    deployments::log::{self, contract::Replica},
    market::{
        candle_store::{self, CandleStore},
        revision_store::{self, RevisionStore},
    },
    settings::config_store::{self, ConfigStore},
    signals::{
        outbox::{self, Outbox},
        redecision_store::{self, RedecisionStore},
    },
    supervision::{
        costs::{self, CostStore},
        failure::{self, FailureStore},
    },
};
use tempfile::TempDir;

use crate::sqlite::Database;
use crate::sqlite::{
    candles::SqliteCandles, config::SqliteConfig, costs::SqliteCosts, deployments::SqliteDeployments,
    failures::SqliteFailures, outbox::SqliteOutbox, redecisions::SqliteRedecisions, revisions::SqliteRevisions,
};

mod broken;
mod disk;
mod modules;
mod process;
mod retention;
mod shadows;

/// A directory with many databases, which is removed at the end.
struct Databases {
    directory: TempDir,
    made: AtomicU32,
}

impl Databases {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), made: AtomicU32::new(0) }
    }

    /// Returns two handles of a new database, each with connections of its own, like two processes.
    async fn fresh(&self) -> (Database, Database) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(number.to_string());
        (Database::open(&path).await.unwrap(), Database::open(&path).await.unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteCandles::new(database)) as Arc<dyn CandleStore>;
    candle_store::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteConfig::new(database)) as Arc<dyn ConfigStore>;
    config_store::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_keeps_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteOutbox::new(database)) as Arc<dyn Outbox>;
    outbox::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

/// The log of deployments and the outbox, on one database.
fn replica(database: Database) -> Replica {
    let deployments = Arc::new(SqliteDeployments::new(database.clone()));
    Replica { deployments, outbox: Arc::new(SqliteOutbox::new(database)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployments_keep_the_contract() {
    let databases = Databases::new();
    log::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (replica(one), replica(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_compared_with_the_deployments() {
    let databases = Databases::new();
    outbox::contract::fenced(async || {
        let (one, two) = databases.fresh().await;
        (replica(one), replica(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteFailures::new(database)) as Arc<dyn FailureStore>;
    failure::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn costs_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteCosts::new(database)) as Arc<dyn CostStore>;
    costs::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteRevisions::new(database)) as Arc<dyn RevisionStore>;
    revision_store::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (store(one), store(two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_were_made_again_keep_the_contract() {
    let databases = Databases::new();
    let store = |database| Arc::new(SqliteRedecisions::new(database)) as Arc<dyn RedecisionStore>;
    redecision_store::contract::all(async || {
        let (one, two) = databases.fresh().await;
        (Arc::new(SqliteCandles::new(one.clone())) as Arc<dyn CandleStore>, store(one), store(two))
    })
    .await;
}
