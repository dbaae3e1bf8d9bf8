//! The drivers that the environment names: the embedded ones, unless it says where the real part is.

use std::sync::Arc;

use ta_bot_api::health::Embedded;
use ta_bot_drivers::{
    mongodb::{config::MongoConfig, modules::MongoModules},
    mysql::{
        Mysql, candles::MysqlCandles, costs::MysqlCosts, deployments::MysqlDeployments, failures::MysqlFailures,
        outbox::MysqlOutbox, shadows::MysqlShadows,
    },
    nats::{
        NAMESPACE, Nats,
        bus::NatsBus,
        job_queue::{ACK_WAIT, NatsQueue},
    },
    sqlite::{
        Database, candles::SqliteCandles, config::SqliteConfig, costs::SqliteCosts, deployments::SqliteDeployments,
        failures::SqliteFailures, modules::SqliteModules, outbox::SqliteOutbox, shadows::SqliteShadows,
    },
};
use ta_bot_engine::{
    deployments::{log::DeploymentStore, shadow_store::ShadowStore},
    market::{cache::CandleCache, candle_store::CandleStore},
    modules::{copies::Copies, module_store::ModuleStore},
    pipeline::job_queue::{JobQueue, local::LocalQueue},
    settings::{config_store::ConfigStore, last_known::LastKnown},
    signals::{
        bus::{Bus, local::LocalBus},
        outbox::Outbox,
    },
    supervision::{costs::CostStore, failure::FailureStore},
    support::metrics::Metrics,
};

use crate::environment::{Environment, NatsSettings};

/// What is held open for the drivers.
pub(super) struct Connections {
    database: Database,
    mysql: Option<Mysql>,
    nats: Option<Nats>,
}

impl Connections {
    /// Sends what is still to be sent, and closes them.
    pub(super) async fn close(&self) {
        if let Some(nats) = &self.nats
            && let Err(error) = nats.flush().await
        {
            tracing::warn!(%error, "the last messages to NATS may not have been sent");
        }
        if let Some(mysql) = &self.mysql {
            mysql.close().await;
        }
        self.database.close().await;
    }
}

/// One driver for each port. None of them needs its server to be there yet.
pub(super) struct Drivers {
    pub(super) connections: Connections,
    pub(super) candles: Arc<dyn CandleStore>,
    /// The store of candles without a cache before it.
    pub(super) stored_candles: Arc<dyn CandleStore>,
    pub(super) outbox: Arc<dyn Outbox>,
    /// In the outbox's database.
    pub(super) deployments: Arc<dyn DeploymentStore>,
    pub(super) failures: Arc<dyn FailureStore>,
    pub(super) shadows: Arc<dyn ShadowStore>,
    pub(super) costs: Arc<dyn CostStore>,
    pub(super) config: Arc<dyn ConfigStore>,
    pub(super) modules: Arc<dyn ModuleStore>,
    pub(super) bus: Arc<dyn Bus>,
    /// The bus, where it is this process's own.
    pub(super) local_bus: Option<Arc<LocalBus>>,
    pub(super) queue: Arc<dyn JobQueue>,
    /// Where the configuration is kept for a start without its store; none where that is embedded.
    pub(super) last_known: Option<Arc<LastKnown>>,
    /// Where modules are copied for the same.
    pub(super) copies: Option<Copies>,
    pub(super) embedded: Embedded,
}

impl Drivers {
    pub(super) async fn open(environment: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let database = Database::open(&environment.data_dir).await?;
        let (config, modules): (Arc<dyn ConfigStore>, Arc<dyn ModuleStore>) = match &environment.mongo {
            Some(mongo) => {
                metrics.add(Box::new(mongo.calls()))?;
                (Arc::new(MongoConfig::new(mongo.clone())), Arc::new(MongoModules::new(mongo.clone())))
            }
            None => (Arc::new(SqliteConfig::new(database.clone())), Arc::new(SqliteModules::new(database.clone()))),
        };
        let last_known = environment.mongo.as_ref().map(|mongo| LastKnown::open(&environment.data_dir, mongo.place()));
        let copies = environment.mongo.as_ref().map(|_| Copies::of(&environment.data_dir));
        let mysql = environment.mysql.as_ref().map(Mysql::open);
        let Shared { candles, outbox, deployments, failures, shadows, costs } = match &mysql {
            Some(mysql) => {
                metrics.add(Box::new(mysql.gauge()?))?;
                Shared::on_mysql(mysql)
            }
            None => Shared::on_sqlite(&database),
        };
        let Messaging { bus, local_bus, queue, nats } = messaging(environment, metrics).await?;
        Ok(Self {
            candles: Arc::new(CandleCache::new(Arc::clone(&candles))),
            stored_candles: candles,
            outbox,
            deployments,
            failures,
            shadows,
            costs,
            config,
            modules,
            embedded: Embedded {
                mysql: mysql.is_none(),
                mongodb: environment.mongo.is_none(),
                nats: local_bus.is_some(),
            },
            bus,
            local_bus,
            queue,
            last_known,
            copies,
            connections: Connections { database, mysql, nats },
        })
    }
}

/// The stores that share a database.
struct Shared {
    candles: Arc<dyn CandleStore>,
    outbox: Arc<dyn Outbox>,
    deployments: Arc<dyn DeploymentStore>,
    failures: Arc<dyn FailureStore>,
    shadows: Arc<dyn ShadowStore>,
    costs: Arc<dyn CostStore>,
}

impl Shared {
    fn on_mysql(database: &Mysql) -> Self {
        Self {
            candles: Arc::new(MysqlCandles::new(database.clone())),
            outbox: Arc::new(MysqlOutbox::new(database.clone())),
            deployments: Arc::new(MysqlDeployments::new(database.clone())),
            failures: Arc::new(MysqlFailures::new(database.clone())),
            shadows: Arc::new(MysqlShadows::new(database.clone())),
            costs: Arc::new(MysqlCosts::new(database.clone())),
        }
    }

    fn on_sqlite(database: &Database) -> Self {
        Self {
            candles: Arc::new(SqliteCandles::new(database.clone())),
            outbox: Arc::new(SqliteOutbox::new(database.clone())),
            deployments: Arc::new(SqliteDeployments::new(database.clone())),
            failures: Arc::new(SqliteFailures::new(database.clone())),
            shadows: Arc::new(SqliteShadows::new(database.clone())),
            costs: Arc::new(SqliteCosts::new(database.clone())),
        }
    }
}

/// Bus and job queue, which share a connection.
struct Messaging {
    bus: Arc<dyn Bus>,
    local_bus: Option<Arc<LocalBus>>,
    queue: Arc<dyn JobQueue>,
    nats: Option<Nats>,
}

async fn messaging(environment: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Messaging> {
    let Some(NatsSettings { address, events, signals }) = &environment.nats else {
        let (bus, queue) = (Arc::new(LocalBus::new()), Arc::new(LocalQueue::new(Arc::clone(metrics))));
        return Ok(Messaging { bus: Arc::clone(&bus) as _, local_bus: Some(bus), queue, nats: None });
    };
    let nats = Nats::connect(address, &environment.identity, NAMESPACE, Arc::clone(metrics)).await?;
    let bus = Arc::new(NatsBus::start(nats.clone(), events, signals, Arc::clone(metrics)).await?);
    let queue = Arc::new(NatsQueue::new(nats.clone(), ACK_WAIT, Arc::clone(metrics)));
    Ok(Messaging { bus, local_bus: None, queue, nats: Some(nats) })
}
