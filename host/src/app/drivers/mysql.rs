//! Candles, signals and jobs in the MySQL that replicas share.

use std::sync::Arc;

use ta_bot_drivers::mysql::{
    Mysql, MysqlUri,
    candles::MysqlCandles,
    costs::MysqlCosts,
    deployments::MysqlDeployments,
    failures::MysqlFailures,
    older::{self, OwnTables},
    outbox::MysqlOutbox,
    redecisions::MysqlRedecisions,
    retention::MysqlRetention,
    revisions::MysqlRevisions,
    shadows::MysqlShadows,
};
use ta_bot_engine::{
    market::candle_store::CandleStore,
    support::{checkup::Finding, metrics::Metrics},
};

use super::{Opened, Shared};
use crate::{app::found::Tables, environment::Environment};

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
        retention: Arc::new(MysqlRetention::new(database.clone())),
    };
    let close = move || {
        let database = database.clone();
        async move { database.close().await }
    };
    Ok(Opened { parts, close: super::closing(close) })
}

/// Looks at the tables without changing anything.
pub(super) async fn look(uri: &MysqlUri, _: &Environment) -> anyhow::Result<Tables> {
    let older::Tables { own, signals, missing } = older::look(uri).await?;
    anyhow::ensure!(
        own != OwnTables::Incomplete,
        "the tables of TA Bot in {uri} are not those of this version. A start of the service completes them: start it \
         once, then try again"
    );
    Ok(Tables {
        has_own: own == OwnTables::Complete,
        adds_columns: signals.as_ref().is_none_or(|signals| !signals.has_our_columns),
        signals: signals.map(|signals| (signals.rows, signals.newest)),
        makes_candles: missing,
    })
}

/// Looks at what an operator would look at.
pub(super) async fn inspect(uri: &MysqlUri, _: &Environment) -> Vec<Finding> {
    ta_bot_drivers::mysql::inspect::inspect(uri).await
}

/// The candles, whose tables are left as they are.
pub(super) fn as_it_is(uri: &MysqlUri) -> Arc<dyn CandleStore> {
    Arc::new(MysqlCandles::new(Mysql::as_it_is(uri)))
}
