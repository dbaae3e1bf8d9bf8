//! Parameters: written, inherited, refused, and written by two at once.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::service::{Reply, Service, reply};

const CONFIG: &str = "/api/v1/strategies/rsi/config";
const BTC: &str = "/api/v1/strategies/rsi/config/BTCUSDT";

async fn if_match(service: &Service, method: Method, path: &str, tag: &str, body: Value) -> Reply {
    reply(service.request(method, path).header("If-Match", tag).json(&body)).await
}

#[tokio::test]
async fn what_nobody_set_is_the_module_s_default() {
    let service = Service::start().await;
    for (path, symbol) in [(CONFIG, Value::Null), (BTC, json!("BTCUSDT"))] {
        let config = service.get(path).await;
        assert_eq!(config.etag(), "\"0\"");
        let config = config.data();
        assert_eq!((&config["strategy_id"], &config["symbol"]), (&json!("rsi"), &symbol));
        assert_eq!(
            (&config["version"], &config["source"], &config["is_override"]),
            (&json!(0), &json!("default"), &json!(false))
        );
        assert_eq!((&config["parameters"]["period"], &config["origins"]["period"]), (&json!(14), &json!("default")));
        assert!(config["stored"].is_null() && config["created_at"].is_null() && config["updated_at"].is_null());
    }
    service.end().await;
}

#[tokio::test]
async fn put_and_post_replace_bare_and_wrapped() {
    let service = Service::start().await;
    let bare = service.put(CONFIG, json!({"period": 20, "oversold": 25, "overbought": 75})).await;
    assert_eq!((bare.etag(), &bare.data()["change"]["action"]), ("\"1\"", &json!("CREATE")));
    assert_eq!(bare.data()["change"]["changed_by"], "api");
    let wrapped = json!({"parameters": {"period": 21}, "changed_by": "ann", "reason": "calmer"});
    let wrapped = service.post(CONFIG, wrapped).await;
    let change = &wrapped.data()["change"];
    assert_eq!((wrapped.etag(), &change["action"]), ("\"2\"", &json!("UPDATE")));
    assert_eq!((&change["changed_by"], &change["reason"]), (&json!("ann"), &json!("calmer")));
    assert_eq!(change["old_parameters"], json!({"period": 20, "oversold": 25, "overbought": 75}));

    let config = service.get(CONFIG).await;
    assert_eq!(config.etag(), "\"2\"");
    let config = config.data();
    assert_eq!(*config, wrapped.data()["config"]);
    assert_eq!((&config["version"], &config["source"]), (&json!(2), &json!("sqlite")));
    assert_eq!(config["stored"]["parameters"], json!({"period": 21}));
    assert_eq!((&config["parameters"]["oversold"], &config["origins"]["oversold"]), (&json!(30.0), &json!("default")));
    assert!(config["created_at"].is_string() && config["updated_at"].is_string());
    assert_eq!(config["stored"]["created_by"], "api");
    service.end().await;
}

#[tokio::test]
async fn a_symbol_inherits_what_it_does_not_name() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"period": 20, "oversold": 25})).await.data();
    let inherited = service.get(BTC).await;
    assert_eq!((inherited.etag(), &inherited.data()["version"]), ("\"0\"", &json!(1)));
    assert_eq!((&inherited.data()["is_override"], &inherited.data()["source"]), (&json!(false), &json!("sqlite")));
    assert!(inherited.data()["created_at"].is_string() && inherited.data()["stored"].is_null());

    // Lower case names the same symbol, and a symbol may be configured before it has candles.
    service.put("/api/v1/strategies/rsi/config/btcusdt", json!({"period": 10})).await.data();
    service.put("/api/v1/strategies/rsi/config/NEWCOIN", json!({"period": 10})).await.data();
    let own = service.get(BTC).await;
    let own = own.data();
    assert_eq!((&own["is_override"], &own["symbol"]), (&json!(true), &json!("BTCUSDT")));
    let origins = ["period", "oversold", "overbought"].map(|name| own["origins"][name].as_str().unwrap());
    assert_eq!(origins, ["symbol", "global", "default"]);
    assert_eq!((&own["parameters"]["period"], &own["parameters"]["oversold"]), (&json!(10), &json!(25.0)));

    service.put(CONFIG, json!({"oversold": 20})).await.data();
    assert_eq!(service.get(BTC).await.data()["parameters"]["oversold"], 20.0);
    service.end().await;
}

