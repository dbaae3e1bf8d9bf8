//! Deployments: modules are put into a running service and taken out of it.

use std::time::Duration;

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use ta_bot_core::{Candle, ModuleDigest, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, candles::SqliteCandles};
use ta_bot_engine::market::candle_store::CandleStore as _;
use ta_bot_tests::until;

use crate::{
    service::{Reply, Service, Setup, reply},
    support::component,
};

const VERSIONS: &str = "/api/v1/strategies/versions/deployment";
const RSI: &str = "/api/v1/strategies/rsi/deployment";

/// Uploads a module and waits until it is checked. Returns its digest.
async fn upload(service: &Service, name: &str, state: &str) -> String {
    upload_bytes(service, component(name), state).await
}

/// Like [`upload`], with bytes that the test made.
pub(crate) async fn upload_bytes(service: &Service, bytes: Vec<u8>, state: &str) -> String {
    let path = format!("/api/v1/modules/{}", ModuleDigest::of(&bytes));
    let request = service.request(Method::POST, "/api/v1/modules").header(CONTENT_TYPE, "application/wasm");
    assert_eq!(reply(request.body(bytes)).await.status, 202);
    let module = async || service.get(&path).await.data().clone();
    until(Duration::from_mins(2), async || module().await.to_string(), async || module().await["state"] != "checking")
        .await;
    let module = module().await;
    assert_eq!(module["state"], state, "{module}");
    module["digest"].as_str().unwrap().to_owned()
}

async fn activate(service: &Service, module: &str) -> Reply {
    service.post(VERSIONS, json!({"action": "activate", "module": module})).await
}

/// The entry of a strategy in the list.
async fn listed(service: &Service, id: &str) -> Value {
    let list = service.get("/api/v1/strategies").await;
    list.data().as_array().unwrap().iter().find(|strategy| strategy["id"] == id).cloned().unwrap_or_default()
}

