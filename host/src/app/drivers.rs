//! The drivers that the environment names. A part uses its embedded driver unless the environment gives the address of
//! a server.

use std::{path::Path, pin::Pin, sync::Arc};

use ta_bot_api::health::Embedded;
use ta_bot_drivers::sqlite::{
    Database, candles::SqliteCandles, config::SqliteConfig, costs::SqliteCosts, deployments::SqliteDeployments,
    failures::SqliteFailures, modules::SqliteModules, outbox::SqliteOutbox, redecisions::SqliteRedecisions,
    retention::SqliteRetention, revisions::SqliteRevisions, shadows::SqliteShadows,
};
use ta_bot_engine::{
    deployments::{log::DeploymentStore, shadow_store::ShadowStore},
    market::{candle_store::CandleStore, revision_store::RevisionStore, revisions::Revisions},
    modules::{copies::Copies, module_store::ModuleStore},
    pipeline::{
        job_queue::{JobQueue, local::LocalQueue},
        leadership::Leadership,
    },
    retention::{
        pruner::Readers,
        store::{Prunable, RetentionStore},
    },
    settings::{config_store::ConfigStore, last_known::LastKnown},
    signals::{
        bus::{Bus, local::LocalBus},
        expiry::Expiry,
        feed::Feed,
        outbox::Outbox,
        receivers::Receivers,
        redecision_store::RedecisionStore,
    },
    supervision::{costs::CostStore, failure::FailureStore},
    support::{checkup::Finding, metrics::Metrics},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{Layer, Registry};

use super::found::{Stream, Tables};
use crate::{
    environment::{Environment, Mongo, MysqlUri, NatsSettings, WebhooksFile},
    logging,
};

#[cfg(not(all(feature = "mongodb", feature = "mysql", feature = "nats", feature = "otlp", feature = "webhooks")))]
mod absent;
mod election;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "webhooks")]
mod webhooks;

#[cfg(not(feature = "mongodb"))]
use absent as mongodb;
#[cfg(not(feature = "mysql"))]
use absent as mysql;
#[cfg(not(feature = "nats"))]
use absent as nats;
#[cfg(not(feature = "otlp"))]
use absent as otlp;
#[cfg(not(feature = "webhooks"))]
use absent as webhooks;

pub(super) use election::{inspect as inspect_election, leadership};

type Done = Pin<Box<dyn Future<Output = ()> + Send>>;
/// A background task, which works until it is told to stop.
pub(super) type Task = Box<dyn FnOnce(CancellationToken) -> Done + Send + Sync>;
/// Sends what is still pending, and closes a connection.
type Close = Box<dyn Fn() -> Done + Send + Sync>;

/// Parts on a server, and how to close the connection to it.
struct Opened<T> {
    parts: T,
    close: Close,
}

#[cfg(any(feature = "mysql", feature = "nats"))]
fn closing<F: Future<Output = ()> + Send + 'static>(close: impl Fn() -> F + Send + Sync + 'static) -> Close {
    Box::new(move || Box::pin(close()))
}

/// The connections that are held open for the drivers.
pub(super) struct Connections {
    database: Database,
    /// In the order in which they are closed. The database is closed after them.
    servers: Vec<Close>,
}

impl Connections {
    /// Sends what is still pending, and closes the connections.
    pub(super) async fn close(&self) {
        for close in &self.servers {
            close().await;
        }
        self.database.close().await;
    }
}

/// One driver for each port. No driver needs its server to be available yet.
pub(super) struct Drivers {
    pub(super) connections: Connections,
    pub(super) candles: Arc<dyn CandleStore>,
    pub(super) revisions: Arc<Revisions>,
    pub(super) outbox: Arc<dyn Outbox>,
    /// In the same database as the candles.
    pub(super) redecisions: Arc<dyn RedecisionStore>,
    /// In the same database as the outbox.
    pub(super) deployments: Arc<dyn DeploymentStore>,
    pub(super) failures: Arc<dyn FailureStore>,
    pub(super) shadows: Arc<dyn ShadowStore>,
    pub(super) costs: Arc<dyn CostStore>,
    /// What is kept in the database of the outbox.
    pub(super) retention: Arc<dyn RetentionStore>,
    /// What is kept of the histories of the configuration.
    pub(super) histories: Arc<dyn Prunable>,
    pub(super) config: Arc<dyn ConfigStore>,
    pub(super) modules: Arc<dyn ModuleStore>,
    pub(super) bus: Arc<dyn Bus>,
    /// The bus, if it is this process's own.
    pub(super) local_bus: Option<Arc<LocalBus>>,
    pub(super) queue: Arc<dyn JobQueue>,
    /// Where the configuration is kept for a start without its store; `None` if that store is embedded.
    pub(super) last_known: Option<Arc<LastKnown>>,
    /// Where modules are copied for the same purpose.
    pub(super) copies: Option<Copies>,
    /// Prepares the configuration store in the background, if it needs to be prepared.
    pub(super) prepare: Option<Task>,
    pub(super) embedded: Embedded,
}

