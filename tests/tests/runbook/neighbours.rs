//! The requests of the services around this one, with the bodies that they send.

use reqwest::Method;
use serde_json::{Value, json};
use ta_bot_core::Timeframe;

use crate::service::{Reply, Service, Setup, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";
const ETH: &str = "/api/v1/strategies/rsi/config/ETHUSDT";
const ROLLBACK: &str = "/api/v1/strategies/rsi/rollback";
const AUDIT: &str = "/api/v1/strategies/rsi/audit";
const VALIDATE: &str = "/api/v1/config/validate";
const ANALYSE: &str = "/api/v1/test/analyze";
const LIST: &str = "/api/v1/strategies";

/// What the CIO sends, with its headers: it has no token and never an `Authorization`.
async fn cio(service: &Service, parameters: Value, reason: &str) -> Reply {
    let body =
        json!({"parameters": parameters, "reason": reason, "validate_only": false, "changed_by": "petrosa-cio:7"});
    let request = service.request(Method::POST, CONFIG).json(&body);
    reply(request.header("X-Petrosa-Issuer", "CIO").header("X-Petrosa-Internal-Token", "")).await
}

async fn pause(service: &Service) -> Reply {
    cio(service, json!({"enabled": false}), "CIO_PAUSE: losses").await
}

/// What becomes of RSI on a symbol whose market has fallen.
async fn outcome(service: &Service, symbol: &str) -> Value {
    let analysis = service.post(ANALYSE, json!({"symbol": symbol, "timeframe": "15m"})).await;
    let strategies = analysis.data()["strategies"].as_array().unwrap();
    strategies.iter().find(|strategy| strategy["strategy"] == "rsi").unwrap().clone()
}

async fn rsi_of_list(service: &Service) -> Value {
    let list = service.get(LIST).await;
    list.data().as_array().unwrap().iter().find(|strategy| strategy["id"] == "rsi").unwrap().clone()
}

#[tokio::test]
async fn the_cio_pauses_tunes_and_an_operator_resumes() {
    let setup = Setup::new().with_falling("BTCUSDT", Timeframe::M15).with_falling("ETHUSDT", Timeframe::M15);
    let service = setup.start().await;
    service.put(CONFIG, json!({"period": 20, "trigger": "level"})).await.data();
    let before = outcome(&service, "BTCUSDT").await;
    assert_eq!(before["outcome"], "signal");

    let paused = pause(&service).await;
    let change = &paused.data()["change"];
    assert_eq!((&change["changed_by"], &change["reason"]), (&json!("petrosa-cio:7"), &json!("CIO_PAUSE: losses")));
    assert_eq!(change["new_parameters"], json!({"period": 20, "trigger": "level", "enabled": false}));
    let config = &paused.data()["config"];
    assert_eq!((&config["enabled"], &config["enabled_origin"]), (&json!(false), &json!("global")));
    assert_eq!((&config["parameters"]["period"], &config["parameters"]["enabled"]), (&json!(20), &Value::Null));
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let now = outcome(&service, symbol).await;
        assert_eq!((&now["outcome"], &now["reason"]["code"]), (&json!("paused"), &json!("paused")), "{now}");
    }
    let listed = rsi_of_list(&service).await;
    assert_eq!((&listed["enabled"], &listed["state"]), (&json!(false), &json!("paused")));

    // MODIFY_PARAMS sets one parameter, or none, and does not resume.
    for parameters in [json!({"period": 10}), json!({})] {
        cio(&service, parameters.clone(), "tuning").await.data();
        let config = service.get(CONFIG).await;
        assert_eq!(config.data()["enabled"], false, "{parameters}");
        assert_eq!(outcome(&service, "BTCUSDT").await["outcome"], "paused", "{parameters}");
    }
    assert_eq!(
        service.get(CONFIG).await.data()["parameters"]["period"],
        14,
        "an empty body replaces the level, as before"
    );

    // One symbol goes on, and its level names the source of the value.
    service.send(Method::PATCH, ETH, json!({"enabled": true, "trigger": "level"})).await.data();
    assert_eq!(outcome(&service, "ETHUSDT").await["outcome"], "signal");
    assert_eq!(rsi_of_list(&service).await["enabled_by_symbol"], json!({"ETHUSDT": true}));
    let again = pause(&service).await;
    let warning = &again.data()["warnings"][0];
    assert_eq!((&warning["parameter"], &warning["code"]), (&json!("enabled"), &json!("still_runs")));
    assert!(warning["message"].as_str().unwrap().contains("ETHUSDT"), "{warning}");
    service.send(Method::PATCH, ETH, json!({"enabled": null})).await.data();
    assert_eq!(outcome(&service, "ETHUSDT").await["outcome"], "paused");

    service.post(CONFIG, json!({"parameters": {"enabled": true}, "changed_by": "ann", "reason": "calm"})).await.data();
    service.send(Method::PATCH, CONFIG, json!({"period": 20, "trigger": "level"})).await.data();
    let after = outcome(&service, "BTCUSDT").await;
    assert_eq!(after["signal"]["signal_id"], before["signal"]["signal_id"], "the pause is in no id");
    let listed = rsi_of_list(&service).await;
    assert_eq!((&listed["enabled"], &listed["state"]), (&json!(true), &json!("ready")));
    service.end().await;
}