/// The strategies that evaluate the newest candle of BTCUSDT, each with the digest of its module.
async fn outcomes(service: &Service) -> Vec<(String, String)> {
    let analysis = service.post("/api/v1/test/analyze", json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await;
    let text = |outcome: &Value, name: &str| outcome[name].as_str().unwrap().to_owned();
    let outcomes = analysis.data()["strategies"].as_array().unwrap().iter();
    outcomes.map(|outcome| (text(outcome, "strategy"), text(outcome, "digest"))).collect()
}

/// Writes the candle of BTCUSDT that follows its newest one. Returns its close.
async fn close_another(service: &Service) -> Timestamp {
    let (symbol, timeframe) = ("BTCUSDT".parse().unwrap(), Timeframe::M1);
    let candles = SqliteCandles::new(Database::open(&service.folder.path().join("data")).await.unwrap());
    let newest = candles.newest_closed(&symbol, timeframe, Timestamp::now(), 1).await.unwrap()[0].candle;
    let next = Candle { open_time: timeframe.close_of(newest.open_time), ..newest };
    candles.insert(&symbol, timeframe, &[next]).await.unwrap();
    timeframe.close_of(next.open_time)
}

#[tokio::test]
async fn versions_come_and_go_while_the_service_runs() {
    let service = Service::start().await;
    let (one, two) =
        (upload(&service, "versions_v1", "admitted").await, upload(&service, "versions_v2", "admitted").await);
    assert!(listed(&service, "versions").await.is_null(), "an upload alone changes nothing");
    service.get(VERSIONS).await.error(404, "unknown_strategy");

    let first = json!({"action": "activate", "module": one, "changed_by": "ann", "reason": "new"});
    let request = service.request(Method::POST, VERSIONS).header("If-Match", "\"0\"").json(&first);
    let changed = reply(request).await;
    assert_eq!((&changed.data()["outcome"], changed.etag()), (&json!("changed"), "\"1\""), "{}", changed.body);
    let entry = &changed.data()["entry"];
    assert_eq!((&entry["changed_by"], &entry["reason"]), (&json!("ann"), &json!("new")));
    // The newest candle has not been decided yet, but it was seen, so the former modules decide it.
    let newest = service.post("/api/v1/test/analyze", json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await;
    let from: Timestamp = entry["decides_from"].as_str().unwrap().parse().unwrap();
    let close: Timestamp = newest.data()["candle_close"].as_str().unwrap().parse().unwrap();
    assert!(close < from && from <= close.plus_millis(Timeframe::M15.millis()), "{from} after {close}");
    assert!(outcomes(&service).await.iter().all(|(strategy, _)| strategy != "versions"));

    let strategy = listed(&service, "versions").await;
    for (field, value) in [
        ("digest", json!(one)),
        ("version", json!("1.0.0")),
        ("wit_version", json!("1.0.0")),
        ("bundled", json!(false)),
        ("enabled", json!(true)),
        ("state", json!("ready")),
        ("deployment_revision", json!(1)),
    ] {
        assert_eq!(strategy[field], value, "{field} of {strategy}");
    }
    assert_eq!(listed(&service, "rsi").await["bundled"], true);

    assert_eq!(activate(&service, &one).await.data()["outcome"], "unchanged");
    assert_eq!(activate(&service, &two).await.data()["deployment"]["version"], "2.0.0");
    let back = service.post(VERSIONS, json!({"action": "roll_back"})).await;
    assert_eq!(back.data()["deployment"]["module"], one, "{}", back.body);
    let forth = service.post(VERSIONS, json!({"action": "roll_back", "target_revision": 2})).await;
    assert_eq!((&forth.data()["deployment"]["module"], forth.etag()), (&json!(two), "\"4\""));

    let read = service.get(VERSIONS).await;
    let history = read.data()["history"].as_array().unwrap();
    let told: Vec<_> = history.iter().map(|entry| (entry["action"].clone(), entry["module"].clone())).collect();
    let expected = [("roll_back", &two), ("roll_back", &one), ("activate", &two), ("activate", &one)];
    assert_eq!(told, expected.map(|(action, module)| (json!(action), json!(module))));
    assert_eq!(service.get(&format!("{VERSIONS}?limit=1")).await.data()["history"].as_array().unwrap().len(), 1);

    // The deployment is the same after a restart.
    let service = Setup::in_folder(service.end().await).start().await;
    assert_eq!(listed(&service, "versions").await["digest"], two);
    service.end().await;
}

/// A candle that closes after a change is decided by the new version, in the job that the service makes of it.
#[tokio::test]
async fn the_next_candle_is_the_new_version_s() {
    let service = Setup::new()
        .with("SUPPORTED_TIMEFRAMES", "1m")
        .with("ENABLED_STRATEGIES", "")
        .with_falling("BTCUSDT", Timeframe::M1)
        .start()
        .await;
    let module = upload(&service, "versions_v2", "admitted").await;
    activate(&service, &module).await.data();
    let next = close_another(&service).await;
    let signals = async || service.get("/api/v1/signals?strategy=versions").await.data().clone();
    until(Duration::from_mins(1), async || signals().await.to_string(), async || signals().await[0].is_object()).await;
    let signals = signals().await;
    assert_eq!(signals.as_array().unwrap().len(), 1, "{signals}");
    let provenance = &signals[0]["message"]["metadata"]["provenance"];
    assert_eq!((&provenance["module_digest"], &provenance["candle_close"]), (&json!(module), &json!(next.millis())));
    service.end().await;
}

#[tokio::test]
async fn parameters_that_no_longer_fit_are_named() {
    let service = Service::start().await;
    let (one, two) =
        (upload(&service, "versions_v1", "admitted").await, upload(&service, "versions_v2", "admitted").await);
    activate(&service, &one).await.data();
    let config = "/api/v1/strategies/versions/config";
    service.put(config, json!({"weight": 15})).await.data();
    service.put(&format!("{config}/ETHUSDT"), json!({"weight": 20})).await.data();
    let refused = activate(&service, &two).await;
    let error = refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["weight", "ETHUSDT weight"], "{error}");
    assert_eq!((&error["details"][0]["given"], &error["details"][1]["given"]), (&json!(15), &json!(20)));
    assert_eq!(listed(&service, "versions").await["digest"], one);
    service.put(config, json!({"weight": 10})).await.data();
    assert_eq!(activate(&service, &two).await.refused(), ["ETHUSDT weight"]);
    service.send(Method::DELETE, &format!("{config}/ETHUSDT"), json!({})).await.data();
    let checked = json!({"action": "activate", "module": two, "validate_only": true});
    assert_eq!(service.post(VERSIONS, checked).await.data()["outcome"], "valid");
    assert_eq!(listed(&service, "versions").await["digest"], one, "it was only checked");
    activate(&service, &two).await.data();
    // Now the range of the second version applies.
    service.put(config, json!({"weight": 11})).await.error(422, "invalid");
    service.end().await;
}

#[tokio::test]
async fn a_strategy_is_taken_out_and_put_in_again() {
    let service = Service::start().await;
    let act = async |action: &str| service.post(RSI, json!({"action": action})).await;
    assert_eq!(act("disable").await.data()["deployment"]["enabled"], false);
    assert_eq!(listed(&service, "rsi").await["enabled"], false);
    assert_eq!(act("disable").await.data()["outcome"], "unchanged");
    assert_eq!(act("enable").await.data()["deployment"]["enabled"], true);
    act("lift").await.error(409, "not_quarantined");
    act("roll_back").await.error(422, "unknown_version");
    service.end().await;
}

#[tokio::test]
async fn what_can_not_be_deployed_is_refused_with_the_reason() {
    let service = Service::start().await;
    let refused = upload(&service, "faulty_keeps_state", "refused").await;
    let module = upload(&service, "versions_v1", "admitted").await;
    let unknown = "ab".repeat(32);
    let post = async |path: &str, body: Value| service.post(path, body).await;
    let activate = |module: &str| json!({"action": "activate", "module": module});
    let keeps_state = "/api/v1/strategies/keeps_state/deployment";
    post(keeps_state, activate(&refused)).await.error(422, "not_admitted");
    post(VERSIONS, activate(&unknown)).await.error(404, "unknown_module");
    post(VERSIONS, activate("bundled")).await.error(422, "not_bundled");
    let other = post(RSI, activate(&module)).await;
    let error = other.error(422, "other_strategy");
    assert!(error["message"].as_str().unwrap().contains("versions, not rsi"), "{error}");
    post(VERSIONS, json!({"action": "enable"})).await.error(404, "unknown_strategy");
    post("/api/v1/strategies/No!/deployment", activate(&module)).await.error(404, "unknown_strategy");
    for (body, parameters) in [
        (json!({}), vec!["action"]),
        (json!({"action": "replace"}), vec!["action"]),
        (json!({"action": "activate"}), vec!["module"]),
        (json!({"action": "activate", "module": "rsi"}), vec!["module"]),
        (json!({"action": "enable", "module": module}), vec!["module"]),
        (json!({"action": "disable", "target_revision": 1}), vec!["target_revision"]),
        (json!({"action": "roll_back", "target_revision": -1}), vec!["target_revision"]),
        (json!({"action": "activate", "module": 5, "validate_only": "no"}), vec!["module", "validate_only"]),
    ] {
        let refused = post(VERSIONS, body.clone()).await;
        refused.error(422, "invalid");
        assert!(parameters.iter().all(|name| refused.refused().contains(name)), "{body}: {}", refused.body);
    }
    post(VERSIONS, json!({"action": "activate", "digest": module})).await.error(400, "unknown_field");
    service.post(VERSIONS, activate(&module)).await.data();
    post(VERSIONS, json!({"action": "roll_back", "target_revision": 77})).await.error(422, "unknown_version");
    let stale = service.request(Method::POST, VERSIONS).header("If-Match", "\"0\"").json(&json!({"action": "disable"}));
    let conflict = reply(stale).await;
    assert_eq!(
        conflict.error(409, "version_conflict")["details"],
        json!({"expected_version": 0, "current_version": 1})
    );
    let of_a_stranger = service.request_without_key(Method::POST, VERSIONS).json(&json!({"action": "disable"}));
    reply(of_a_stranger).await.error(403, "local_only");
    service.end().await;
}