#[tokio::test]
async fn patch_merges_and_null_unsets() {
    let service = Service::start().await;
    service.put(BTC, json!({"period": 20, "oversold": 25})).await.data();
    let patched = service.send(Method::PATCH, BTC, json!({"period": null, "overbought": 80})).await;
    assert_eq!(patched.data()["config"]["stored"]["parameters"], json!({"oversold": 25, "overbought": 80}));
    assert_eq!(patched.data()["config"]["origins"]["period"], "default");
    // Only a PATCH unsets a parameter.
    assert_eq!(service.put(BTC, json!({"period": null})).await.refused(), ["period"]);
    service.end().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_whole_with_one_entry_each() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"period": 20})).await.data();
    let wrong = json!({"period": "14", "oversold": 999, "overbougt": 70, "trigger": "touch", "overbought": 71});
    for method in [Method::PUT, Method::POST, Method::PATCH] {
        let refused = service.send(method, CONFIG, wrong.clone()).await;
        refused.error(422, "invalid");
        assert_eq!(refused.refused(), ["overbougt", "oversold", "period", "trigger"]);
        let details = &refused.body["error"]["details"];
        assert_eq!((&details[1]["given"], &details[1]["allowed"]), (&json!(999), &json!("a number from 1 to 50")));
        assert_eq!(details[2]["allowed"], "a whole number from 2 to 200");
        assert_eq!(details[3]["allowed"], "one of cross, level");
    }
    for odd in [json!(14.5), json!(true), json!([14]), json!({"a": 1}), json!(1e300), json!(-1)] {
        let refused = service.put(CONFIG, json!({"period": odd})).await;
        refused.error(422, "invalid");
    }
    assert_eq!(service.get(CONFIG).await.data()["stored"]["parameters"], json!({"period": 20}));
    service.end().await;
}

#[tokio::test]
async fn the_strategy_refuses_what_only_it_knows() {
    let service = Service::start().await;
    let refused = service.put(CONFIG, json!({"oversold": 50, "overbought": 50})).await;
    refused.error(422, "refused_by_strategy");
    assert_eq!(refused.refused(), ["*"]);
    assert!(refused.body["error"]["message"].as_str().unwrap().contains("below overbought"), "{}", refused.body);
    // A global level has to fit with every override, too.
    service.put(BTC, json!({"oversold": 50})).await.data();
    service.put(CONFIG, json!({"overbought": 50, "oversold": 20})).await.error(422, "refused_by_strategy");
    service.put(CONFIG, json!({"overbought": 51})).await.data();
    service.end().await;
}

#[tokio::test]
async fn validating_stores_nothing() {
    let service = Service::start().await;
    let only = json!({"parameters": {"period": 20}, "validate_only": true});
    for method in [Method::PUT, Method::POST, Method::PATCH] {
        let checked = service.send(method, CONFIG, only.clone()).await;
        assert!(checked.data()["change"].is_null() && checked.data()["validate_only"] == true);
    }
    let wrong = json!({"parameters": {"period": 1}, "validate_only": true});
    service.put(CONFIG, wrong).await.error(422, "invalid");

    let path = "/api/v1/config/validate";
    let valid =
        service.post(path, json!({"strategy_id": "rsi", "symbol": "BTCUSDT", "parameters": {"period": 20}})).await;
    assert_eq!((&valid.data()["valid"], &valid.data()["symbol"]), (&json!(true), &json!("BTCUSDT")));
    // What it says of a configuration that is wrong: `neighbours`.
    let incomplete = service.post(path, json!({"strategy_id": "rsi", "symbol": "B"})).await;
    incomplete.error(422, "invalid");
    assert_eq!(incomplete.refused(), ["parameters", "symbol"]);
    service.post(path, json!({"strategy": "rsi"})).await.error(400, "unknown_field");

    assert_eq!(service.get(CONFIG).await.data()["version"], 0);
    assert_eq!(service.get("/api/v1/strategies/rsi/audit").await.data(), &json!([]));
    service.end().await;
}

#[tokio::test]
async fn of_two_writers_who_saw_the_same_one_wins() {
    let service = Service::start().await;
    let seen = service.put(CONFIG, json!({"period": 20})).await.etag().to_owned();
    let write = |period| if_match(&service, Method::PUT, CONFIG, &seen, json!({"period": period}));
    let (one, other) = tokio::join!(write(21), write(22));
    let (won, lost) = if one.status == 200 { (one, other) } else { (other, one) };
    assert_eq!(won.etag(), "\"2\"");
    let error = lost.error(409, "version_conflict");
    assert_eq!(error["details"], json!({"expected_version": 1, "current_version": 2}));
    assert_eq!(service.get(CONFIG).await.data()["parameters"], won.data()["config"]["parameters"]);
    service.end().await;
}

#[tokio::test]
async fn conditions_hold_for_every_verb() {
    let service = Service::start().await;
    let body = || json!({"period": 20});
    let only_new = |path| reply(service.request(Method::PUT, path).header("If-None-Match", "*").json(&body()));
    if_match(&service, Method::PUT, CONFIG, "*", body()).await.error(409, "version_conflict");
    if_match(&service, Method::PUT, CONFIG, "\"0\"", body()).await.data();
    only_new(CONFIG).await.error(409, "version_conflict");
    only_new(BTC).await.data();
    if_match(&service, Method::PUT, CONFIG, "*", body()).await.data();
    for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
        let body = if method == Method::DELETE { json!({}) } else { body() };
        let stale = if_match(&service, method, CONFIG, "\"1\"", body).await;
        stale.error(409, "version_conflict");
    }
    if_match(&service, Method::PATCH, CONFIG, "W/\"2\"", body()).await.data();
    if_match(&service, Method::PUT, CONFIG, "\"x\"", body()).await.error(400, "malformed");
    if_match(&service, Method::DELETE, CONFIG, "\"3\"", json!({})).await.data();
    service.end().await;
}

