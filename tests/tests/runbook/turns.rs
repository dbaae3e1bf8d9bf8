//! How many requests may run strategies at once.

use std::thread::available_parallelism;

use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, SqliteConnection};
use tokio::task::JoinSet;

use crate::service::{Service, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";

#[tokio::test]
async fn more_than_a_few_at_once_are_told_to_come_again() {
    let service = Service::start().await;
    // Another connection that holds the file, as another process would: a write waits for it, and keeps its turn.
    let file = service.folder.path().join("data").join(ta_bot_drivers::sqlite::FILE_NAME);
    let mut other = SqliteConnection::connect(&file.display().to_string()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let turns = available_parallelism().unwrap().get().max(2);
    let write = |_| reply(service.request(Method::PUT, CONFIG).json(&json!({"period": 20})));
    let replies = (0..turns + 6).map(write).collect::<JoinSet<_>>().join_all().await;
    let (busy, had_a_turn): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 429);
    assert_eq!((busy.len(), had_a_turn.len()), (6, turns));
    for reply in busy {
        reply.error(429, "busy");
        assert_eq!(reply.headers["retry-after"], "1");
        assert_eq!(reply.body["retry_after"], 1, "for those who read no headers");
    }
    for reply in &had_a_turn {
        reply.error(503, "store_away");
    }
    // A pause waits for no turn: it is refused for the store only.
    let pauses = |_| reply(service.request(Method::POST, CONFIG).json(&json!({"parameters": {"enabled": false}})));
    for reply in (0..turns + 6).map(pauses).collect::<JoinSet<_>>().join_all().await {
        reply.error(503, "store_away");
    }
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();

    let path = "/api/v1/test/analyze";
    for (path, body) in [
        (path, json!({"symbol": "BTCUSDT", "timeframe": "15m"})),
        ("/api/v1/config/validate", json!({"strategy_id": "rsi", "parameters": {"period": 20}})),
        (CONFIG, json!({"period": 20})),
        ("/api/v1/strategies/rsi/rollback", json!({})),
    ] {
        service.post(path, body).await.data();
    }
    service.end().await;
}
