//! The strategies and their descriptions of themselves.

use serde_json::json;

use crate::service::Service;

const RSI: &str = "/api/v1/strategies/rsi";

#[tokio::test]
async fn lists_what_is_registered_with_what_is_configured() {
    let service = Service::start().await;
    let list = service.get("/api/v1/strategies").await;
    assert_eq!(list.body["metadata"]["modules"], "ready");
    let strategies = list.data().as_array().unwrap();
    assert_eq!(list.body["metadata"]["count"], strategies.len());
    let rsi = strategies.iter().find(|strategy| strategy["id"] == "rsi").unwrap();
    assert_eq!(rsi["digest"].as_str().unwrap().len(), 64);
    let expected = [("enabled", json!(true)), ("state", json!("ready")), ("has_global_config", json!(false))];
    for (field, value) in expected {
        assert_eq!(rsi[field], value, "{field}");
    }
    assert_eq!((&rsi["symbol_overrides"], &rsi["parameter_count"]), (&json!([]), &json!(4)));
    assert!(rsi["name"].is_string() && rsi["version"].is_string());

    service.put(&format!("{RSI}/config"), json!({"period": 20})).await.data();
    service.put(&format!("{RSI}/config/ETHUSDT"), json!({"period": 21})).await.data();
    let rsi = service.get(RSI).await;
    assert_eq!(rsi.data()["has_global_config"], true);
    assert_eq!(rsi.data()["symbol_overrides"], json!(["ETHUSDT"]));
    service.end().await;
}

#[tokio::test]
async fn tells_what_a_strategy_is_and_takes() {
    let service = Service::start().await;
    let rsi = service.get(RSI).await;
    let rsi = rsi.data();
    assert_eq!((&rsi["lookback"], &rsi["columns"]), (&json!(250), &json!(["close"])));
    assert_eq!((&rsi["timeframes"], &rsi["extra_inputs"]), (&json!([]), &json!([])));
    assert!(rsi["description"].as_str().unwrap().contains("relative strength"));

    let schema = service.get(&format!("{RSI}/schema")).await;
    let schema = schema.data();
    assert_eq!(*schema, rsi["parameters"]);
    let period = &schema[0];
    assert_eq!(
        (&period["name"], &period["type"], &period["default"]),
        (&json!("period"), &json!("integer"), &json!(14))
    );
    assert_eq!((period["min"].as_f64(), period["max"].as_f64()), (Some(2.0), Some(200.0)));
    assert_eq!(schema[3]["choices"], json!(["cross", "level"]));

    let defaults = service.get(&format!("{RSI}/defaults")).await;
    assert_eq!(*defaults.data(), json!({"period": 14, "overbought": 70.0, "oversold": 30.0, "trigger": "cross"}));
    service.put(&format!("{RSI}/config"), defaults.data().clone()).await.data();
    service.end().await;
}

#[tokio::test]
async fn a_strategy_that_is_not_there_is_404_everywhere() {
    let service = Service::start().await;
    let paths = ["", "/schema", "/defaults", "/config", "/config/BTCUSDT", "/audit"];
    for path in paths {
        for id in ["rsj", "RSI", "..%2f..", "%00", "a b"] {
            let reply = service.get(&format!("/api/v1/strategies/{id}{path}")).await;
            reply.error(404, "unknown_strategy");
        }
    }
    let told = service.get("/api/v1/strategies/rsj").await;
    assert!(told.body["error"]["message"].as_str().unwrap().contains("rsi"), "{}", told.body);
    service.put("/api/v1/strategies/rsj/config", json!({})).await.error(404, "unknown_strategy");
    service.post("/api/v1/strategies/rsj/rollback", json!({})).await.error(404, "unknown_strategy");
    service.end().await;
}
