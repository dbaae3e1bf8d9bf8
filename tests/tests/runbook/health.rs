//! What probes and people see.

use reqwest::Method;
use serde_json::json;

use crate::service::{Service, Setup, reply};

#[tokio::test]
async fn health_has_the_runbook_s_shape() {
    let service = Service::start().await;
    let health = service.get("/health").await;
    assert_eq!(health.status, 200);
    let body = &health.body;
    assert_eq!((&body["status"], &body["service"]), (&json!("healthy"), &json!("ta-bot")));
    assert!(body["version"].is_string() && body["uptime_seconds"].is_u64(), "{body}");
    let election = &body["leader_election"];
    assert_eq!((&election["enabled"], &election["is_leader"]), (&json!(false), &json!(true)));
    assert_eq!(election["way"], "none");
    assert!(election["leader_id"].is_string());
    for part in ["mysql", "mongodb", "nats"] {
        assert_eq!(body[part]["status"], "embedded", "{part}");
        assert!(body[part]["latency_ms"].as_f64().is_some_and(|latency| latency < 1000.0), "{part}");
    }
    assert_eq!(body["nats"]["published_signals"], 0);
    assert_eq!(body["modules"]["status"], "ready");
    assert_eq!(body["parameters"], json!({"stale": false, "since": null, "misfits": 0, "misconfigured": []}));
    service.end().await;
}

#[tokio::test]
async fn probes_and_the_root_answer() {
    let service = Service::start().await;
    let text = async |path| service.request(Method::GET, path).send().await.unwrap().text().await.unwrap();
    assert_eq!(text("/healthz").await, "ok\n");
    assert_eq!(text("/live").await, "ok\n");
    assert!(text("/").await.contains("/api/v1/openapi.json"));
    assert_eq!(service.get("/ready").await.body, json!({"ready": true, "not_ready": []}));
    let head = reply(service.request(Method::HEAD, "/health")).await;
    assert_eq!(head.status, 200);
    service.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_module_keeps_the_service_unready_and_the_others_running() {
    let folder = tempfile::tempdir().unwrap();
    let rsi = ta_bot_tests::strategies_dir().join("rsi.wasm");
    std::fs::copy(rsi, folder.path().join("rsi.wasm")).unwrap();
    std::fs::write(folder.path().join("broken.wasm"), b"no module").unwrap();
    let setup = Setup::new().with("STRATEGIES_DIR", folder.path().display().to_string());
    let service = setup.start_unready().await;
    let ready = service.wait_for_modules().await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body["not_ready"][0]["part"], "modules");
    assert!(ready.body["not_ready"][0]["reason"].as_str().unwrap().contains("broken.wasm"), "{}", ready.body);
    let health = service.get("/health").await;
    assert_eq!((health.status, &health.body["status"]), (200, &json!("degraded")));
    assert_eq!(
        (&health.body["modules"]["status"], &health.body["modules"]["ready"]),
        (&json!("incomplete"), &json!(1))
    );
    let list = service.get("/api/v1/strategies").await;
    assert_eq!((&list.data()[0]["id"], &list.body["metadata"]["modules"]), (&json!("rsi"), &json!("incomplete")));
    service.end().await;
}
