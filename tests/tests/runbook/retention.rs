//! What is no longer kept, and what waits while the disk is nearly full.

use std::time::Duration;

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, retention::SqliteRetention};
use ta_bot_engine::retention::{kind::Kind, store::Prunable as _};
use ta_bot_tests::{built_in, until};

use crate::service::{Service, Setup, reply};

/// Removes all signals once they are sent, as the leader does some day. Returns up to when.
async fn remove_signals(service: &Service) -> Timestamp {
    let retention = SqliteRetention::new(Database::open(&service.folder.path().join("data")).await.unwrap());
    let now = Timestamp::now().plus_millis(1);
    let list = async || service.get("/api/v1/signals").await.body;
    let are_gone = async || {
        retention.prune(Kind::Signals, now, 100).await.unwrap();
        list().await["data"] == json!([])
    };
    until(Duration::from_mins(1), async || list().await.to_string(), are_gone).await;
    now
}

#[tokio::test]
async fn a_signal_that_is_no_longer_kept_is_not_one_that_never_was() {
    let service = Setup::new().with_falling("BTCUSDT", Timeframe::M15).start().await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    let publish = json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true});
    service.post("/api/v1/test/analyze", publish.clone()).await.data();
    let signals = service.get("/api/v1/signals?strategy=rsi").await;
    let path = format!("/api/v1/signals/{}/replay", signals.data()[0]["signal_id"].as_str().unwrap());
    let never = format!("/api/v1/signals/{}/replay", "ab".repeat(32));
    let replay = async |path: &str| reply(service.request(Method::POST, path)).await;
    assert_eq!(replay(&path).await.data()["verdict"], "equal");
    assert_eq!(replay(&never).await.error(404, "unknown_signal")["details"], Value::Null);

    let removed_to = remove_signals(&service).await;
    for path in [&path, &never] {
        let told = replay(path).await;
        let error = told.error(404, "unknown_signal");
        assert_eq!(error["details"], json!({"removed_to": removed_to.to_string()}));
        assert!(error["message"].as_str().unwrap().contains("no longer kept"), "{error}");
    }
    // Nobody knows any more whether it was sent, so it is not sent again, also if somebody asks for it.
    let again = service.post("/api/v1/test/analyze", publish).await;
    assert_eq!(again.data()["published"]["sent"], json!([]), "{}", again.body);
    assert_eq!(service.get("/api/v1/signals").await.data(), &json!([]));
    service.end().await;
}

#[tokio::test]
async fn uploads_wait_while_the_disk_is_nearly_full() {
    // More than any disk has.
    let service = Setup::new().with("DISK_LOW_WATER_MB", "1000000000").start().await;
    let upload = || service.request(Method::POST, "/api/v1/modules").header(CONTENT_TYPE, "application/wasm");
    let refused = reply(upload().body(built_in::bytes("inside_bar_breakout").unwrap())).await;
    let error = refused.error(507, "disk_low");
    assert!(error["message"].as_str().unwrap().contains("DISK_LOW_WATER_MB"), "{error}");
    assert_eq!(service.get("/api/v1/modules").await.data(), &json!([]));
    let is_low = async || service.metric(r#"ta_bot_disk_low{place="data_dir"}"#).await == Some(1.0);
    until(Duration::from_mins(1), async || service.metrics().await, is_low).await;
    let health = service.get("/health").await.body;
    assert_eq!(health["disk"]["low"], true, "{health}");
    assert!(health["disk"]["free_bytes"].as_u64() < health["disk"]["low_below_bytes"].as_u64(), "{health}");
    // Candles are looked at all the same.
    assert_eq!(service.get("/ready").await.status, 200);
    service.end().await;

    let service = Setup::new().with("DISK_LOW_WATER_MB", "0").start().await;
    let upload = service.request(Method::POST, "/api/v1/modules").header(CONTENT_TYPE, "application/wasm");
    assert_eq!(reply(upload.body(built_in::bytes("inside_bar_breakout").unwrap())).await.status, 202);
    service.end().await;
}