impl Drivers {
    pub(super) async fn open(environment: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Self> {
        let database = Database::open(&environment.data_dir).await?;
        let Configuration { config, modules, histories, last_known, copies, prepare } = match &environment.mongo {
            Some(mongo) => mongodb::open(mongo, environment, metrics).await?,
            None => Configuration::on_sqlite(&database),
        };
        let mut servers = Vec::new();
        let Messaging { bus, local_bus, queue } = match &environment.nats {
            Some(settings) => {
                let Opened { parts, close } = nats::open(settings, environment, metrics).await?;
                servers.push(close);
                parts
            }
            None => Messaging::local(metrics),
        };
        let shared = match &environment.mysql {
            Some(uri) => {
                let Opened { parts, close } = mysql::open(uri, environment, metrics).await?;
                servers.push(close);
                parts
            }
            None => Shared::on_sqlite(&database),
        };
        let Shared { candles, revisions, outbox, redecisions, deployments, failures, shadows, costs, retention } =
            shared;
        let revisions = Arc::new(Revisions::new(revisions, Arc::clone(metrics)));
        Ok(Self {
            candles,
            revisions,
            outbox,
            redecisions,
            deployments,
            failures,
            shadows,
            costs,
            retention,
            histories,
            config,
            modules,
            embedded: Embedded {
                mysql: environment.mysql.is_none(),
                mongodb: environment.mongo.is_none(),
                nats: local_bus.is_some(),
            },
            bus,
            local_bus,
            queue,
            last_known,
            copies,
            prepare,
            connections: Connections { database, servers },
        })
    }
}

/// Looks at the tables of candles and signals without changing anything.
pub(super) async fn look_at_tables(uri: &MysqlUri, environment: &Environment) -> anyhow::Result<Tables> {
    mysql::look(uri, environment).await
}

/// Finds out what a start of the service would do to the stream of signals.
pub(super) async fn look_at_stream(settings: &NatsSettings, environment: &Environment) -> anyhow::Result<Stream> {
    nats::look(settings, environment).await
}

/// Looks at what an operator would look at on MySQL. So with the others.
pub(super) async fn inspect_mysql(uri: &MysqlUri, environment: &Environment) -> Vec<Finding> {
    mysql::inspect(uri, environment).await
}

pub(super) async fn inspect_mongodb(mongo: &Mongo, environment: &Environment) -> Vec<Finding> {
    mongodb::inspect(mongo, environment).await
}

pub(super) async fn inspect_nats(settings: &NatsSettings, environment: &Environment) -> Vec<Finding> {
    nats::inspect(settings, environment).await
}

/// Reads the file of receivers, and returns how many there are, or what is wrong with it.
pub(super) async fn inspect_webhooks(file: &WebhooksFile, environment: &Environment) -> Result<usize, String> {
    webhooks::inspect(file, environment).await
}

/// Stores that are left as they are; `None` if an embedded one was not made yet.
pub(super) struct AsTheyAre {
    pub(super) config: Option<Arc<dyn ConfigStore>>,
    pub(super) candles: Option<Arc<dyn CandleStore>>,
}

/// The stores of the configuration and of candles, which nothing is made or changed in.
pub(super) fn as_they_are(environment: &Environment) -> AsTheyAre {
    let database = Database::as_it_is(&environment.data_dir);
    let config = match &environment.mongo {
        Some(mongo) => Some(mongodb::as_it_is(mongo)),
        None => database.clone().map(|database| Arc::new(SqliteConfig::new(database)) as _),
    };
    let candles = match &environment.mysql {
        Some(uri) => Some(mysql::as_it_is(uri)),
        None => database.map(|database| Arc::new(SqliteCandles::new(database)) as _),
    };
    AsTheyAre { config, candles }
}

/// A store of candles in a folder of its own.
pub(super) async fn candles_in(folder: &Path) -> anyhow::Result<Arc<dyn CandleStore>> {
    Ok(Arc::new(SqliteCandles::new(Database::open(folder).await?)))
}

/// Where signals for receivers over HTTP come from, and who may deliver them.
#[cfg_attr(not(feature = "webhooks"), allow(dead_code, reason = "nobody is delivered to"))]
pub(super) struct Deliveries {
    pub(super) outbox: Arc<dyn Outbox>,
    pub(super) feed: Arc<Feed>,
    pub(super) leadership: Leadership,
    pub(super) expiry: Expiry,
}

/// Receivers of signals over HTTP.
pub(super) struct Webhooks {
    pub(super) receivers: Arc<Receivers>,
    /// Returns the names under which is kept how far they have come.
    pub(super) readers: Readers,
    /// Delivers to them.
    pub(super) deliver: Box<dyn FnOnce(Deliveries, CancellationToken) -> Done + Send + Sync>,
}

impl Webhooks {
    /// Reads the file of receivers, if there is one.
    pub(super) async fn open(environment: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Self>> {
        match &environment.webhooks {
            Some(file) => webhooks::open(file, environment, metrics).await.map(Some),
            None => Ok(None),
        }
    }
}

/// What goes to a collector of telemetry.
pub(super) struct Telemetry {
    /// Takes the lines of the log, if they are sent.
    pub(super) log: Option<Box<dyn Layer<Registry> + Send + Sync>>,
    /// Sends until it is told to stop, and then what is left.
    pub(super) send: Task,
}

impl Telemetry {
    /// Starts to collect telemetry, if there is somewhere to send it.
    pub(super) fn start(environment: &Environment, metrics: &Arc<Metrics>) -> anyhow::Result<Option<Self>> {
        environment.telemetry.as_deref().map(|settings| otlp::start(settings, environment, metrics)).transpose()
    }

