//! The servers, the replicas, and the proxies between them.

use std::{collections::HashMap, fs, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{KubeConfigOptions, Kubeconfig},
};
use sqlx::AssertSqlSafe;
use ta_bot_core::Timestamp;
use ta_bot_test_servers::{KubeApi, MariaDb, Mongo, Nats, Proxy};
use tempfile::TempDir;

use super::{
    market::{LONG, Market, SHORT},
    replica::Replica,
};
use crate::{root, strategies_dir, until};

/// The base of the subjects that signals are sent to.
pub const SUBJECT: &str = "cio.intent.trading";
/// What readers of signals subscribe to.
pub const READERS: &str = "cio.intent.trading.>";
const NAMESPACE: &str = "petrosa-apps";
const DATABASE: &str = "market";
/// How long the replicas may take to come to rest once everything works.
const REST: Duration = Duration::from_mins(3);

/// The way in which the replicas elect their leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named for the server it is on")]
pub enum Election {
    Kubernetes,
    Mysql,
    Nats,
}

impl Election {
    /// All ways.
    pub const ALL: [Self; 3] = [Self::Kubernetes, Self::Mysql, Self::Nats];

    /// How `LEADER_ELECTION` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "kubernetes",
            Self::Mysql => "mysql",
            Self::Nats => "nats",
        }
    }
}

/// Everything that a run needs. Replicas reach the servers through proxies; the test itself connects to them directly.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is named for the server it is")]
pub struct Fleet {
    pub maria: MariaDb,
    pub nats: Nats,
    pub mongo: Mongo,
    /// Only there if the leader is elected on it.
    pub kube: Option<KubeApi>,
    pub proxies: Proxies,
    pub replicas: Vec<Replica>,
    /// How many series the market has.
    series: usize,
    folder: TempDir,
}

/// The connections that a test can disturb: to each store and bus for all replicas at once, and to what the leader is
/// elected in for each replica separately. If that is a store or the bus, a replica reaches it over both.
#[derive(Debug)]
#[allow(missing_docs, reason = "each is named for the server it leads to")]
pub struct Proxies {
    pub mysql: Proxy,
    pub nats: Proxy,
    pub mongodb: Proxy,
    pub election: Vec<Proxy>,
}

impl Proxies {
    /// All proxies.
    pub fn all(&self) -> impl Iterator<Item = &Proxy> {
        [&self.mysql, &self.nats, &self.mongodb].into_iter().chain(&self.election)
    }
}

impl Fleet {
    /// Starts the servers, writes the market's history, and prepares the given number of replicas, which are not
    /// started yet.
    pub async fn start(market: &Market, replicas: usize) -> Self {
        Self::start_by(Election::Kubernetes, market, replicas).await
    }

    /// Like [`start`](Self::start), with a leader that is elected in this way.
    pub async fn start_by(election: Election, market: &Market, replicas: usize) -> Self {
        let kube = async { if election == Election::Kubernetes { KubeApi::start().await.map(Some) } else { Ok(None) } };
        let servers = tokio::try_join!(MariaDb::start(), Nats::start(), Mongo::start(), kube).unwrap();
        Self::on(servers, election, market, replicas).await
    }

    /// Like [`start`](Self::start), on servers that are soon full: MySQL has 48 MB, NATS 16 MB.
    pub async fn start_with_little_room(market: &Market, replicas: usize) -> Self {
        let (maria, nats) = (MariaDb::start_with_room(48), Nats::start_with_room(16 << 20));
        let (maria, nats, mongo, kube) = tokio::try_join!(maria, nats, Mongo::start(), KubeApi::start()).unwrap();
        Self::on((maria, nats, mongo, Some(kube)), Election::Kubernetes, market, replicas).await
    }

    async fn on(
        (maria, nats, mongo, kube): (MariaDb, Nats, Mongo, Option<KubeApi>),
        election: Election,
        market: &Market,
        replicas: usize,
    ) -> Self {
        let uri = maria.create_database(DATABASE).await.unwrap();
        let pool = sqlx::MySqlPool::connect(&uri).await.unwrap();
        market.write_history(&pool).await.unwrap();
        if let Some(kube) = &kube {
            make_namespace(kube).await;
        }
        let (mysql, to_nats) = (Proxy::start(maria.address()).unwrap(), Proxy::start(nats.address()).unwrap());
        let elected_at = match (election, &kube) {
            (Election::Kubernetes, Some(kube)) => kube.address(),
            (Election::Nats, _) => to_nats.address(),
            _ => mysql.address(),
        };
        let proxies = Proxies {
            mysql,
            nats: to_nats,
            mongodb: Proxy::start(mongo.address()).unwrap(),
            election: (0..replicas).map(|_| Proxy::start(elected_at).unwrap()).collect(),
        };
        let folder = tempfile::tempdir().unwrap();
        let series = 2 * market.symbols.len();
        let mut fleet = Self { maria, nats, mongo, kube, proxies, replicas: Vec::new(), series, folder };
        for index in 0..replicas {
            fleet.replicas.push(fleet.replica(index, election, market));
        }
        fleet
    }