#[tokio::test]
async fn deleting_falls_back_and_twice_is_no_error() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"period": 20})).await.data();
    service.put(BTC, json!({"period": 10})).await.data();
    let query = format!("{BTC}?changed_by=ann&reason=too%20nervous");
    let deleted = reply(service.request(Method::DELETE, &query)).await;
    let change = &deleted.data()["change"];
    assert_eq!((&change["action"], &change["changed_by"]), (&json!("DELETE"), &json!("ann")));
    assert_eq!((&change["reason"], &change["new_parameters"]), (&json!("too nervous"), &Value::Null));
    assert_eq!((deleted.etag(), &deleted.data()["config"]["parameters"]["period"]), ("\"0\"", &json!(20)));
    let again = service.send(Method::DELETE, BTC, json!({"changed_by": "ann"})).await;
    assert!(again.data()["change"].is_null());
    // A version is never used twice, so a writer that saw the old one can't mistake the new one for it.
    let created = service.put(BTC, json!({"period": 11})).await;
    assert_eq!((created.etag(), &created.data()["change"]["action"]), ("\"3\"", &json!("CREATE")));
    service.end().await;
}

#[tokio::test]
async fn a_symbol_that_can_be_none_is_404_with_the_reason() {
    let service = Service::start().await;
    for symbol in ["B", "BTC%2FUSDT", "A_VERY_LONG_SYMBOL_NAME", "BTC%20USDT", "%C3%84%C3%84%C3%84"] {
        let path = format!("{CONFIG}/{symbol}");
        for reply in [service.get(&path).await, service.put(&path, json!({})).await] {
            let error = reply.error(404, "unknown_symbol");
            assert!(error["message"].as_str().unwrap().contains("such as BTCUSDT"), "{error}");
        }
    }
    service.end().await;
}

#[tokio::test]
async fn where_the_store_is_away_reading_goes_on_and_writing_is_503() {
    let service = Service::start().await;
    service.put(CONFIG, json!({"period": 20})).await.data();
    // Another connection that holds the file, as another process would, for longer than any request waits.
    let file = service.folder.path().join("data").join(ta_bot_drivers::sqlite::FILE_NAME);
    let mut other = SqliteConnection::connect(&file.display().to_string()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let away = service.put(CONFIG, json!({"period": 21})).await;
    let error = away.error(503, "store_away");
    assert_eq!(error["details"], json!({"store": "sqlite"}));
    assert_eq!(away.headers["retry-after"], "1");
    let told = error["message"].as_str().unwrap();
    assert!(told.contains("sqlite is away") && !told.contains("lock") && !told.contains("data"), "{told}");
    assert_eq!(service.get(CONFIG).await.data()["parameters"]["period"], 20);
    let analysis = json!({"symbol": "BTCUSDT", "timeframe": "15m"});
    service.post("/api/v1/test/analyze", analysis).await.data();
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    service.put(CONFIG, json!({"period": 21})).await.data();
    service.end().await;
}

/// An RSI of 200 from 250 candles is three quarters of its seed.
#[tokio::test]
async fn a_length_that_the_window_cannot_serve_is_taken_with_a_warning() {
    let service = Service::start().await;
    let long = service.put(CONFIG, json!({"period": 200, "oversold": 25})).await;
    let warnings = &long.data()["warnings"];
    assert_eq!(warnings.as_array().map(Vec::len), Some(1), "{warnings}");
    assert_eq!((&warnings[0]["parameter"], &warnings[0]["code"]), (&json!("period"), &json!("seed_left")));
    let message = warnings[0]["message"].as_str().unwrap();
    assert!(message.contains("250 candles") && message.contains("about 78 %"), "{message}");
    assert_eq!(long.data()["config"]["parameters"]["period"], 200);
    let check = json!({"strategy_id": "rsi", "parameters": {"period": 200}});
    let checked = service.post("/api/v1/config/validate", check).await;
    assert_eq!(checked.data()["warnings"], *warnings);
    let only = json!({"parameters": {"period": 150}, "validate_only": true});
    assert_eq!(service.put(CONFIG, only).await.data()["warnings"][0]["parameter"], "period");
    assert_eq!(service.put(CONFIG, json!({"period": 20})).await.data()["warnings"], json!([]));
    let back = service.post("/api/v1/strategies/rsi/rollback", json!({})).await;
    assert_eq!(back.data()["warnings"], *warnings, "a rollback sets what it restores");
    service.end().await;
}
