//! How this process comes to lead.

use std::sync::Arc;

#[cfg(feature = "mysql")]
use ta_bot_drivers::mysql::{MysqlUri, leader::MysqlLeader};
#[cfg(feature = "nats")]
use ta_bot_drivers::nats::{NAMESPACE, NatsAddress, leader::NatsLeader};
#[cfg(any(feature = "mysql", feature = "nats"))]
use ta_bot_engine::pipeline::election::{Register, Timing, elect, inspect as register};
use ta_bot_engine::{
    pipeline::leadership::Leadership,
    support::{checkup::Finding, metrics::Metrics},
};

use super::Task;
use crate::environment::{Election, Environment};

/// How this process leads, and the background task that this needs, if any.
#[allow(clippy::unused_async, reason = "a build without Kubernetes has nothing to wait for")]
#[cfg_attr(
    not(any(feature = "kubernetes", feature = "mysql", feature = "nats")),
    allow(unused_variables, reason = "there is no way to elect")
)]
pub(in crate::app) async fn leadership(
    environment: &Environment,
    metrics: &Arc<Metrics>,
) -> anyhow::Result<(Leadership, Option<Task>)> {
    let Some(election) = &environment.election else {
        return Ok((Leadership::single_node(environment.identity.clone()), None));
    };
    match *election {
        #[cfg(feature = "kubernetes")]
        Election::Kubernetes(ref place) => {
            let (leadership, keeper) = super::kubernetes::open(place, environment, metrics).await?;
            Ok((leadership, Some(keeper)))
        }
        #[cfg(feature = "mysql")]
        Election::Mysql(ref uri) => Ok(elected(row(uri), environment, metrics)),
        #[cfg(feature = "nats")]
        Election::Nats { ref address, replicas } => {
            Ok(elected(message(address, replicas, environment), environment, metrics))
        }
    }
}

/// Looks at the register in which the leader is elected. Returns the name of the subject as well.
#[allow(clippy::unused_async, reason = "a build without servers has nothing to look at")]
#[cfg_attr(
    not(any(feature = "kubernetes", feature = "mysql", feature = "nats")),
    allow(unused_variables, reason = "there is no way to elect")
)]
pub(in crate::app) async fn inspect(election: &Election, environment: &Environment) -> (&'static str, Vec<Finding>) {
    match *election {
        #[cfg(feature = "kubernetes")]
        Election::Kubernetes(ref place) => ("lease", super::kubernetes::inspect(place, environment).await),
        #[cfg(feature = "mysql")]
        Election::Mysql(ref uri) => {
            let remedy = "start the server, or correct MYSQL_URI; the account needs SELECT on ta_bot_leader";
            ("election", register::inspect(&row(uri), remedy).await)
        }
        #[cfg(feature = "nats")]
        Election::Nats { ref address, replicas } => {
            let remedy = "start the server with JetStream, or correct NATS_URL; the user needs the subjects $JS.API.> and \
                          ta-bot.>";
            ("election", register::inspect(&message(address, replicas, environment), remedy).await)
        }
    }
}

#[cfg(feature = "mysql")]
fn row(uri: &MysqlUri) -> MysqlLeader {
    MysqlLeader::open(uri)
}

#[cfg(feature = "nats")]
fn message(address: &NatsAddress, replicas: Option<usize>, environment: &Environment) -> NatsLeader {
    NatsLeader::new(address.clone(), &environment.identity, NAMESPACE, replicas)
}

#[cfg(any(feature = "mysql", feature = "nats"))]
fn elected<R: Register>(register: R, environment: &Environment, metrics: &Arc<Metrics>) -> (Leadership, Option<Task>) {
    let (leadership, keeper) = elect(register, &environment.identity, Timing::default(), Arc::clone(metrics));
    (leadership, Some(Box::new(move |stop| Box::pin(keeper.run(stop)))))
}