    fn replica(&self, index: usize, election: Election, market: &Market) -> Replica {
        let folder = self.folder.path().join(format!("replica-{index}"));
        let data = folder.join("data");
        fs::create_dir_all(&data).unwrap();
        // Compiling thirty modules for each replica of each run would take longer than the runs.
        let shared = root().join("target/compiled-for-tests");
        fs::create_dir_all(&shared).unwrap();
        std::os::unix::fs::symlink(shared, data.join("compiled")).unwrap();
        let kubeconfig = folder.join("kubeconfig");
        let way = self.proxies.election[index].address();
        if let Some(kube) = &self.kube {
            fs::write(&kubeconfig, kube.kubeconfig_at(way, KubeApi::ADMIN).unwrap()).unwrap();
        }
        let to_mysql = if election == Election::Mysql { way } else { self.proxies.mysql.address() };
        let to_nats = if election == Election::Nats { way } else { self.proxies.nats.address() };
        let symbols: Vec<_> = market.symbols.iter().map(ta_bot_core::Symbol::as_str).collect();
        let mut variables = HashMap::from([
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
            ("DATA_DIR", data.display().to_string()),
            ("STRATEGIES_DIR", strategies_dir().display().to_string()),
            ("MYSQL_URI", self.maria.uri_at(to_mysql, DATABASE)),
            ("MONGODB_URI", self.mongo.uri_at(self.proxies.mongodb.address())),
            ("NATS_URL", self.nats.url_at(to_nats)),
            ("NATS_TOPIC_INTENTS", SUBJECT.to_owned()),
            ("LEADER_ELECTION_ENABLED", "true".to_owned()),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("POD_NAMESPACE", NAMESPACE.to_owned()),
            ("POD_NAME", format!("ta-bot-{index}")),
            ("SUPPORTED_SYMBOLS", symbols.join(",")),
            ("SUPPORTED_TIMEFRAMES", format!("{SHORT},{LONG}")),
            ("LOG_LEVEL", "info,ta_bot_engine::pipeline::analysis=warn,ta_bot_engine::signals::relay=warn".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
        ]);
        // Older versions know only the variable above, which means Kubernetes.
        if election != Election::Kubernetes {
            variables.insert("LEADER_ELECTION", election.name().to_owned());
        }
        Replica::new(&folder, variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Starts every replica, and waits until all are ready and have begun with every series. They look at what closes
    /// after that.
    pub async fn start_replicas(&mut self) {
        for replica in &mut self.replicas {
            replica.start().await;
        }
        for replica in &self.replicas {
            replica.ready().await;
        }
        self.until("series begun", "SELECT COUNT(*) FROM begun_series", self.series).await;
    }

    /// For benchmarks: the replicas reach the servers without proxies, and a commit waits for the disk, which the tests
    /// spare themselves. Must be called before the replicas start.
    pub async fn as_in_production(&mut self) {
        for replica in &mut self.replicas {
            replica.set("MYSQL_URI", &self.maria.uri(DATABASE));
            replica.set("MONGODB_URI", &self.mongo.uri());
            replica.set("NATS_URL", &self.nats.url());
        }
        self.maria.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await.unwrap();
    }

    /// Lets the replicas come to MySQL as a user without special rights, as in production. Must be called before the
    /// replicas start.
    pub async fn as_plain_user(&mut self) {
        let uri = self.maria.uri_of_user("ta_bot", self.proxies.mysql.address(), DATABASE).await.unwrap();
        for replica in &mut self.replicas {
            replica.set("MYSQL_URI", &uri);
        }
    }

    /// Direct connections to the database.
    pub fn pool(&self) -> sqlx::MySqlPool {
        sqlx::MySqlPool::connect_lazy(&self.mysql_uri()).unwrap()
    }

    /// The URI of the database, without a proxy between.
    pub fn mysql_uri(&self) -> String {
        self.maria.uri(DATABASE)
    }

    /// Waits until `jobs` jobs are finished and no signal waits.
    pub async fn until_finished(&self, jobs: usize) {
        self.until("jobs finished", "SELECT COUNT(*) FROM finished_jobs", jobs).await;
        self.until("signals not published", "SELECT COUNT(*) FROM signals WHERE waiting = 1", 0).await;
    }

    /// Waits until `jobs` jobs of one close are finished and no signal waits. It does not go through everything in the
    /// tables, because a measurement must not take the server's time.
    pub async fn until_closed(&self, close: Timestamp, jobs: usize) {
        let (short, long, close) = (SHORT, LONG, close.millis());
        let finished = format!(
            "SELECT COUNT(*) FROM finished_jobs WHERE timeframe IN ('{short}', '{long}') AND candle_close = {close}"
        );
        self.until("jobs finished", &finished, jobs).await;
        self.until("signals not published", "SELECT COUNT(*) FROM signals WHERE waiting = 1", 0).await;
    }

    /// Waits until the query `count` returns `wanted`.
    async fn until(&self, what: &str, count: &str, wanted: usize) {
        let pool = self.pool();
        // The table may not exist yet.
        let found = async || sqlx::query_scalar::<_, i64>(AssertSqlSafe(count)).fetch_one(&pool).await.unwrap_or(-1);
        let otherwise = async || format!("{what}: {} instead of {wanted}\n{}", found().await, self.logs());
        until(REST, otherwise, async || found().await == wanted as i64).await;
    }

    /// How many jobs were given up.
    pub async fn dead_jobs(&self) -> i64 {
        sqlx::query_scalar("SELECT COUNT(*) FROM dead_jobs").fetch_one(&self.pool()).await.unwrap()
    }

    /// The ends of all logs, for the message of a failure.
    pub fn logs(&self) -> String {
        let log = |(index, replica): (usize, &Replica)| format!("--- replica {index}\n{}", replica.log_tail());
        self.replicas.iter().enumerate().map(log).collect::<Vec<_>>().join("\n")
    }
}

async fn make_namespace(kube: &KubeApi) {
    let kubeconfig = Kubeconfig::from_yaml(&kube.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(Client::try_from(config).unwrap());
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(NAMESPACE.to_owned());
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}
