//! A replica with every server and the Lease, as in production.

use std::{collections::HashMap, fs, time::Duration};

use k8s_openapi::{
    api::{coordination::v1::Lease, core::v1::Namespace},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Config,
    api::{Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::json;
use ta_bot_core::Timestamp;
use ta_bot_test_servers::{KubeApi, MariaDb, Mongo, Nats};
use ta_bot_tests::{replicas::Replica, two_strategies_dir, until};

use super::{SYMBOLS, TIMEFRAME, Told, candles, import};
use crate::run::Home;

const NAMESPACE: &str = "petrosa-apps";
const PATIENCE: Duration = Duration::from_mins(1);

/// The servers, and the variables that name them.
struct All {
    home: Home,
    kube: KubeApi,
    client: Client,
    variables: HashMap<String, String>,
    _others: (MariaDb, Nats, Mongo),
}

impl All {
    async fn start() -> Self {
        let home = Home::new();
        let (maria, nats, mongo, kube) =
            tokio::try_join!(MariaDb::start(), Nats::start(), Mongo::start(), KubeApi::start()).unwrap();
        let mysql = maria.create_database("market").await.unwrap();
        maria.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1").await.unwrap();
        let kubeconfig = home.path().join("kubeconfig");
        fs::write(&kubeconfig, kube.kubeconfig(KubeApi::ADMIN).unwrap()).unwrap();
        let read = Kubeconfig::read_from(&kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await.unwrap();
        let client = Client::try_from(config).unwrap();
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(NAMESPACE.to_owned());
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap();
        let variables = [
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("DATA_DIR", home.data_dir().display().to_string()),
            ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
            ("STRATEGY_TIMEOUT_MS", "20000".to_owned()),
            ("MYSQL_URI", mysql),
            ("MONGODB_URI", mongo.uri()),
            ("NATS_URL", nats.url()),
            ("LEADER_ELECTION_ENABLED", "true".to_owned()),
            ("KUBECONFIG", kubeconfig.display().to_string()),
            ("POD_NAMESPACE", NAMESPACE.to_owned()),
            ("POD_NAME", "ta-bot-0".to_owned()),
            ("SUPPORTED_SYMBOLS", SYMBOLS.join(",")),
            ("SUPPORTED_TIMEFRAMES", TIMEFRAME.to_string()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { home, kube, client, variables, _others: (maria, nats, mongo) }
    }

    fn command(&self) -> std::process::Command {
        let mut command = self.home.command();
        command.envs(&self.variables);
        command
    }

    fn told(&self) -> Told {
        Told::beside_the_machine(&mut self.command())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_server_and_a_running_service() {
    let all = All::start().await;
    let told = all.told();
    let found = told.with(&["wrong", "warning"]);
    assert!(found.is_empty(), "before the first start: {found:#?}");
    for symbol in SYMBOLS {
        import(&mut all.command(), symbol, &candles(all.home.path(), symbol, Timestamp::now()));
    }
    let mut replica = Replica::new(all.home.path(), all.variables.clone());
    replica.start().await;
    replica.ready().await;
    let told = |url: &str| Told::beside_the_machine(all.command().env("TA_BOT_URL", url));
    let url = replica.url("");
    let healthy = async || replica.get("/health").await["status"] == "healthy";
    until(PATIENCE, async || format!("{:#}", replica.get("/health").await), healthy).await;
    told(&url).is_sound();
    assert!(told(&url).findings.iter().any(|finding| finding["found"] == "this one leads"));

    // A replica that dies leaves the Lease to nobody.
    replica.kill().await;
    told(&url).finds(&[("service", "answer", "wrong", "start the service")]);
    lease(&all).await;
    other_ways_to_elect(&all);
}

/// Nobody has led in these ways yet.
fn other_ways_to_elect(all: &All) {
    for way in ["mysql", "nats"] {
        let told = Told::beside_the_machine(all.command().env("LEADER_ELECTION", way));
        told.is_sound();
        let says =
            |finding: &serde_json::Value| finding["found"].as_str().unwrap().contains("the first leader makes it");
        assert!(told.findings.iter().any(says), "{way}: {:#?}", told.findings);
    }
    let told = Told::beside_the_machine(all.command().env("LEADER_ELECTION", "etcd"));
    let wrong = told.with(&["wrong"]);
    assert!(format!("{wrong:?}").contains("none of kubernetes, mysql, nats and none"), "{wrong:#?}");
}

async fn lease(all: &All) {
    all.told().is_sound();
    let leases: Api<Lease> = Api::namespaced(all.client.clone(), NAMESPACE);
    let long_ago = MicroTime(k8s_openapi::jiff::Timestamp::from_second(1_767_226_500).unwrap());
    let patch = Patch::Merge(json!({"spec": {"renewTime": long_ago}}));
    leases.patch("ta-bot-leader", &PatchParams::default(), &patch).await.unwrap();
    all.told().finds(&[("lease", "holder", "warning", "start a replica")]);
    let patch = Patch::Merge(json!({"spec": {"holderIdentity": ""}}));
    leases.patch("ta-bot-leader", &PatchParams::default(), &patch).await.unwrap();
    all.told().is_sound();

    let with = |kubeconfig: String| {
        let path = all.home.path().join("another-kubeconfig");
        fs::write(&path, kubeconfig).unwrap();
        Told::beside_the_machine(all.command().env("KUBECONFIG", path))
    };
    let verbs = ["get", "create", "update", "watch"].map(|verb| ("lease", "rights", "wrong", verb));
    with(all.kube.kubeconfig(KubeApi::ALICE).unwrap()).finds(&verbs);
    let unknown = all.kube.kubeconfig(KubeApi::ALICE).unwrap().replace("token-of-alice", "S3cretPw");
    with(unknown).finds(&[("lease", "answer", "wrong", "service account")]);
    let closed = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let away = all.kube.kubeconfig_at(closed, KubeApi::ADMIN).unwrap();
    with(away).finds(&[("lease", "answer", "wrong", "KUBECONFIG")]);
    let mut nowhere = all.command();
    let told = Told::beside_the_machine(nowhere.env("POD_NAMESPACE", "nowhere"));
    told.finds(&[("lease", "rights", "wrong", "POD_NAMESPACE")]);
}