    /// Sends from now on.
    pub(super) fn run(self) -> SentTelemetry {
        if let Some(log) = self.log {
            logging::send_to(log);
        }
        let stop = CancellationToken::new();
        SentTelemetry { sending: tokio::spawn((self.send)(stop.clone())), stop }
    }
}

/// Telemetry that is being sent.
pub(super) struct SentTelemetry {
    sending: JoinHandle<()>,
    stop: CancellationToken,
}

impl SentTelemetry {
    /// Sends what is left.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.sending.await.ok();
    }
}

/// The stores of what operators set, and what makes a start without these stores possible.
struct Configuration {
    config: Arc<dyn ConfigStore>,
    modules: Arc<dyn ModuleStore>,
    histories: Arc<dyn Prunable>,
    last_known: Option<Arc<LastKnown>>,
    copies: Option<Copies>,
    prepare: Option<Task>,
}

impl Configuration {
    fn on_sqlite(database: &Database) -> Self {
        Self {
            config: Arc::new(SqliteConfig::new(database.clone())),
            modules: Arc::new(SqliteModules::new(database.clone())),
            histories: Arc::new(SqliteRetention::of_settings(database.clone())),
            last_known: None,
            copies: None,
            prepare: None,
        }
    }
}

/// The stores that share a database.
struct Shared {
    candles: Arc<dyn CandleStore>,
    revisions: Arc<dyn RevisionStore>,
    outbox: Arc<dyn Outbox>,
    redecisions: Arc<dyn RedecisionStore>,
    deployments: Arc<dyn DeploymentStore>,
    failures: Arc<dyn FailureStore>,
    shadows: Arc<dyn ShadowStore>,
    costs: Arc<dyn CostStore>,
    retention: Arc<dyn RetentionStore>,
}

impl Shared {
    fn on_sqlite(database: &Database) -> Self {
        Self {
            candles: Arc::new(SqliteCandles::new(database.clone())),
            revisions: Arc::new(SqliteRevisions::new(database.clone())),
            outbox: Arc::new(SqliteOutbox::new(database.clone())),
            redecisions: Arc::new(SqliteRedecisions::new(database.clone())),
            deployments: Arc::new(SqliteDeployments::new(database.clone())),
            failures: Arc::new(SqliteFailures::new(database.clone())),
            shadows: Arc::new(SqliteShadows::new(database.clone())),
            costs: Arc::new(SqliteCosts::new(database.clone())),
            retention: Arc::new(SqliteRetention::beside_signals(database.clone())),
        }
    }
}

/// The bus and the job queue.
struct Messaging {
    bus: Arc<dyn Bus>,
    /// The bus, if it is this process's own.
    local_bus: Option<Arc<LocalBus>>,
    queue: Arc<dyn JobQueue>,
}

impl Messaging {
    fn local(metrics: &Arc<Metrics>) -> Self {
        let bus = Arc::new(LocalBus::new());
        let queue = Arc::new(LocalQueue::new(Arc::clone(metrics)));
        Self { bus: Arc::clone(&bus) as _, local_bus: Some(bus), queue }
    }
}
