//! The history of parameters, and the way back.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Service, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";
const BTC: &str = "/api/v1/strategies/rsi/config/BTCUSDT";
const AUDIT: &str = "/api/v1/strategies/rsi/audit";
const ROLLBACK: &str = "/api/v1/strategies/rsi/rollback";

async fn changes(service: &Service, query: &str) -> Vec<(String, Value)> {
    let audit = service.get(&format!("{AUDIT}{query}")).await;
    let entries = audit.data().as_array().unwrap().clone();
    entries.into_iter().map(|entry| (entry["action"].as_str().unwrap().to_owned(), entry["symbol"].clone())).collect()
}

#[tokio::test]
async fn every_change_is_told_newest_first() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"parameters": {"period": 20}, "changed_by": "ann", "reason": "calmer"})).await.data();
    service.put(BTC, json!({"period": 10})).await.data();
    service.send(Method::PATCH, CONFIG, json!({"oversold": 25})).await.data();
    reply(service.request(Method::DELETE, BTC)).await.data();
    // A request that was refused or changed nothing is no change.
    service.put(CONFIG, json!({"period": 1})).await.error(422, "invalid");
    reply(service.request(Method::DELETE, BTC)).await.data();

    let told = |action: &str, symbol: Value| (action.to_owned(), symbol);
    let all = [
        told("DELETE", json!("BTCUSDT")),
        told("UPDATE", Value::Null),
        told("CREATE", json!("BTCUSDT")),
        told("CREATE", Value::Null),
    ];
    assert_eq!(changes(&service, "").await, all);
    assert_eq!(changes(&service, "?symbol=btcusdt").await, [all[0].clone(), all[2].clone()]);
    assert_eq!(changes(&service, "?limit=1").await, all[..1]);
    let audit = service.get(AUDIT).await;
    let first = &audit.data()[3];
    assert_eq!((&first["changed_by"], &first["reason"]), (&json!("ann"), &json!("calmer")));
    assert_eq!((&first["old_parameters"], &first["new_parameters"]), (&Value::Null, &json!({"period": 20})));
    assert_eq!((&first["version"], &first["strategy_id"]), (&json!(1), &json!("rsi")));
    assert!(first["changed_at"].as_str().unwrap().ends_with("+00:00"), "{first}");
    assert_eq!(audit.data()[1]["old_parameters"], json!({"period": 20}));
    service.end().await;
}

#[tokio::test]
async fn a_limit_is_a_number_in_range() {
    let service = Service::start().await;
    for limit in ["0", "1001", "-1", "ten", "", "1e2"] {
        let refused = service.get(&format!("{AUDIT}?limit={limit}")).await;
        refused.error(422, "invalid");
        assert_eq!(refused.refused(), ["limit"]);
    }
    service.get(&format!("{AUDIT}?limits=3")).await.error(400, "unknown_field");
    assert_eq!(service.get(&format!("{AUDIT}?symbol=B&limit=0")).await.refused(), ["symbol", "limit"]);
    service.end().await;
}

#[tokio::test]
async fn rolls_back_the_last_change_or_to_a_version() {
    let service = Service::start().await;
    for period in [20, 21, 22] {
        service.put(CONFIG, json!({"period": period})).await.data();
    }
    let period = async || service.get(CONFIG).await.data()["parameters"]["period"].clone();
    // The body may be absent.
    let back = reply(service.request(Method::POST, ROLLBACK)).await;
    assert_eq!((back.etag(), &back.data()["change"]["action"]), ("\"4\"", &json!("UPDATE")));
    assert_eq!(period().await, 21);
    let body = json!({"target_version": 1, "changed_by": "ann", "reason": "as it was"});
    let back = service.post(ROLLBACK, body).await;
    assert_eq!(back.data()["change"]["changed_by"], "ann");
    assert_eq!(period().await, 20);
    // Version 0 is the state before anything was stored.
    assert_eq!(service.post(ROLLBACK, json!({"target_version": 0})).await.data()["change"]["action"], "DELETE");
    assert_eq!(period().await, 14);
    service.post(ROLLBACK, json!({})).await.data();
    assert_eq!(period().await, 20);
    service.end().await;
}

#[tokio::test]
async fn rolls_back_one_symbol_and_leaves_the_rest() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"period": 20})).await.data();
    service.put(BTC, json!({"period": 10})).await.data();
    service.put(BTC, json!({"period": 11})).await.data();
    let back = service.post(ROLLBACK, json!({"symbol": "BTCUSDT"})).await;
    assert_eq!(back.data()["config"]["stored"]["parameters"], json!({"period": 10}));
    assert_eq!(service.get(CONFIG).await.data()["parameters"]["period"], 20);
    service.end().await;
}

#[tokio::test]
async fn there_is_no_way_back_to_what_never_was() {
    let service = Service::start().await;
    let nothing = service.post(ROLLBACK, json!({})).await;
    nothing.error(422, "unknown_version");
    service.put(CONFIG, json!({"period": 20})).await.data();
    let unknown = service.post(ROLLBACK, json!({"target_version": 7})).await;
    unknown.error(422, "unknown_version");
    assert_eq!((unknown.refused(), &unknown.body["error"]["details"][0]["given"]), (vec!["target_version"], &json!(7)));
    for wrong in [json!({"target_version": -1}), json!({"target_version": "1"}), json!({"symbol": "B"})] {
        service.post(ROLLBACK, wrong).await.error(422, "invalid");
    }
    service.post(ROLLBACK, json!({"version": 1})).await.error(400, "unknown_field");
    let stale = service.request(Method::POST, ROLLBACK).header("If-Match", "\"9\"");
    reply(stale).await.error(409, "version_conflict");
    service.end().await;
}

#[tokio::test]
async fn refreshing_reads_again() {
    let service = Service::start().await;
    let refreshed = reply(service.request(Method::POST, "/api/v1/strategies/cache/refresh")).await;
    assert_eq!(refreshed.data(), &json!({"refreshed": true}));
    service.post("/api/v1/strategies/cache/refresh", json!({})).await.data();
    service.end().await;
}
