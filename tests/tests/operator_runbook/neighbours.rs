//! The servers that replicas need. They stop by a test's fault, and start again by `kubectl rollout restart` of their
//! Deployments, as an operator does it.

use std::{collections::HashMap, time::Duration};

use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};
use mongodb::bson::doc;
use serde_json::json;
use ta_bot_test_servers::{MariaDb, Mongo, Nats};
use tokio::{sync::Mutex, time::sleep};

use crate::objects::{self, NAMESPACE};

/// How often the Deployments are looked at.
const PAUSE: Duration = Duration::from_millis(100);

/// The servers, and what restarts them.
pub(crate) struct Neighbours {
    maria: Mutex<MariaDb>,
    nats: Mutex<Nats>,
    mongo: Mutex<Mongo>,
    client: Client,
}

impl Neighbours {
    pub(crate) fn new(maria: MariaDb, nats: Nats, mongo: Mongo, client: Client) -> Self {
        Self { maria: maria.into(), nats: nats.into(), mongo: mongo.into(), client }
    }

    /// Makes a database in MySQL. Returns its address for somebody who may do everything.
    pub(crate) async fn new_database(&self, name: &str) -> String {
        self.maria.lock().await.create_database(name).await.unwrap()
    }

    /// The addresses of MySQL, MongoDB and NATS, as the replicas know them.
    pub(crate) async fn addresses(&self, database: &str) -> [String; 3] {
        let maria = self.maria.lock().await;
        // A user as in production: one who can't write to a server that is read-only.
        let mysql = maria.uri_of_user("ta_bot", maria.address(), database).await.unwrap();
        [mysql, self.mongo.lock().await.uri(), self.nats_url().await]
    }

    pub(crate) async fn nats_url(&self) -> String {
        self.nats.lock().await.url()
    }

    /// Lets MySQL take no writes, as after a failover.
    pub(crate) async fn make_mysql_read_only(&self) {
        self.maria.lock().await.sql("SET GLOBAL read_only = 1").await.unwrap();
    }

    pub(crate) async fn kill_mongodb(&self) {
        self.mongo.lock().await.kill().unwrap();
    }

    pub(crate) async fn kill_nats(&self) {
        self.nats.lock().await.kill().unwrap();
    }

    /// Stores parameters that the strategy does not take, as somebody who writes into MongoDB can.
    pub(crate) async fn store_misfit(&self) {
        let client = mongodb::Client::with_uri_str(self.mongo.lock().await.uri()).await.unwrap();
        let levels = client.database("petrosa").collection("strategy_configs_symbol");
        let level = doc! {"strategy_id": "macd", "symbol": "SOLUSDT", "parameters": {"fast": "twelve"}};
        levels.insert_one(level).await.unwrap();
    }

    /// Starts servers again whose Deployment was restarted, for as long as the test goes on.
    pub(crate) async fn go_on(&self) {
        let mut seen: HashMap<&str, Option<i64>> = HashMap::new();
        loop {
            for (namespace, name) in [(NAMESPACE, "mysql"), (NAMESPACE, "mongodb"), ("nats", "nats-server")] {
                let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), namespace);
                let generation = deployments.get(name).await.unwrap().metadata.generation;
                if seen.insert(name, generation).is_some_and(|before| before != generation) {
                    self.restart(name).await;
                    let status = json!({
                        "observedGeneration": generation,
                        "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1,
                    });
                    objects::patch_status(&deployments, name, &status).await;
                }
            }
            sleep(PAUSE).await;
        }
    }

    async fn restart(&self, name: &str) {
        match name {
            "mysql" => self.maria.lock().await.restart().await.unwrap(),
            "mongodb" => self.mongo.lock().await.restart().await.unwrap(),
            _ => self.nats.lock().await.restart().await.unwrap(),
        }
    }
}
