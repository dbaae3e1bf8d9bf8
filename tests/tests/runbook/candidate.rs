//! What a module would have changed on past candles.

use serde_json::{Value, json};
use ta_bot_core::{ModuleDigest, Value as Parameter};
use ta_bot_tests::built_in::{self, Instead, changed, relabelled};

use crate::{
    deployment::upload_bytes,
    market::{Market, eager, rsi},
    service::{Reply, Service, Setup},
    support::component,
};

const CANDIDATE: &str = "/api/v1/strategies/rsi/candidate";

async fn compare(service: &Service, body: Value) -> Reply {
    service.post(CANDIDATE, body).await
}

fn counts(data: &Value) -> [u64; 5] {
    ["agree", "added", "missed", "changed", "failed"].map(|name| data[name].as_u64().unwrap())
}

/// A service with a market on which RSI signals as long as it is beyond its threshold.
async fn with_level() -> (Service, Market) {
    let market = Market::new();
    let service = market.service(Setup::new()).await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    (service, market)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_changes_are_those_that_the_modules_make() {
    let (service, market) = with_level().await;
    let module = upload_bytes(&service, eager(), "admitted").await;
    let expected = market.changes(
        [&rsi(), &eager()],
        |parameters| parameters.set("trigger", Parameter::Text("level".to_owned())),
        120,
    );
    assert!(expected.iter().all(|count| *count > 0), "{expected:?} prove little");
    let answer = compare(&service, json!({"module": module, "candles": 120, "examples": 2})).await;
    let data = answer.data();
    assert_eq!(counts(data)[..4], expected);
    assert_eq!((&data["complete"], &data["compared"], &data["failed"]), (&json!(true), &json!(240), &json!(0)));
    assert_eq!(data["incumbent"], ModuleDigest::of(&rsi()).to_string());
    assert_eq!((&data["symbols"], &data["timeframes"]), (&json!(2), &json!(["15m"])));
    for (kind, incumbent, candidate) in
        [("added", "none", "signal"), ("missed", "signal", "none"), ("changed", "signal", "signal")]
    {
        let examples = data["examples"][kind].as_array().unwrap();
        assert_eq!(examples.len(), 2, "{kind}");
        assert!(examples[0]["candle_close"].as_str() >= examples[1]["candle_close"].as_str(), "{data}");
        for example in examples {
            let outcomes = (&example["incumbent"]["outcome"], &example["candidate"]["outcome"]);
            assert_eq!(outcomes, (&json!(incumbent), &json!(candidate)), "{example}");
            assert_eq!(example["difference"], kind);
        }
    }
    let changed = &data["examples"]["changed"][0];
    assert_ne!(changed["incumbent"]["signal"]["metadata"]["rsi"], changed["candidate"]["signal"]["metadata"]["rsi"]);
    for side in ["incumbent", "candidate"] {
        let cost = &data["cost"][side];
        let number = |name: &str| cost[name].as_f64().unwrap();
        assert_eq!(cost["evaluations"], 240);
        assert!(number("p50_ms") > 0.0 && number("p50_ms") <= number("p99_ms") && number("p99_ms") <= number("max_ms"));
        assert!(number("total_ms") >= number("max_ms"));
    }
    // One symbol, with other bytes of the same code.
    let same = upload_bytes(&service, relabelled(&rsi(), 1), "admitted").await;
    let answer = compare(&service, json!({"module": same, "symbols": ["ETHUSDT", "ETHUSDT"]})).await;
    assert_eq!(counts(answer.data()), [100, 0, 0, 0, 0], "{}", answer.body);
    assert_eq!(answer.data()["symbols"], 1);
    // Nothing was stored, sent or counted.
    assert_eq!(service.get("/api/v1/signals").await.data(), &json!([]));
    assert!(
        !service
            .metrics()
            .await
            .contains(r#"strategy_executions_total{signal_generated="true",status="success",strategy="rsi""#)
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_module_that_fails_is_told_by_its_errors_and_needs_no_admission() {
    let (service, market) = with_level().await;
    let traps = changed(&rsi(), 0.35, Instead::Trap).unwrap();
    let module = upload_bytes(&service, traps, "refused").await;
    let [agree, _, _, signals] = market.changes(
        [&rsi(), &changed(&rsi(), 0.35, Instead::Number(0.3)).unwrap()],
        |parameters| parameters.set("trigger", Parameter::Text("level".to_owned())),
        100,
    );
    let answer = compare(&service, json!({"module": module, "examples": 1})).await;
    let data = answer.data();
    assert_eq!(counts(data), [agree, 0, 0, 0, signals]);
    assert_eq!(data["failures"], json!({"trap": signals}));
    assert_eq!(data["examples"]["failed"][0]["candidate"]["code"], "trap");

    // A module that never ends is stopped each time, and the whole comparison ends when its time is up.
    let hangs = changed(&rsi(), 0.35, Instead::Hang).unwrap();
    let module = upload_bytes(&service, hangs, "refused").await;
    let answer = compare(&service, json!({"module": module, "seconds": 1, "candles": 300})).await;
    let data = answer.data();
    assert_eq!(data["complete"], false, "{data}");
    assert!(data["compared"].as_u64().unwrap() < 600 && data["failures"]["timeout"].as_u64().unwrap() >= 1, "{data}");
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strategy_that_is_not_there_yet_adds_all_its_signals() {
    let (service, _) = with_level().await;
    let module = upload_bytes(&service, component("versions_v1"), "admitted").await;
    let answer = service.post("/api/v1/strategies/versions/candidate", json!({"module": module, "candles": 7})).await;
    let data = answer.data();
    assert_eq!(counts(data), [0, 14, 0, 0, 0]);
    assert_eq!((&data["incumbent"], &data["cost"]["incumbent"]), (&Value::Null, &Value::Null));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_t_be_compared_is_refused() {
    let (service, _) = with_level().await;
    let module = upload_bytes(&service, relabelled(&rsi(), 2), "admitted").await;
    compare(&service, json!({"module": "ab".repeat(32)})).await.error(404, "unknown_module");
    let macd = ModuleDigest::of(&built_in::bytes("macd").unwrap()).to_string();
    compare(&service, json!({"module": macd})).await.error(422, "other_strategy");
    compare(&service, json!({"modul": module})).await.error(400, "unknown_field");
    let nonsense =
        json!({"module": "x", "candles": 0, "examples": 101, "symbols": ["ADAUSDT", "B", 5], "seconds": "1"});
    let refused = compare(&service, nonsense).await;
    refused.error(422, "invalid");
    let mut named = refused.refused();
    named.dedup();
    assert_eq!(named, ["module", "candles", "examples", "seconds", "symbols"], "{}", refused.body);
    compare(&service, json!({"module": module, "symbols": []})).await.error(422, "invalid");
    compare(&service, json!({})).await.error(422, "invalid");
    // More than a million evaluations.
    let symbols: Vec<String> = (0..600).map(|index| format!("S{index:03}USDT")).collect();
    service.post("/api/v1/config/application", json!({"symbols": symbols})).await.data();
    let refused = compare(&service, json!({"module": module, "candles": 1000})).await;
    let told = refused.error(422, "too_much")["message"].as_str().unwrap().to_owned();
    assert!(told.contains("1200000 evaluations") && told.contains("at most 833 candles"), "{told}");
    // There are no candles of these symbols.
    assert_eq!(counts(compare(&service, json!({"module": module, "candles": 833})).await.data()), [0; 5]);
    service.end().await;
}