#[tokio::test]
async fn a_pause_takes_conditions_and_dry_runs_and_no_wrong_type() {
    let service = Service::start().await;
    let dry = json!({"parameters": {"enabled": false}, "validate_only": true});
    assert!(service.post(CONFIG, dry).await.data()["change"].is_null());
    assert_eq!(service.get(CONFIG).await.data()["enabled"], true);
    let stale = service.request(Method::PUT, CONFIG).header("If-Match", "\"3\"").json(&json!({"enabled": false}));
    reply(stale).await.error(409, "version_conflict");
    for wrong in [json!("false"), json!(0), json!(null)] {
        let refused = service.post(CONFIG, json!({"parameters": {"enabled": wrong}})).await;
        refused.error(422, "invalid");
        assert_eq!(refused.refused(), ["enabled"]);
        assert_eq!(refused.body["error"]["details"][0]["allowed"], "true or false");
    }
    let mixed = service.put(CONFIG, json!({"enabled": "no", "period": 0})).await;
    assert_eq!(mixed.refused(), ["enabled", "period"], "all problems together");
    service.end().await;
}

#[tokio::test]
async fn the_data_manager_rolls_back_the_level_that_it_names() {
    let service = Service::start().await;
    for period in [20, 21] {
        service.put(CONFIG, json!({"period": period})).await.data();
        service.put(ETH, json!({"period": period + 10})).await.data();
    }
    pause(&service).await.data();
    let body = json!({"target_version": null, "changed_by": "op", "reason": null});
    let period = async |path: &str| service.get(path).await.data()["parameters"]["period"].clone();
    // With a symbol, only that one's level; the proxy sends a side, too, which means nothing here.
    let of_symbol = service.post(&format!("{ROLLBACK}?symbol=ETHUSDT&side=LONG"), body.clone()).await;
    assert_eq!(
        (&of_symbol.data()["change"]["symbol"], &of_symbol.data()["change"]["changed_by"]),
        (&json!("ETHUSDT"), &json!("op"))
    );
    assert_eq!((period(ETH).await, period(CONFIG).await), (json!(30), json!(21)));
    // Without one, the level for all symbols: the change before the pause, which stays.
    let of_all = service.post(&format!("{ROLLBACK}?symbol=&side="), body.clone()).await;
    assert_eq!(of_all.data()["change"]["new_parameters"], json!({"period": 20, "enabled": false}));
    assert_eq!((period(ETH).await, period(CONFIG).await), (json!(30), json!(20)));
    let odd = service.post(&format!("{ROLLBACK}?symbol=B"), body.clone()).await;
    odd.error(422, "invalid");
    let two = service.post(&format!("{ROLLBACK}?symbol=ETHUSDT"), json!({"symbol": "BTCUSDT"})).await;
    assert_eq!(two.refused(), ["symbol"]);

    let audit = service.get(&format!("{AUDIT}?limit=20&symbol=&side=")).await;
    assert_eq!(audit.data().as_array().unwrap().len(), 7);
    let audit = service.get(&format!("{AUDIT}?limit=20&symbol=ETHUSDT&side=LONG")).await;
    assert_eq!(audit.data().as_array().unwrap().len(), 3);
    service.end().await;
}

