//! What is kept, and for how long.

use std::sync::Arc;

use ta_bot_drivers::mysql::{
    Mysql, costs::MysqlCosts, deployments::MysqlDeployments, failures::MysqlFailures, outbox::MysqlOutbox,
    retention::MysqlRetention, shadows::MysqlShadows,
};
use ta_bot_engine::retention::store::contract::{self, Stores};

use super::{new_database, open, patiently};

pub(super) fn stores(database: &Mysql) -> Stores {
    Stores {
        retention: Arc::new(MysqlRetention::new(database.clone())),
        outbox: Arc::new(MysqlOutbox::new(database.clone())),
        deployments: Arc::new(MysqlDeployments::new(database.clone())),
        costs: Arc::new(MysqlCosts::new(database.clone())),
        failures: Arc::new(MysqlFailures::new(database.clone())),
        shadows: Arc::new(MysqlShadows::new(database.clone())),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_keeps_the_contract() {
    contract::all(async || {
        let (uri, _) = new_database().await;
        let (one, two) = (open(&uri), open(&uri));
        // If both create the schema at once, it is away for one until the other is done.
        for database in [&one, &two] {
            patiently(async || database.ping().await).await;
        }
        (stores(&one), stores(&two))
    })
    .await;
}
