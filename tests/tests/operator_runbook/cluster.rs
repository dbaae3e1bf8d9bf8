//! The cluster in which the runbook is worked through: the servers, the objects of Kubernetes, three replicas, and what
//! an operator finds there.
//!
//! | what | how it came there |
//! |---|---|
//! | a history of four symbols and two to three hours after it | written as the Data Extractor writes it, all decided |
//! | an unfinished and an unsound candle of ADAUSDT, and their dead jobs | such rows were written |
//! | a revision of a candle of ETHUSDT | its row was changed after its job |
//! | `traps_on_others`, quarantined, and bundles of its failures | it failed on three symbols |
//! | `traps_on_symbol`, suspended on ETHUSDT | it failed there |
//! | `rsi-2.wasm` in the operator's folder | the built-in module with one more section, so with another digest |
//! | five older revisions of the Deployment | `ReplicaSets` as the controller leaves them |

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use kube::Client;
use serde_json::{Value as Json, json};
use ta_bot_test_servers::{KubeApi, MariaDb, Mongo, Nats, Port, Prometheus, PrometheusSetup};
use ta_bot_tests::{root, strategies_dir, until};
use tempfile::TempDir;

use crate::{
    controller::Controller,
    market::{Market, SYMBOLS},
    neighbours::Neighbours,
    objects::{self, NAME, NAMESPACE},
    stage::{OnStage, Stage},
};

const PATIENCE: Duration = Duration::from_mins(1);
const DATABASE: &str = "petrosa";
/// Strategies that fail, one everywhere but on BTCUSDT, the other on ETHUSDT alone.
const FAULTY: [&str; 2] = ["traps_on_others", "traps_on_symbol"];

/// Everything but the replicas, which are the controller's. It ends when it is dropped.
pub(crate) struct Cluster {
    pub(crate) stage: Arc<Stage>,
    pub(crate) prometheus: Prometheus,
    pub(crate) neighbours: Neighbours,
    pub(crate) client: Client,
    kube: KubeApi,
    folder: TempDir,
}

impl Cluster {
    /// Starts everything. The controller has to go on while commands run.
    pub(crate) async fn start() -> (Self, Controller) {
        let ports: Vec<Port> = (0..3).map(|_| Port::reserve().unwrap()).collect();
        let cluster = Self::with_servers(&ports).await;
        let uri = cluster.neighbours.new_database(DATABASE).await;
        let pool = sqlx::MySqlPool::connect(&uri).await.unwrap();
        let objects = objects::make(&cluster.client, &cluster.kube, &cluster.stage);
        let (market, ()) = tokio::join!(Market::begin(pool.clone()), objects);
        let mut variables = cluster.variables().await;
        variables.extend(objects::variables(&cluster.client).await);
        let (stage, folder) = (Arc::clone(&cluster.stage), cluster.folder.path());
        let mut controller = Controller::new(cluster.client.clone(), stage, folder, ports, variables);
        // One replica alone sees every failure, which each counts for itself.
        objects::scale(&cluster.client, 1).await;
        controller.step().await;
        cluster.happen(&market, &pool, &controller.url()).await;
        objects::scale(&cluster.client, 3).await;
        controller.step().await;
        fs::write(cluster.stage.work().join("rsi-2.wasm"), another_rsi()).unwrap();
        (cluster, controller)
    }

    async fn with_servers(ports: &[Port]) -> Self {
        let targets = ports.iter().enumerate().map(|(index, port)| (format!("{NAME}-{index}"), port.address()));
        let setup = PrometheusSetup {
            job: format!("{NAME}-service"),
            targets: targets.collect(),
            rules: rules(),
            ..PrometheusSetup::default()
        };
        let prometheus = Prometheus::start(&setup);
        let servers =
            tokio::try_join!(MariaDb::start(), Nats::start(), Mongo::start(), KubeApi::start(), prometheus).unwrap();
        let (maria, nats, mongo, kube, prometheus) = servers;
        let (stage, folder) = (Arc::new(Stage::new()), tempfile::tempdir().unwrap());
        enter_servers(&stage, &maria, &nats, &mongo, &prometheus);
        let client = objects::client(&kube).await;
        let neighbours = Neighbours::new(maria, nats, mongo, client.clone());
        Self { stage, prometheus, neighbours, client, kube, folder }
    }

