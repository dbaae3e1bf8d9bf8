//! Evaluations that failed: the list, and the bundle of each.

use ta_bot_drivers::sqlite::{Database, failures::SqliteFailures};
use ta_bot_engine::supervision::failure::{Failure, FailureStore as _, contract::failure, packed::Packed};

use crate::service::Service;

/// Puts bundles into the store of a service, as its jobs would.
pub(crate) async fn keep(service: &Service, failures: &[Failure]) {
    let store = SqliteFailures::new(Database::open(&service.folder.path().join("data")).await.unwrap());
    for failure in failures {
        assert!(store.put(&Packed::new(failure).unwrap()).await.unwrap());
    }
}

#[tokio::test]
async fn failures_are_listed_by_what_they_are_about() {
    let service = Service::start().await;
    let empty = service.get("/api/v1/failures").await;
    assert_eq!((empty.data().as_array().unwrap().len(), &empty.body["metadata"]["limit"]), (0, &100.into()));
    let failures = [("rsi", "BTCUSDT", 1), ("rsi", "ETHUSDT", 2), ("macd", "BTCUSDT", 3)]
        .map(|(strategy, symbol, index)| failure(strategy, strategy.as_bytes(), symbol, index));
    keep(&service, &failures).await;
    let ids = async |query: &str| {
        let listed = service.get(&format!("/api/v1/failures{query}")).await;
        let ids = listed.data().as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    let id = |index: usize| failures[index].id().to_string();
    assert_eq!(ids("").await, [id(2), id(1), id(0)]);
    assert_eq!(ids("?limit=1").await, [id(2)]);
    assert_eq!(ids("?strategy=rsi").await, [id(1), id(0)]);
    assert_eq!(ids(&format!("?module={}", failures[2].module)).await, [id(2)]);
    assert_eq!(ids("?symbol=btcusdt&strategy=rsi").await, [id(0)]);
    let listed = service.get("/api/v1/failures?strategy=macd").await;
    let only = &listed.data()[0];
    assert_eq!((&only["code"], &only["timeframe"]), (&"trap".into(), &"15m".into()));
    assert_eq!(only["module_digest"], failures[2].module.to_string());
    assert!(only.get("windows").is_none(), "{only}");
    for query in ["?limit=0", "?limit=1001", "?symbol=B", "?module=abc", "?strategy=no%20name"] {
        service.get(&format!("/api/v1/failures{query}")).await.error(422, "invalid");
    }
    service.get("/api/v1/failures?timeframe=15m").await.error(400, "unknown_field");
    service.end().await;
}

#[tokio::test]
async fn a_bundle_is_given_as_it_is() {
    let service = Service::start().await;
    let failure = failure("rsi", b"module", "BTCUSDT", 1);
    keep(&service, std::slice::from_ref(&failure)).await;
    let path = format!("/api/v1/failures/{}", failure.id());
    let answer = service.request(reqwest::Method::GET, &path).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["content-type"]),
        (reqwest::StatusCode::OK, &"application/json".parse().unwrap())
    );
    let name = format!("attachment; filename=\"failure-{}.json\"", failure.id().short());
    assert_eq!(answer.headers()["content-disposition"], name.as_str());
    assert_eq!(answer.text().await.unwrap(), failure.to_json());
    for unknown in ["00".repeat(32), "00".to_owned(), "x".repeat(5000)] {
        let answer = service.get(&format!("/api/v1/failures/{unknown}")).await;
        assert!(answer.error(404, "unknown_failure")["message"].as_str().unwrap().len() < 300);
    }
    service.end().await;
}
