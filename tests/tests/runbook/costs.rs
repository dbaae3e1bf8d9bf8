//! What evaluations cost: measured by jobs, listed, and kept over a restart.

use std::time::Duration;

use serde_json::Value;
use ta_bot_core::Timeframe;
use ta_bot_tests::until;

use crate::service::{Service, Setup};

async fn costs(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get(&format!("/api/v1/costs{query}")).await;
    let costs = answer.data().as_array().unwrap().clone();
    assert_eq!(answer.body["metadata"]["count"], costs.len());
    costs
}

fn named<'a>(costs: &'a [Value], strategy: &str) -> &'a Value {
    costs.iter().find(|cost| cost["strategy"] == strategy).unwrap_or_else(|| panic!("no {strategy} in {costs:?}"))
}

/// A service whose jobs have evaluated a candle of each of two symbols.
async fn worked() -> Service {
    let setup = Setup::new().with_fresh("BTCUSDT", Timeframe::M15).with_fresh("ETHUSDT", Timeframe::M15);
    let service = setup.start().await;
    let told = async || format!("{:?}", costs(&service, "?by=symbol").await);
    let done = async || {
        let is_idle = service.metric("ta_bot_jobs_queued").await == Some(0.0);
        is_idle && costs(&service, "?by=symbol").await.len() == 2
    };
    until(Duration::from_mins(1), told, done).await;
    service
}

#[tokio::test]
async fn jobs_are_counted_by_strategy_module_and_symbol_and_kept_over_a_restart() {
    let service = worked().await;
    let before = costs(&service, "").await;
    let rsi = named(&before, "rsi");
    assert!(rsi["module_digest"].is_null() && rsi["symbol"].is_null(), "{rsi}");
    let number = |name: &str| rsi[name].as_f64().unwrap();
    let evaluations = number("evaluations");
    assert!(evaluations >= 2.0 && number("failures") == 0.0, "{rsi}");
    assert!((number("mean_ms") * evaluations - number("total_ms")).abs() < 1e-6, "{rsi}");
    assert!(number("mean_ms") > 0.0 && number("longest_ms") <= number("total_ms"), "{rsi}");
    // Memory consists of pages of 64 KiB, and each evaluation gets at least a column of closes.
    assert!(number("peak_memory_bytes") > 0.0 && number("peak_memory_bytes") % 65_536.0 == 0.0, "{rsi}");
    assert!(number("bytes_in") >= evaluations * 15.0 * 8.0, "{rsi}");
    let per_signal = rsi["ms_per_signal"].as_f64();
    assert_eq!(per_signal.is_some(), number("signals") > 0.0, "{rsi}");
    let seconds = service.metric(r#"ta_bot_strategy_guest_seconds_total{strategy="rsi"}"#).await.unwrap();
    assert!(seconds * 1000.0 >= number("total_ms") - 1e-3, "{seconds} s, {rsi}");

    let strategies = service.get("/api/v1/strategies").await;
    let strategies = strategies.data().as_array().unwrap().clone();
    let digest = |id: &str| strategies.iter().find(|it| it["id"] == id).unwrap()["digest"].clone();
    let by_module = costs(&service, "?by=module").await;
    assert_eq!(by_module.len(), before.len());
    assert_eq!(named(&by_module, "rsi")["module_digest"], digest("rsi"));
    let by_symbol = costs(&service, "?by=symbol").await;
    let mut symbols: Vec<&str> = by_symbol.iter().map(|cost| cost["symbol"].as_str().unwrap()).collect();
    symbols.sort_unstable();
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
    let one = costs(&service, &format!("?by=symbol&symbol=btcusdt&module={}", digest("rsi").as_str().unwrap())).await;
    assert_eq!((one.len(), &one[0]["symbol"]), (1, &"BTCUSDT".into()));
    assert!(one[0]["evaluations"].as_f64().unwrap() < evaluations, "{one:?}");

    // The most expensive strategy comes first.
    let total = |cost: &Value| cost["total_ms"].as_f64().unwrap();
    assert!(before.is_sorted_by(|one, other| total(one) >= total(other)), "{before:?}");
    assert_eq!(costs(&service, "?limit=1").await.len(), 1);

    let folder = service.end().await;
    let service = Setup::in_folder(folder).start().await;
    let after = costs(&service, "").await;
    assert!(total(named(&after, "rsi")) >= total(rsi), "{before:?}, {after:?}");
    assert!(named(&after, "rsi")["evaluations"].as_f64().unwrap() >= evaluations, "{before:?}, {after:?}");
    assert_eq!(costs(&service, "?since=2099-01-01T00:00:00Z").await, Vec::<Value>::new());
    service.end().await;
}

#[tokio::test]
async fn what_is_asked_on_request_costs_nothing_here() {
    let service = Service::start().await;
    let body = serde_json::json!({"symbol": "BTCUSDT", "timeframe": "15m"});
    service.post("/api/v1/test/analyze", body).await.data();
    assert_eq!(costs(&service, "").await, Vec::<Value>::new());
    service.end().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let service = Service::start().await;
    for (query, parameter) in [
        ("?by=timeframe", "by"),
        ("?limit=0", "limit"),
        ("?since=yesterday", "since"),
        ("?module=abc", "module"),
        ("?symbol=B", "symbol"),
        ("?strategy=no%20name", "strategy"),
    ] {
        let answer = service.get(&format!("/api/v1/costs{query}")).await;
        answer.error(422, "invalid");
        assert_eq!(answer.refused(), [parameter]);
    }
    for extreme in [i64::MIN, 0, 1_767_226_500, 1_767_226_500_000_000, i64::MAX] {
        let answer = service.get(&format!("/api/v1/costs?since={extreme}")).await;
        answer.error(422, "invalid");
        assert_eq!(answer.refused(), ["since"]);
    }
    service.get("/api/v1/costs?timeframe=15m").await.error(400, "unknown_field");
    service.end().await;
}