    /// The variables that every replica has, beside those of the `ConfigMap`.
    async fn variables(&self) -> HashMap<String, String> {
        let kubeconfig = self.folder.path().join("kubeconfig");
        fs::write(&kubeconfig, as_account(&self.kube.kubeconfig(KubeApi::ADMIN).unwrap())).unwrap();
        let [mysql, mongodb, nats] = self.neighbours.addresses(DATABASE).await;
        let variables = [
            ("STRATEGIES_DIR", strategies(self.folder.path()).display().to_string()),
            ("MYSQL_URI", mysql),
            ("MONGODB_URI", mongodb),
            ("NATS_URL", nats),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("POD_NAMESPACE", NAMESPACE.to_owned()),
            ("SUPPORTED_SYMBOLS", SYMBOLS.join(",")),
            // The candles are old ones.
            ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
            ("CANDLE_PATIENCE_SECONDS", "0".to_owned()),
            // A slow evaluation on a busy machine must not fail a test.
            ("STRATEGY_TIMEOUT_MS", "20000".to_owned()),
            // What is told here is heard by nobody.
            ("OTEL_ENABLED", "true".to_owned()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ];
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Lets the market go on until everything in the table above has happened.
    async fn happen(&self, market: &Market, pool: &sqlx::MySqlPool, replica: &str) {
        let count = async |query: &'static str| sqlx::query_scalar::<_, i64>(query).fetch_one(pool).await.unwrap_or(-1);
        let series = SYMBOLS.len() as i64 * 3;
        let begun = async || count("SELECT COUNT(*) FROM begun_series").await;
        until(PATIENCE, async || format!("{} series", begun().await), async || begun().await == series).await;
        // What happens from now on is more than Prometheus has seen.
        let scraped = async || self.prometheus.query("ta_bot_build_info").await.is_ok_and(|text| text.contains("pod"));
        until(PATIENCE, async || "Prometheus scrapes nothing".to_owned(), scraped).await;
        let candles = market.goes_on().await as i64;
        self.announce().await;
        let ended = "SELECT (SELECT COUNT(*) FROM finished_jobs) + (SELECT COUNT(*) FROM dead_jobs)";
        let ended = async || count(ended).await;
        until(PATIENCE, async || format!("{} of {candles} jobs", ended().await), async || ended().await >= candles)
            .await;
        let quarantined = async || {
            let strategy = get(replica, &format!("/api/v1/strategies/{}", FAULTY[0])).await;
            strategy["data"]["state"] == "quarantined"
        };
        until(PATIENCE, async || "nothing is quarantined".to_owned(), quarantined).await;
        market.revise().await;
        let analyse = reqwest::Client::new().post(format!("{replica}/api/v1/test/analyze"));
        let analysed = analyse.json(&json!({"symbol": "ETHUSDT", "timeframe": "5m"})).send().await.unwrap();
        assert_eq!(analysed.status(), 200);
        let revised = async || get(replica, "/api/v1/candles/revisions").await["metadata"]["count"] == 1;
        until(PATIENCE, async || "no revision was noticed".to_owned(), revised).await;
    }

    /// Says that candles are there, as the Data Extractor does.
    async fn announce(&self) {
        let events = async_nats::connect(self.neighbours.nats_url().await).await.unwrap();
        for timeframe in ["5m", "15m", "1h"] {
            let event = json!({"event_type": "batch_extraction_completed", "symbols": SYMBOLS, "period": timeframe});
            let subject = format!("binance.extraction.klines.batch.{timeframe}");
            events.publish(subject, event.to_string().into()).await.unwrap();
        }
        events.flush().await.unwrap();
    }
}

/// Puts the servers on the stage, by the names that they have in the cluster.
fn enter_servers(stage: &Stage, maria: &MariaDb, nats: &Nats, mongo: &Mongo, prometheus: &Prometheus) {
    let all = [
        (NAMESPACE, "mysql", 3306, maria.address(), maria.pid()),
        (NAMESPACE, "mongodb", 27017, mongo.address(), mongo.pid()),
        ("nats", "nats-server", 4222, nats.address(), nats.pid()),
        ("monitoring", "prometheus", 9090, prometheus.address(), prometheus.pid()),
    ];
    for (namespace, name, port, address, pid) in all {
        let pid = pid.unwrap();
        // Its output is its log.
        let log = fs::read_link(format!("/proc/{pid}/fd/2")).unwrap();
        let pod = format!("{name}-0");
        stage.enter(&OnStage { namespace, name: &pod, address, log: &log, pid, environment: Vec::new() });
        stage.service(namespace, name, name);
        for host in [name.to_owned(), format!("{name}.{namespace}")] {
            stage.host(&host, port, address);
        }
    }
    stage.service(NAMESPACE, &format!("{NAME}-service"), NAME);
}

/// Our alerts, as the file of rules that the operator of Prometheus makes of them.
fn rules() -> String {
    let manifest = fs::read_to_string(root().join("k8s/monitoring/prometheusrule.yaml")).unwrap();
    let (_, spec) = manifest.split_once("\nspec:\n").unwrap();
    let lines: Vec<&str> = spec.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    lines.join("\n")
}

/// The kubeconfig of our account, which has the rights that the manifests give it and no others.
fn as_account(admin: &str) -> String {
    let groups =
        format!("[\"system:serviceaccounts\", \"system:serviceaccounts:{NAMESPACE}\", \"system:authenticated\"]");
    let account = format!("as: \"system:serviceaccount:{NAMESPACE}:{NAME}\", as-groups: {groups}");
    admin.replace("user: {token:", &format!("user: {{{account}, token:"))
}

/// The folder of bundled modules.
fn strategies(folder: &Path) -> PathBuf {
    let strategies = folder.join("strategies");
    fs::create_dir_all(&strategies).unwrap();
    for name in ["rsi", "macd"] {
        let file = format!("{name}.wasm");
        fs::copy(strategies_dir().join(&file), strategies.join(&file)).unwrap();
    }
    for name in FAULTY {
        let built = root().join(format!("target/components/faulty_{name}.wasm"));
        fs::copy(&built, strategies.join(format!("{name}.wasm"))).unwrap_or_else(|_| panic!("run make guests"));
    }
    strategies
}

async fn get(replica: &str, path: &str) -> Json {
    reqwest::get(format!("{replica}{path}")).await.unwrap().json().await.unwrap()
}

/// The built-in module with a section of its own that means nothing: the same rule under another digest.
fn another_rsi() -> Vec<u8> {
    let mut bytes = fs::read(strategies_dir().join("rsi.wasm")).unwrap();
    // The kind of a custom section, its length, and a name of four letters without content.
    bytes.extend_from_slice(b"\x00\x05\x04note");
    bytes
}
