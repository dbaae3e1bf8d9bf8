//! The configuration and the modules in the MongoDB that replicas share.

use std::sync::Arc;

use ta_bot_drivers::mongodb::{Mongo, config::MongoConfig, modules::MongoModules, retention::MongoRetention};
use ta_bot_engine::{
    modules::copies::Copies,
    settings::{config_store::ConfigStore, last_known::LastKnown},
    support::{checkup::Finding, metrics::Metrics},
};

use super::Configuration;
use crate::environment::Environment;

#[allow(clippy::unused_async, reason = "opening other servers is asynchronous")]
pub(super) async fn open(
    mongo: &Mongo,
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<Configuration> {
    metrics.add(Box::new(mongo.calls()))?;
    let preparing = mongo.clone();
    Ok(Configuration {
        config: Arc::new(MongoConfig::new(mongo.clone())),
        modules: Arc::new(MongoModules::new(mongo.clone())),
        histories: Arc::new(MongoRetention::new(mongo.clone())),
        last_known: Some(LastKnown::open(&environment.data_dir, mongo.place())),
        copies: Some(Copies::of(&environment.data_dir)),
        prepare: Some(Box::new(move |stop| Box::pin(async move { preparing.prepare(stop).await }))),
    })
}

/// Looks at what an operator would look at.
pub(super) async fn inspect(mongo: &Mongo, _: &Environment) -> Vec<Finding> {
    ta_bot_drivers::mongodb::inspect::inspect(mongo).await
}

/// The configuration. Reading it makes no index.
pub(super) fn as_it_is(mongo: &Mongo) -> Arc<dyn ConfigStore> {
    Arc::new(MongoConfig::new(mongo.clone()))
}
