//! Candles that are changed by hand through the API.

use std::time::Duration;

use serde_json::{Value, json};
use ta_bot_core::{Candle, Timeframe, Timestamp};
use ta_bot_tests::until;

use crate::service::{Service, Setup};

const REPLACE: &str = "/api/v1/candles/replace";
const DELETE: &str = "/api/v1/candles/delete";
const REPAIRS: &str = "/api/v1/candles/repairs";
const REDECISIONS: &str = "/api/v1/candles/redecisions";
const M15: Timeframe = Timeframe::M15;

fn row(candle: &Candle) -> Value {
    let Candle { open_time, open, high, low, close, volume } = candle;
    json!([open_time.millis(), open, high, low, close, volume])
}

/// The newest stored candles.
async fn newest(service: &Service, count: u32) -> Vec<Candle> {
    service.candles.newest(&"BTCUSDT".parse().unwrap(), M15, Timestamp::now(), count).await.unwrap().candles
}

/// Waits until the running service gives strategies these candles.
async fn sees(service: &Service, count: u32, expected: &[Candle]) {
    let told = async || format!("{:?}", newest(service, count).await);
    until(Duration::from_secs(20), told, async || newest(service, count).await == expected).await;
}

fn body(candles: &[Candle], more: &Value) -> Value {
    let mut body =
        json!({"symbol": "BTCUSDT", "timeframe": "15m", "candles": candles.iter().map(row).collect::<Vec<_>>()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn candles_are_replaced_after_a_preview() {
    let service = Setup::new().with_fresh("BTCUSDT", M15).start().await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    let candles = newest(&service, 5).await;
    let changed = Candle { close: candles[1].close + 1.0, ..candles[1] };
    let given = [candles[0], changed];
    let preview = service.post(REPLACE, body(&given, &json!({}))).await;
    let preview = preview.data();
    let counts =
        |view: &Value| ["added", "changed", "removed", "same", "kept"].map(|name| view[name].as_u64().unwrap());
    assert_eq!((counts(preview), &preview["applied"]), ([0, 1, 0, 1, 0], &json!(false)));
    assert_eq!(preview["changes"][0]["new"]["close"], changed.close);
    assert_eq!(preview["changes"][0]["old"]["close"], candles[1].close);
    assert_eq!(newest(&service, 5).await, candles, "a preview changes nothing");
    assert_eq!(service.get(REPAIRS).await.data(), &json!([]));

    let more = json!({"apply": true, "redecide": true, "changed_by": "ann", "reason": "a new archive"});
    let done = service.post(REPLACE, body(&given, &more)).await;
    let done = done.data();
    assert_eq!((counts(done), &done["applied"]), ([0, 1, 0, 1, 0], &json!(true)));
    assert_eq!(done["redecided"]["jobs"], done["finished_jobs"]);
    sees(&service, 5, &[candles[0], changed, candles[2], candles[3], candles[4]]).await;
    let log = service.get(&format!("{REPAIRS}?limit=5")).await;
    let entry = &log.data()[0];
    assert_eq!(
        (&entry["repair"], &entry["changed_by"], &entry["reason"]),
        (&done["repair"], &json!("ann"), &json!("a new archive"))
    );
    let anew = service.get(&format!("{REDECISIONS}?repair={}", done["repair"])).await;
    assert!(anew.data().as_array().unwrap().iter().all(|one| one["repair"] == done["repair"]), "{}", anew.body);

    let again = service.post(REPLACE, body(&given, &json!({"apply": true}))).await;
    assert_eq!((&again.data()["repair"], counts(again.data())), (&Value::Null, [0, 0, 0, 2, 0]));
    service.end().await;
}

#[tokio::test]
async fn a_stretch_is_deleted_after_a_preview() {
    let service = Service::start().await;
    let candles = newest(&service, 5).await;
    let asked = |more: Value| {
        let [since, until] = [candles[1].open_time, candles[3].open_time].map(|at| at.to_string());
        let mut body = json!({"symbol": "BTCUSDT", "timeframe": "15m", "since": since, "until": until});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let preview = service.post(DELETE, asked(json!({}))).await;
    assert_eq!((&preview.data()["removed"], &preview.data()["applied"]), (&json!(2), &json!(false)));
    assert_eq!(newest(&service, 5).await, candles);
    let done = service.post(DELETE, asked(json!({"apply": true}))).await;
    assert_eq!((&done.data()["removed"], &done.data()["kind"]), (&json!(2), &json!("delete")));
    sees(&service, 3, &[candles[0], candles[3], candles[4]]).await;
    service.end().await;
}

#[tokio::test]
async fn what_can_not_be_done_is_told() {
    let service = Service::start().await;
    let candle = newest(&service, 1).await[0];
    let replace = async |candles: Value| {
        service.post(REPLACE, json!({"symbol": "BTCUSDT", "timeframe": "15m", "candles": candles})).await
    };
    for wrong in [json!([]), json!(7), json!([7]), json!([[1, 2, 3]]), json!([["a", 1, 1, 1, 1, 1]])] {
        let refused = replace(wrong).await;
        assert!(refused.error(422, "invalid").to_string().contains("candles"), "{}", refused.body);
    }
    for (wrong, told) in [
        (Candle { high: 1.0, ..candle }, "do not enclose"),
        (Candle { open_time: candle.open_time.plus_millis(1), ..candle }, "a candle of 15m opens at"),
        (Candle { open_time: M15.open_of(Timestamp::now()), ..candle }, "still open"),
    ] {
        let refused = replace(json!([row(&wrong)])).await;
        refused.error(422, "unsound_candle");
        assert!(refused.body["error"]["message"].as_str().unwrap().contains(told), "{}", refused.body);
    }
    let series = json!({"symbol": "BTCUSDT", "timeframe": "15m"});
    service.post(REPLACE, series.clone()).await.error(422, "invalid");
    service.post(DELETE, series).await.error(422, "invalid");
    let turned = json!({"symbol": "BTCUSDT", "timeframe": "15m", "since": "2026-01-02", "until": "2026-01-01"});
    service.post(DELETE, turned).await.error(422, "invalid");
    let micros = json!({"symbol": "BTCUSDT", "timeframe": "15m", "since": "1767226500000000", "until": "2026-02-01"});
    let refused = service.post(DELETE, micros).await;
    assert!(refused.body.to_string().contains("1767226500000 "), "{}", refused.body);
    service.post(REPLACE, body(&[candle], &json!({"redecide": true}))).await.error(422, "invalid");
    service.post(REPLACE, body(&[candle], &json!({"force": true}))).await.error(400, "unknown_field");
    service.get(REDECISIONS).await.error(422, "invalid");
    service.get(&format!("{REDECISIONS}?repair=7")).await.error(404, "unknown_repair");
    assert_eq!(service.get(REPAIRS).await.data(), &json!([]));
    service.end().await;
}