#[tokio::test]
async fn the_data_manager_rolls_back_the_application_and_not_by_an_id() {
    let service = Service::start().await;
    let settings = "/api/v1/config/application";
    service.post(settings, json!({"min_confidence": 0.7})).await.data();
    let body = json!({"target_version": null, "changed_by": "op", "reason": null});
    let back = service.post(&format!("{settings}/rollback?symbol=BTCUSDT&side=LONG"), body).await;
    assert_eq!(back.data()["settings"]["min_confidence"], 0.6);
    service.get(&format!("{settings}/audit?limit=20&symbol=BTCUSDT&side=LONG")).await.data();
    for path in [format!("{settings}/rollback"), ROLLBACK.to_owned()] {
        let refused = service.post(&path, json!({"rollback_id": "64f0"})).await;
        assert_eq!(refused.refused(), ["rollback_id"]);
        let allowed = refused.body["error"]["details"][0]["allowed"].as_str().unwrap();
        assert!(allowed.contains("target_version"), "{allowed}");
    }
    service.end().await;
}

#[tokio::test]
async fn neighbours_validate_and_read_a_200() {
    let service = Service::start().await;
    // The trade engine names no strategy, and the realtime strategies name their own.
    let leverage = json!({"leverage": 3, "stop_loss_pct": 0.02, "take_profit_pct": 0.04});
    for body in [
        json!({"parameters": leverage, "symbol": "BTCUSDT"}),
        json!({"parameters": {}, "symbol": "BTCUSDT"}),
        json!({"parameters": leverage, "strategy_id": "orderbook_skew", "symbol": null}),
        json!({"parameters": leverage, "strategy_id": "Iceberg Detector #2", "symbol": "BTC/USDT"}),
    ] {
        let judged = service.post(VALIDATE, body.clone()).await;
        let data = judged.data();
        assert_eq!((&data["validation_passed"], &data["errors"]), (&json!(true), &json!([])), "{body}");
        assert_eq!(data["warnings"][0]["code"], "not_judged", "{body}");
        assert!(data["warnings"][0]["message"].as_str().unwrap().contains("not judged here"), "{data}");
    }

    let wrong = json!({"perid": 3, "period": 1, "oversold": "25", "trigger": 7, "enabled": false});
    let judged = service.post(VALIDATE, json!({"strategy_id": "rsi", "symbol": null, "parameters": wrong})).await;
    let data = judged.data();
    assert_eq!(
        (&data["validation_passed"], &data["valid"], &data["error_count"]),
        (&json!(false), &json!(false), &json!(4))
    );
    let errors = data["errors"].as_array().unwrap();
    let told: Vec<_> = errors
        .iter()
        .map(|error| {
            (error["field"].as_str().unwrap(), error["code"].as_str().unwrap(), error["suggested_value"].clone())
        })
        .collect();
    let expected = [
        ("oversold", "INVALID_TYPE", json!(25.0)),
        ("perid", "UNKNOWN_PARAMETER", Value::Null),
        ("period", "OUT_OF_RANGE", json!(2)),
        ("trigger", "INVALID_TYPE", json!("cross")),
    ];
    assert_eq!(told, expected);
    assert!(errors[2]["message"].as_str().unwrap().contains("a whole number from 2 to 200"), "{errors:?}");
    let fixes = ["set oversold to 25.0", "leave perid out", "set period to 2", "set trigger to \"cross\""];
    assert_eq!((&data["suggested_fixes"], &data["conflicts"]), (&json!(fixes), &json!([])));

    let together = json!({"strategy_id": "rsi", "parameters": {"oversold": 50, "overbought": 50}});
    let judged = service.post(VALIDATE, together).await;
    let error = &judged.data()["errors"][0];
    assert_eq!((&error["field"], &error["code"]), (&json!("*"), &json!("REFUSED_BY_STRATEGY")));
    let request = service.request(Method::POST, VALIDATE).body("{\"parameters\": ");
    reply(request).await.error(400, "malformed");
    assert_eq!(service.get(CONFIG).await.data()["version"], 0, "nothing was stored");
    service.end().await;
}

#[tokio::test]
async fn a_list_names_what_the_older_service_named() {
    let service = Service::start().await;
    let rsi = rsi_of_list(&service).await;
    assert_eq!(rsi["strategy_id"], "rsi");
    assert!(rsi["description"].as_str().unwrap().contains("relative strength"), "{rsi}");
    service.end().await;
}

