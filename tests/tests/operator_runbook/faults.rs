//! The faults that some sections are about. Each is made before its section, and the section's own commands mend it.

use std::{process::Command, time::Duration};

use serde_json::Value as Json;
use ta_bot_tests::until;

use crate::{cluster::Cluster, objects};

/// How long it may take until a fault is known, and until all is well again.
const PATIENCE: Duration = Duration::from_secs(45);

/// Makes the fault of a section, and waits until it is known. Where there is none, all is well.
pub(crate) async fn before(cluster: &Cluster, heading: &str) {
    match heading {
        "TABotAbsent" => {
            objects::scale(&cluster.client, 0).await;
            // Prometheus may still say that it knows none of the replicas that the section before started.
            let ready = async || objects::ready(&cluster.client).await;
            until(PATIENCE, async || format!("{} are ready", ready().await), async || ready().await == 0).await;
            prometheus_says(cluster, "absent(ta_bot_build_info)").await;
        }
        "TABotReplicaUnscraped" => {
            let pods = cluster.stage.replicas();
            let mut others = Vec::new();
            for pod in pods {
                if health(&pod.url).await["leader_election"]["is_leader"] == false {
                    others.push(pod);
                }
            }
            let stopped = Command::new("kill").args(["-STOP", &others[0].pid]).status().unwrap();
            assert!(stopped.success(), "the replica can't be stopped");
            prometheus_says(cluster, "up == 0").await;
        }
        "TABotNoLeader" => {
            objects::unbind(&cluster.client).await;
            all_say(cluster, |health| health["abilities"]["leader"]["ok"] == false).await;
            prometheus_says(cluster, "sum(ta_bot_is_leader) == 0").await;
        }
        "TABotCannotCommit" => {
            cluster.neighbours.make_mysql_read_only().await;
            all_say(cluster, |health| health["abilities"]["commit"]["ok"] == false).await;
        }
        "TABotStoreAway" => {
            cluster.neighbours.kill_mongodb().await;
            all_say(cluster, |health| health["mongodb"]["status"] == "disconnected").await;
        }
        "TABotBusAway" => {
            cluster.neighbours.kill_nats().await;
            all_say(cluster, |health| {
                health["nats"]["status"] == "disconnected" && health["abilities"]["publish"]["ok"] == false
            })
            .await;
        }
        "TABotStrategyMisconfigured" => {
            cluster.neighbours.store_misfit().await;
            let url = format!("{}/api/v1/strategies/cache/refresh", cluster.stage.replicas()[0].url);
            let refreshed = reqwest::Client::new().post(url).send().await.unwrap();
            assert_eq!(refreshed.status(), 200);
            all_say(cluster, |health| health["parameters"]["misconfigured"] != Json::Array(Vec::new())).await;
        }
        _ => {}
    }
}

/// Waits until every replica is healthy: the next section begins without what the one before left behind.
pub(crate) async fn until_all_is_well(cluster: &Cluster) {
    all_say(cluster, |health| health["status"] == "healthy").await;
}

async fn all_say(cluster: &Cluster, says: impl Fn(&Json) -> bool) {
    let answers = async || {
        let mut answers = Vec::new();
        for pod in cluster.stage.replicas() {
            answers.push(health(&pod.url).await);
        }
        answers
    };
    let otherwise = async || format!("{:?}", answers().await);
    until(PATIENCE, otherwise, async || answers().await.iter().all(&says)).await;
}

async fn health(url: &str) -> Json {
    let asked = reqwest::Client::new().get(format!("{url}/health")).timeout(Duration::from_secs(5)).send().await;
    match asked {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(error) => Json::String(error.to_string()),
    }
}

async fn prometheus_says(cluster: &Cluster, expression: &str) {
    let answer = async || cluster.prometheus.query(expression).await.unwrap();
    let is_true = async || answer().await.contains("\"value\"");
    until(PATIENCE, async || format!("{expression}: {}", answer().await), is_true).await;
}
