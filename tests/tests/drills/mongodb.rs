//! MongoDB is away, which costs signals nothing as long as the configuration is known.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value as Json;
use ta_bot_tests::{replicas::Replica, until};

use crate::course::Course;

const PATIENCE: Duration = Duration::from_secs(10);
/// A store is asked every five seconds.
const MEASURED: Duration = Duration::from_secs(30);

/// The replicas go on with what they know, say so, and stay reachable.
pub(crate) async fn is_away(course: &mut Course) {
    for replica in &course.fleet.replicas {
        // One that stood still may count an answer that it got then as late, until it asks again.
        is_measured(replica, 1.0).await;
    }
    let begun = Instant::now();
    course.fleet.mongo.kill().unwrap();
    for replica in &course.fleet.replicas {
        let health = async || replica.get("/health").await;
        let is_told = async || {
            let health = health().await;
            health["status"] == "degraded" && health["mongodb"]["status"] == "disconnected"
        };
        until(PATIENCE, async || format!("{}\n{}", health().await, replica.log_tail()), is_told).await;
        course.is_ready(replica).await;
    }
    println!("MongoDB is away: told after {:.1} s", begun.elapsed().as_secs_f64());
    for replica in &course.fleet.replicas {
        is_measured(replica, 0.0).await;
    }
    course.minute_passes().await;
    course.is_all_decided().await;
    let mended = Instant::now();
    course.fleet.mongo.restart().await.unwrap();
    course.is_well("MongoDB is back", mended).await;
}

/// Waits until a replica's metric says whether MongoDB answers it.
async fn is_measured(replica: &Replica, answers: f64) {
    let measured = async || replica.metric("ta_bot_store_connected", "store=\"mongodb\"").await;
    until(MEASURED, async || replica.log_tail(), async || measured().await == answers).await;
}

/// A replica that starts meanwhile works with the last known configuration, and is not ready before MongoDB has
/// answered it once.
pub(crate) async fn is_away_at_a_start(course: &mut Course) {
    course.fleet.mongo.kill().unwrap();
    course.fleet.replicas[0].kill().await;
    course.fleet.replicas[0].start().await;
    let replica = &course.fleet.replicas[0];
    let ready = async || reqwest::get(replica.url("/ready")).await.unwrap();
    let is_only_mongodb = async || {
        let answer = ready().await;
        let is_unready = answer.status() == StatusCode::SERVICE_UNAVAILABLE;
        let not_ready = answer.json::<Json>().await.unwrap()["not_ready"].clone();
        let parts: Vec<&str> = not_ready.as_array().unwrap().iter().filter_map(|part| part["part"].as_str()).collect();
        is_unready && parts == ["config store"] && not_ready[0]["reason"].as_str().unwrap().contains("no answer within")
    };
    let otherwise = async || format!("{}\n{}", ready().await.text().await.unwrap(), replica.log_tail());
    until(Duration::from_secs(30), otherwise, is_only_mongodb).await;
    let stale = async || replica.metric("ta_bot_parameters_stale_seconds", "").await;
    until(MEASURED, async || replica.log_tail(), async || stale().await > 0.0).await;
    course.minute_passes().await;
    course.fleet.until_finished(course.jobs()).await;
    course.fleet.mongo.restart().await.unwrap();
    course.is_well("MongoDB is back after a start", Instant::now()).await;
    course.is_ready(&course.fleet.replicas[0]).await;
}
