//! The contract tests of what is kept, and for how long.

use std::sync::Arc;

use ta_bot_engine::{
    retention::{
        kind::Kind,
        store::{
            Prunable,
            contract::{self, Stores},
        },
    },
    settings::config_store::ConfigStore,
};

use super::Databases;
use crate::sqlite::{
    Database, config::SqliteConfig, costs::SqliteCosts, deployments::SqliteDeployments, failures::SqliteFailures,
    outbox::SqliteOutbox, retention::SqliteRetention, shadows::SqliteShadows,
};

fn stores(database: &Database) -> Stores {
    Stores {
        retention: Arc::new(SqliteRetention::new(database.clone())),
        outbox: Arc::new(SqliteOutbox::new(database.clone())),
        deployments: Arc::new(SqliteDeployments::new(database.clone())),
        costs: Arc::new(SqliteCosts::new(database.clone())),
        failures: Arc::new(SqliteFailures::new(database.clone())),
        shadows: Arc::new(SqliteShadows::new(database.clone())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_keeps_the_contract() {
    let databases = Databases::new();
    contract::all(async || {
        let (one, two) = databases.fresh().await;
        (stores(&one), stores(&two))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories_keep_the_contract() {
    let databases = Databases::new();
    contract::histories(async || {
        let (one, two) = databases.fresh().await;
        let retention = Arc::new(SqliteRetention::of_settings(one)) as Arc<dyn Prunable>;
        (retention, Arc::new(SqliteConfig::new(two)) as Arc<dyn ConfigStore>)
    })
    .await;
}

#[tokio::test]
async fn each_kind_is_in_one_of_the_two_places() {
    let databases = Databases::new();
    let (database, _) = databases.fresh().await;
    let [all, beside, settings] = [
        SqliteRetention::new(database.clone()),
        SqliteRetention::beside_signals(database.clone()),
        SqliteRetention::of_settings(database),
    ];
    assert_eq!(all.kinds(), [beside.kinds(), settings.kinds()].concat());
    assert_eq!(settings.kinds(), [Kind::Audits]);
}
