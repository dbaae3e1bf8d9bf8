//! Candles, signals and jobs in the MySQL that replicas share.

use std::sync::Arc;

use ta_bot_drivers::mysql::{
    Mysql, MysqlUri, candles::MysqlCandles, costs::MysqlCosts, deployments::MysqlDeployments, failures::MysqlFailures,
    outbox::MysqlOutbox, redecisions::MysqlRedecisions, revisions::MysqlRevisions, shadows::MysqlShadows,
};
use ta_bot_engine::support::metrics::Metrics;

use super::{Opened, Shared};
use crate::environment::Environment;

#[allow(clippy::unused_async, reason = "opening other servers is asynchronous")]
pub(super) async fn open(uri: &MysqlUri, _: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Opened<Shared>> {
    let database = Mysql::open(uri);
    metrics.add(Box::new(database.gauge()?))?;
    let parts = Shared {
        candles: Arc::new(MysqlCandles::new(database.clone())),
        revisions: Arc::new(MysqlRevisions::new(database.clone())),
        outbox: Arc::new(MysqlOutbox::new(database.clone())),
        redecisions: Arc::new(MysqlRedecisions::new(database.clone())),
        deployments: Arc::new(MysqlDeployments::new(database.clone())),
        failures: Arc::new(MysqlFailures::new(database.clone())),
        shadows: Arc::new(MysqlShadows::new(database.clone())),
        costs: Arc::new(MysqlCosts::new(database.clone())),
    };
    let close = move || {
        let database = database.clone();
        async move { database.close().await }
    };
    Ok(Opened { parts, close: super::closing(close) })
}
