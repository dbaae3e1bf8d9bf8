//! The application's own settings.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{Service, reply};

const SETTINGS: &str = "/api/v1/config/application";
const ANALYSE: &str = "/api/v1/test/analyze";

#[tokio::test]
async fn the_environment_counts_until_somebody_changes_it() {
    let service = Service::start().await;
    let settings = service.get(SETTINGS).await;
    assert_eq!(settings.etag(), "\"0\"");
    let expected = json!({
        "symbols": ["BTCUSDT", "ETHUSDT"], "timeframes": ["15m", "1h"], "enabled_strategies": null,
        "min_confidence": 0.6, "max_confidence": 1.0, "accepted_holes": [], "version": 0, "source": "environment", "updated_at": null,
    });
    assert_eq!(*settings.data(), expected);

    let change = json!({"symbols": ["adausdt"], "min_confidence": 0.7, "changed_by": "ann", "reason": "fewer"});
    let changed = service.post(SETTINGS, change).await;
    assert_eq!((changed.etag(), &changed.data()["change"]["changed_by"]), ("\"1\"", &json!("ann")));
    let settings = service.get(SETTINGS).await;
    let settings = settings.data();
    assert_eq!(*settings, changed.data()["settings"]);
    assert_eq!((&settings["symbols"], &settings["timeframes"]), (&json!(["ADAUSDT"]), &json!(["15m", "1h"])));
    assert_eq!((&settings["version"], &settings["source"]), (&json!(1), &json!("sqlite")));
    assert!(settings["updated_at"].is_string());
    service.post(SETTINGS, json!({"candle_periods": ["5m"]})).await.data();
    assert_eq!(service.get(SETTINGS).await.data()["timeframes"], json!(["5m"]));
    service.end().await;
}

#[tokio::test]
async fn an_empty_list_of_strategies_runs_none() {
    let service = Service::start().await;
    let analyse = async || {
        let analysis = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await;
        analysis.data()["strategies"].as_array().unwrap().len()
    };
    let enabled = async || {
        let list = service.get("/api/v1/strategies").await;
        let list = list.data().as_array().unwrap().clone();
        list.iter().filter(|strategy| strategy["enabled"] == true).count()
    };
    assert!(analyse().await >= 2 && enabled().await >= 2);
    service.post(SETTINGS, json!({"enabled_strategies": []})).await.data();
    assert_eq!((analyse().await, enabled().await), (0, 0));
    service.post(SETTINGS, json!({"enabled_strategies": ["rsi"]})).await.data();
    assert_eq!((analyse().await, enabled().await), (1, 1));
    let all = service.post(SETTINGS, json!({"enabled_strategies": "all"})).await;
    assert!(all.data()["settings"]["enabled_strategies"].is_null(), "{}", all.body);
    assert!(analyse().await >= 2 && enabled().await >= 2);
    service.end().await;
}

#[tokio::test]
async fn what_is_named_twice_counts_once() {
    let service = Service::start().await;
    let twice = json!({
        "symbols": ["ETHUSDT", "BTCUSDT", "ethusdt"], "timeframes": ["1h", "15m", "1h"],
        "enabled_strategies": ["rsi", "rsi"], "accepted_holes": ["ETHUSDT 1h", "ethusdt 1h"],
    });
    let changed = service.post(SETTINGS, twice).await;
    let settings = &changed.data()["settings"];
    assert_eq!(
        (&settings["symbols"], &settings["timeframes"]),
        (&json!(["ETHUSDT", "BTCUSDT"]), &json!(["1h", "15m"]))
    );
    assert_eq!(settings["enabled_strategies"], json!(["rsi"]));
    assert_eq!(settings["accepted_holes"], json!(["ETHUSDT 1h"]));
    service.end().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole() {
    let service = Service::start().await;
    let wrong = json!({
        "symbols": ["B", "BTCUSDT", 5], "timeframes": ["15x"], "enabled_strategies": "rsi", "min_confidence": "high",
        "accepted_holes": ["BTCUSDT 15m", "BTCUSDT", {"symbol": "BTCUSDT"}],
    });
    let refused = service.post(SETTINGS, wrong).await;
    refused.error(422, "invalid");
    assert_eq!(
        refused.refused(),
        [
            "symbols",
            "symbols",
            "timeframes",
            "enabled_strategies",
            "min_confidence",
            "accepted_holes",
            "accepted_holes"
        ]
    );
    let wrong = json!({"enabled_strategies": ["rsj"], "min_confidence": 0.9, "max_confidence": 0.8});
    let refused = service.post(SETTINGS, wrong).await;
    refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["enabled_strategies", "min_confidence"]);
    assert!(refused.body["error"]["details"][0]["allowed"].as_str().unwrap().contains("macd, rsi"), "{}", refused.body);
    service.post(SETTINGS, json!({"max_confidence": 1.5})).await.error(422, "invalid");
    service.post(SETTINGS, json!({"symbol": "BTCUSDT"})).await.error(400, "unknown_field");
    let only = service.post(SETTINGS, json!({"symbols": ["ADAUSDT"], "validate_only": true})).await;
    assert!(only.data()["change"].is_null());
    assert_eq!(service.get(SETTINGS).await.data()["version"], 0);
    assert_eq!(service.get(&format!("{SETTINGS}/audit")).await.data(), &json!([]));
    service.end().await;
}