#[tokio::test]
async fn routes_that_are_not_built_are_404_and_unknown_queries_400() {
    let service = Service::start().await;
    service.get("/api/v1/strategies/rsi/lifecycle?join_cio=true").await.error(404, "not_found");
    let transition = json!({"to_state": "admitted", "transitioned_by": "op"});
    service.post("/api/v1/strategies/rsi/lifecycle/transition", transition).await.error(404, "not_found");
    service.post("/api/v1/config/application/restore", json!({})).await.error(404, "not_found");
    for (method, path) in [
        (Method::GET, "/api/v1/strategies?sort=name"),
        (Method::GET, "/api/v1/strategies/rsi/config?symbol=BTCUSDT"),
        (Method::PUT, "/api/v1/strategies/rsi/config?symbol=BTCUSDT"),
        (Method::POST, "/api/v1/config/validate?strategy=rsi"),
        (Method::POST, "/api/v1/strategies/rsi/rollback?version=1"),
        (Method::GET, "/openapi.json?pretty=1"),
    ] {
        let refused = service.send(method.clone(), path, json!({})).await;
        refused.error(400, "unknown_field");
    }
    // Every change takes its author from the query if the body does not name one.
    let put = service.put(&format!("{CONFIG}?changed_by=op&reason=test&side=LONG"), json!({"period": 20})).await;
    assert_eq!((&put.data()["change"]["changed_by"], &put.data()["change"]["reason"]), (&json!("op"), &json!("test")));
    let named = json!({"parameters": {"period": 21}, "changed_by": "ann"});
    let put = service.put(&format!("{CONFIG}?changed_by=op"), named).await;
    assert_eq!(put.data()["change"]["changed_by"], "ann");
    service.end().await;
}

#[tokio::test]
async fn a_second_header_carries_a_token_and_others_have_the_anonymous_role() {
    let tokens = "trader:a34fa72ed95ef62f66a4e1066359704c6c920842a10c9eec98ac4c482b68ec22\n";
    let setup = Setup::new().with_file("API_TOKENS_FILE", tokens).with("API_TOKEN_HEADER", "X-Petrosa-Internal-Token");
    let service = setup.with("API_ANONYMOUS_ROLE", "viewer").start().await;
    let body = json!({"parameters": {"enabled": false}});
    let write = |token: &'static str| {
        reply(service.request(Method::POST, CONFIG).header("X-Petrosa-Internal-Token", token).json(&body))
    };
    let refused = write("").await;
    let error = refused.error(401, "unauthorized");
    assert!(error["message"].as_str().unwrap().contains("viewer here (API_ANONYMOUS_ROLE)"), "{error}");
    write("wrong").await.error(401, "unauthorized");
    service.get(CONFIG).await.data();
    assert_eq!(write("the-trader-s-token").await.data()["change"]["changed_by"], "trader");
    service.end().await;
}

#[tokio::test]
async fn the_api_is_shown_as_a_page_that_needs_no_network() {
    let service = Service::start().await;
    let text = async |path: &str| {
        let response = service.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        response.text().await.unwrap()
    };
    let page = text("/docs").await;
    let (script, style) = (text("/docs/page.js").await, text("/docs/page.css").await);
    for (name, part) in [("page", &page), ("script", &script), ("style", &style)] {
        assert!(!part.contains("://"), "{name} names another place");
    }
    assert!(page.contains("src=\"docs/page.js\"") && page.contains("href=\"docs/page.css\""), "{page}");
    assert!(!page.contains("<script>") && !page.contains(" onload=") && !page.contains("<style"), "{page}");
    assert!(!script.contains("innerHTML") && !script.contains("eval("), "what is shown must not act");
    let document = service.get("/openapi.json").await;
    assert_eq!(document.body, service.get("/api/v1/openapi.json").await.body);
    assert_eq!(document.body["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(service.request(Method::GET, "/live").send().await.unwrap().text().await.unwrap(), "ok\n");
    service.end().await;
}

#[tokio::test]
async fn health_and_a_metric_say_what_was_built() {
    let setup = Setup::new().with("COMMIT_SHA", "0123abc").with("BUILD_DATE", "2031-05-04T10:00:00Z");
    let service = setup.start().await;
    let health = service.get("/health").await.body;
    assert!(health["version"].as_str().unwrap().starts_with("2."), "{health}");
    let commit = health["build"]["commit"].as_str().unwrap();
    assert!(health["build"]["date"].is_string(), "{health}");
    let series = format!(r#"ta_bot_build_info{{commit="{commit}",version="{}"}}"#, health["version"].as_str().unwrap());
    assert_eq!(service.metric(&series).await, Some(1.0));
    service.end().await;
}
