//! A change of configuration on three replicas. Over the bus it is in use at once, without the bus after the cache's
//! time to live. Without the store the last known configuration stays in use, even through a restart.

use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use ta_bot_tests::{
    replicas::{Fleet, Market, Replica},
    until,
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(30);
const CONFIG: &str = "/api/v1/strategies/rsi/config";

async fn put(replica: &Replica, period: u32) -> u16 {
    let body = json!({"parameters": {"period": period}, "changed_by": "test", "reason": "test"});
    let sent = reqwest::Client::new().put(replica.url(CONFIG)).json(&body).send().await.unwrap();
    sent.status().as_u16()
}

async fn period(replica: &Replica) -> Json {
    replica.get(CONFIG).await["data"]["parameters"]["period"].clone()
}

/// Waits until a replica returns the period `wanted`. The limit says nothing about how soon that should be: it is long,
/// because the machine may be slow.
async fn until_period(fleet: &Fleet, index: usize, wanted: u32) {
    let began = Instant::now();
    let otherwise = async || format!("replica {index} has not heard of it\n{}", fleet.logs());
    until(PATIENCE, otherwise, async || period(&fleet.replicas[index]).await == wanted).await;
    println!("replica {index}: in use after {} ms", began.elapsed().as_millis());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_every_replica_over_the_bus() {
    let mut fleet = fleet(3600).await;
    for (index, wanted) in [(0, 21), (1, 22), (2, 23)] {
        assert_eq!(put(&fleet.replicas[index], wanted).await, 200);
        // The cache lives for an hour, so only the bus can have told the replica.
        for other in 0..fleet.replicas.len() {
            until_period(&fleet, other, wanted).await;
        }
    }
    fleet.nats.kill().unwrap();
    fleet.nats.restart().await.unwrap();
    assert_eq!(put(&fleet.replicas[0], 24).await, 200);
    for other in 0..fleet.replicas.len() {
        until_period(&fleet, other, 24).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_bus_a_change_is_in_use_by_the_time_to_live_and_without_the_store_the_last_known_goes_on() {
    let mut fleet = fleet(1).await;
    fleet.nats.kill().unwrap();
    assert_eq!(put(&fleet.replicas[0], 21).await, 200);
    for other in 0..fleet.replicas.len() {
        until_period(&fleet, other, 21).await;
    }
    fleet.nats.restart().await.unwrap();
    fleet.mongo.kill().unwrap();
    assert_eq!(put(&fleet.replicas[1], 22).await, 503);
    // A restart while the store is away.
    fleet.replicas[1].kill().await;
    fleet.replicas[1].start().await;
    let health = async || fleet.replicas[1].get("/health").await;
    let goes_on_without_store = async || {
        let health = health().await;
        // It takes a moment until a replica that starts knows who leads.
        health["mongodb"]["status"] == "disconnected"
            && health["nats"]["status"] == "connected"
            && health["abilities"]["leader"]["ok"] == true
    };
    until(PATIENCE, async || format!("{}\n{}", health().await, fleet.logs()), goes_on_without_store).await;
    let health = health().await;
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(period(&fleet.replicas[1]).await, 21);
    fleet.mongo.restart().await.unwrap();
    until(PATIENCE, async || fleet.logs(), async || put(&fleet.replicas[1], 23).await == 200).await;
    for other in 0..fleet.replicas.len() {
        until_period(&fleet, other, 23).await;
    }
}

/// Three replicas that cache their configuration for `ttl` seconds.
pub(crate) async fn fleet(ttl: u32) -> Fleet {
    let market = Market::new(1, 0);
    let mut fleet = Fleet::start(&market, 3).await;
    for replica in &mut fleet.replicas {
        replica.set("CONFIG_CACHE_TTL_SECONDS", &ttl.to_string());
    }
    fleet.start_replicas().await;
    fleet
}