#[tokio::test]
async fn changes_are_told_and_taken_back() {
    let service = Service::start().await;
    let rollback = format!("{SETTINGS}/rollback");
    reply(service.request(Method::POST, &rollback)).await.error(422, "unknown_version");
    for bound in [0.61, 0.62, 0.63] {
        service.post(SETTINGS, json!({"min_confidence": bound})).await.data();
    }
    let audit = service.get(&format!("{SETTINGS}/audit?limit=2")).await;
    assert_eq!((audit.data().as_array().unwrap().len(), &audit.data()[0]["version"]), (2, &json!(3)));
    assert_eq!(audit.data()[0]["old_parameters"]["min_confidence"], 0.62);
    assert_eq!((&audit.data()[0]["strategy_id"], &audit.data()[0]["action"]), (&Value::Null, &json!("UPDATE")));

    let bound = async || service.get(SETTINGS).await.data()["min_confidence"].clone();
    reply(service.request(Method::POST, &rollback)).await.data();
    assert_eq!(bound().await, 0.62);
    let back = service.post(&rollback, json!({"target_version": 1, "changed_by": "ann"})).await;
    assert_eq!((back.etag(), &back.data()["change"]["changed_by"]), ("\"5\"", &json!("ann")));
    assert_eq!(bound().await, 0.61);
    service.post(&rollback, json!({"target_version": 0})).await.data();
    assert_eq!(bound().await, 0.6);
    service.post(&rollback, json!({"target_version": 99})).await.error(422, "unknown_version");
    service.post(&rollback, json!({"symbol": "BTCUSDT"})).await.error(400, "unknown_field");
    service.end().await;
}

#[tokio::test]
async fn of_two_writers_who_saw_the_same_one_wins() {
    let service = Service::start().await;
    let write = |bound: f64| {
        let request = service.request(Method::POST, SETTINGS).header("If-Match", "\"0\"");
        reply(request.json(&json!({"min_confidence": bound})))
    };
    let (one, other) = tokio::join!(write(0.61), write(0.62));
    let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!(won.etag(), "\"1\"");
    assert_eq!(lost.error(409, "version_conflict")["details"]["current_version"], 1);
    let stale = service.request(Method::POST, &format!("{SETTINGS}/rollback")).header("If-Match", "\"0\"");
    reply(stale).await.error(409, "version_conflict");
    service.end().await;
}

#[tokio::test]
async fn who_rolls_back_at_once_with_another_undoes_what_was_seen_or_nothing() {
    let service = Service::start().await;
    let rollback = format!("{SETTINGS}/rollback");
    for bound in [0.61, 0.62, 0.63, 0.64, 0.65, 0.66] {
        service.post(SETTINGS, json!({"min_confidence": bound})).await.data();
    }
    for _ in 0..5 {
        let (one, other) = tokio::join!(service.post(&rollback, json!({})), service.post(&rollback, json!({})));
        for reply in [one, other] {
            if reply.status == 200 {
                // Each rollback starts from the version right before its own.
                let change = &reply.data()["change"];
                assert_ne!(change["old_parameters"], change["new_parameters"], "{change}");
            } else {
                reply.error(409, "version_conflict");
            }
        }
    }
    service.end().await;
}
