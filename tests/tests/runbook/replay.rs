//! A stored signal is made again on request.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};
use ta_bot_core::Timeframe;

use crate::service::{Reply, Service, Setup, reply};

/// A service with a stored signal of RSI, and that signal's id.
async fn with_signal(setup: Setup) -> (Service, String) {
    let service = setup.with_falling("BTCUSDT", Timeframe::M15).start().await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    let publish = json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true});
    service.post("/api/v1/test/analyze", publish).await.data();
    let signals = service.get("/api/v1/signals?strategy=rsi").await;
    let id = signals.data()[0]["signal_id"].as_str().unwrap().to_owned();
    (service, id)
}

async fn replay(service: &Service, id: &str) -> Reply {
    reply(service.request(Method::POST, &format!("/api/v1/signals/{id}/replay"))).await
}

async fn sql(service: &Service, statement: &str) {
    let file = service.folder.path().join("data").join(ta_bot_drivers::sqlite::FILE_NAME);
    let mut connection = SqliteConnection::connect(&file.display().to_string()).await.unwrap();
    assert!(
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap().rows_affected() > 0,
        "{statement}"
    );
}

#[tokio::test]
async fn a_signal_is_made_again_byte_for_byte() {
    let (service, id) = with_signal(Setup::new()).await;
    // Today's parameters and bounds differ from those of the signal.
    service.put("/api/v1/strategies/rsi/config", json!({"period": 20})).await.data();
    service.post("/api/v1/config/application", json!({"min_confidence": 0.1, "max_confidence": 0.2})).await.data();
    let answer = replay(&service, &id).await;
    let data = answer.data();
    assert_eq!((&data["verdict"], &data["cause"], &data["signal_id"]), (&json!("equal"), &Value::Null, &json!(id)));
    assert_eq!((&data["differences"], &data["more_differences"]), (&json!([]), &json!(0)));
    assert_eq!(
        (&data["strategy"], &data["symbol"], &data["timeframe"]),
        (&json!("rsi"), &json!("BTCUSDT"), &json!("15m"))
    );
    let digest = service.get("/api/v1/strategies/rsi").await.data()["digest"].clone();
    assert_eq!(data["module_digest"], digest);
    let [window] = data["windows"].as_array().unwrap().as_slice() else { panic!("{data}") };
    assert_eq!((&window["symbol"], &window["stored_since"]), (&json!("BTCUSDT"), &json!(0)));
    assert!(window["candles"].as_u64().unwrap() > 100, "{window}");
    let stored = service.get("/api/v1/signals?strategy=rsi").await.data()[0]["message"].clone();
    assert_eq!((&data["outcome"]["outcome"], &data["outcome"]["signal"]), (&json!("signal"), &stored));
    assert_eq!(data["candle_close"], stored["timestamp"]);

    // A body is allowed, and capital letters are the same digits.
    let path = format!("/api/v1/signals/{}/replay", id.to_uppercase());
    assert_eq!(service.post(&path, json!({})).await.data()["verdict"], "equal");
    assert_eq!(service.metric(r#"ta_bot_replays_total{verdict="equal"}"#).await, Some(2.0));
    // A replay is no analysis: nothing is stored, sent or counted as one.
    assert_eq!(service.get("/api/v1/signals?strategy=rsi").await.data().as_array().unwrap().len(), 1);
    let generated = r#"ta_bot_signals_generated_total{action="buy",strategy="rsi",symbol="BTCUSDT",timeframe="15m"}"#;
    assert_eq!(service.metric(generated).await, Some(1.0));
    service.end().await;
}

#[tokio::test]
async fn what_differs_is_named() {
    let (service, id) = with_signal(Setup::new()).await;
    sql(&service, "UPDATE signals SET message = json_set(message, '$.confidence', 0.123)").await;
    let answer = replay(&service, &id).await;
    let data = answer.data();
    assert_eq!((&data["verdict"], &data["cause"]), (&json!("different"), &Value::Null));
    let [difference] = data["differences"].as_array().unwrap().as_slice() else { panic!("{data}") };
    assert_eq!((&difference["field"], &difference["stored"]), (&json!("confidence"), &json!(0.123)));
    assert_eq!(difference["replayed"], data["outcome"]["signal"]["confidence"]);
    assert_eq!(service.metric(r#"ta_bot_replays_total{verdict="different"}"#).await, Some(1.0));
    service.end().await;
}

#[tokio::test]
async fn what_is_not_there_any_more_is_told() {
    let (service, id) = with_signal(Setup::new()).await;
    // The service has these candles in its memory, but a replay asks the store.
    sql(&service, "UPDATE candles SET volume = volume + 1").await;
    let answer = replay(&service, &id).await;
    let data = answer.data();
    assert_eq!((&data["verdict"], &data["cause"]["code"]), (&json!("impossible"), &json!("candles_changed")));
    assert_eq!(data["outcome"]["outcome"], "signal", "what the candles of today say: {data}");
    assert_eq!(data["differences"][0]["field"], "metadata.provenance.window_hash");
    sql(&service, "DELETE FROM candles WHERE open_time = (SELECT max(open_time) FROM candles)").await;
    let answer = replay(&service, &id).await;
    let data = answer.data();
    assert_eq!((&data["cause"]["code"], &data["outcome"]), (&json!("candles_missing"), &Value::Null));
    assert!(data["cause"]["message"].as_str().unwrap().contains("BTCUSDT 15m"), "{data}");
    assert_eq!(service.metric(r#"ta_bot_replays_total{verdict="impossible"}"#).await, Some(2.0));
    service.end().await;
}

#[tokio::test]
async fn what_is_no_signal_is_refused() {
    let (service, id) = with_signal(Setup::new()).await;
    for unknown in [
        "ab".repeat(32),
        "x".to_owned(),
        id[1..].to_owned(),
        format!("{id}0"),
        "%00".to_owned(),
        "%F0%9F%98%80".to_owned(),
    ] {
        let refused = replay(&service, &unknown).await;
        refused.error(404, "unknown_signal");
    }
    replay(&service, "%ff").await.error(404, "not_found");
    let told = replay(&service, &"a".repeat(5000)).await;
    assert!(told.error(404, "unknown_signal").to_string().len() < 500);
    let path = format!("/api/v1/signals/{id}/replay");
    for (body, status, code) in
        [("[]", 400, "malformed"), ("{", 400, "malformed"), ("{\"publish\": true}", 400, "unknown_field")]
    {
        reply(service.request(Method::POST, &path).body(body)).await.error(status, code);
    }
    let typed = service.request(Method::POST, &path).header("Content-Type", "text/plain").body("{}");
    reply(typed).await.error(415, "unsupported_media_type");
    reply(service.request(Method::GET, &path)).await.error(405, "method_not_allowed");
    service.end().await;
}
