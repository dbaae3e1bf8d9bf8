//! Analyses on request, and which of their signals are sent.

use std::time::Duration;

use serde_json::{Value, json};
use ta_bot_core::Timeframe;
use tokio::time::sleep;

use crate::service::{Service, Setup, falling};

const ANALYSE: &str = "/api/v1/test/analyze";

fn of<'a>(analysis: &'a Value, strategy: &str) -> &'a Value {
    analysis["strategies"].as_array().unwrap().iter().find(|outcome| outcome["strategy"] == strategy).unwrap()
}

/// Makes RSI signal on every candle on which it is low.
async fn speak(service: &Service) {
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
}

#[tokio::test]
async fn tells_what_each_strategy_says_and_how_long_it_took() {
    let service = Service::start().await;
    let quiet = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await;
    let rsi = of(quiet.data(), "rsi");
    assert_eq!((&rsi["outcome"], &rsi["status"], &rsi["signal"]), (&json!("none"), &json!("success"), &Value::Null));
    assert!(rsi["duration_ms"].as_f64().unwrap() > 0.0 && quiet.data()["published"].is_null());

    speak(&service).await;
    let analysis = service.post(ANALYSE, json!({"symbol": "btcusdt", "timeframe": "15m"})).await;
    let analysis = analysis.data();
    assert_eq!((&analysis["symbol"], &analysis["timeframe"]), (&json!("BTCUSDT"), &json!("15m")));
    assert!(analysis["candles"].as_u64().unwrap() >= 250 && analysis["duration_ms"].as_f64().unwrap() > 0.0);
    assert!(analysis["candle_close"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(analysis["strategies"].as_array().unwrap().len(), 2);
    let rsi = of(analysis, "rsi");
    let signal = &rsi["signal"];
    assert_eq!(
        (&rsi["outcome"], &signal["action"], &signal["symbol"]),
        (&json!("signal"), &json!("buy"), &json!("BTCUSDT"))
    );
    assert_eq!(signal["timestamp"], analysis["candle_close"]);
    let config = &signal["metadata"]["strategy_config"];
    assert_eq!(
        (&config["version"], &config["source"], &config["is_override"]),
        (&json!(1), &json!("sqlite"), &json!(false))
    );
    // Nothing was sent.
    assert_eq!(service.get("/api/v1/signals").await.data(), &json!([]));
    service.end().await;
}

/// An override applies only to its symbol, whichever symbol was analysed first.
#[tokio::test]
async fn an_override_counts_for_its_symbol_only() {
    for order in [["BTCUSDT", "ETHUSDT"], ["ETHUSDT", "BTCUSDT"]] {
        let setup = Setup::new().with_falling("BTCUSDT", Timeframe::M15).with_falling("ETHUSDT", Timeframe::M15);
        let service = setup.start().await;
        service.put("/api/v1/strategies/rsi/config/BTCUSDT", json!({"trigger": "level"})).await.data();
        for symbol in order {
            let analysis = service.post(ANALYSE, json!({"symbol": symbol, "timeframe": "15m"})).await;
            let rsi = of(analysis.data(), "rsi");
            let outcome = if symbol == "BTCUSDT" { "signal" } else { "none" };
            assert_eq!(rsi["outcome"], outcome, "{symbol}: {rsi}");
            if outcome == "signal" {
                assert_eq!(rsi["signal"]["metadata"]["strategy_config"]["is_override"], true);
            }
        }
        service.end().await;
    }
}

#[tokio::test]
async fn a_signal_that_may_not_go_out_is_told_with_its_reason() {
    let service = Service::start().await;
    speak(&service).await;
    service.post("/api/v1/config/application", json!({"max_confidence": 0.7})).await.data();
    let analysis = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true})).await;
    let rsi = of(analysis.data(), "rsi");
    assert_eq!((&rsi["outcome"], &rsi["dropped"]["reason"]), (&json!("dropped"), &json!("above_max_confidence")));
    assert_eq!(rsi["dropped"]["decision"]["action"], "buy");
    assert_eq!(analysis.data()["published"], json!({"sent": [], "already_sent": 0, "expired": 0, "withheld": 0}));
    service.end().await;
}

#[tokio::test]
async fn a_young_market_is_told_and_is_no_error() {
    let service = Setup::new().with_young("BTCUSDT", Timeframe::M15).start().await;
    let analysis = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await;
    let rsi = of(analysis.data(), "rsi");
    // A young market is no failure of the strategy.
    assert_eq!((&rsi["outcome"], &rsi["reason"]["code"]), (&json!("none"), &json!("insufficient_data")));
    assert_eq!((&rsi["status"], &rsi["error"]), (&json!("success"), &Value::Null));
    assert!(rsi["reason"]["message"].as_str().unwrap().contains("5 are there"), "{rsi}");
    assert_eq!(analysis.data()["candles"], 5);
    service.end().await;
}

#[tokio::test]
async fn a_signal_of_an_old_candle_is_stored_and_listed_and_not_sent() {
    let setup = Setup::new().with("SIGNAL_MAX_AGE_SECONDS", "").with_falling("BTCUSDT", Timeframe::M15);
    let service = setup.start().await;
    speak(&service).await;
    let analysis = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true})).await;
    let published = &analysis.data()["published"];
    assert_eq!((&published["sent"], &published["already_sent"]), (&json!([]), &json!(0)));
    let expired = published["expired"].as_u64().unwrap();
    assert!(expired > 0 && of(analysis.data(), "rsi")["outcome"] == "signal", "{published}");
    let signals = loop {
        let signals = service.get("/api/v1/signals").await.data().clone();
        // The relay finds them a moment later.
        if signals.as_array().unwrap().iter().all(|signal| signal["state"] == "expired") {
            break signals;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!(signals.as_array().unwrap().len() as u64, expired);
    assert!(signals[0]["expired_at"].is_string() && signals[0]["published_at"].is_null(), "{signals}");
    let metrics = service.client.get(format!("http://{}/metrics", service.address)).send().await.unwrap();
    let counted = format!("ta_bot_signals_expired_total{{reason=\"decided_late\"}} {expired}");
    assert!(metrics.text().await.unwrap().contains(&counted), "{counted}");
    service.end().await;
}

#[tokio::test]
async fn what_is_published_twice_is_sent_once() {
    let service = Service::start().await;
    speak(&service).await;
    let publish = json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true});
    let first = service.post(ANALYSE, publish.clone()).await;
    let id = of(first.data(), "rsi")["signal"]["signal_id"].clone();
    assert!(first.data()["published"]["sent"].as_array().unwrap().contains(&id), "{}", first.body);
    let sent = first.data()["published"]["sent"].as_array().unwrap().len();
    let second = service.post(ANALYSE, publish).await;
    assert_eq!(second.data()["published"], json!({"sent": [], "already_sent": sent, "expired": 0, "withheld": 0}));

    let signals = wait_for_published(&service, sent).await;
    let signal = signals.iter().find(|signal| signal["signal_id"] == id).unwrap();
    assert_eq!(signal["message"]["signal_id"], id);
    assert_eq!(signal["message"], of(first.data(), "rsi")["signal"]);
    assert_eq!(
        (&signal["strategy"], &signal["symbol"], &signal["timeframe"]),
        (&json!("rsi"), &json!("BTCUSDT"), &json!("15m"))
    );
    let published = service.metric("ta_bot_signals_published_total").await;
    assert_eq!(published, Some(sent as f64));
    let health = service.get("/health").await;
    assert_eq!(health.body["nats"]["published_signals"], sent);
    service.end().await;
}

#[tokio::test]
async fn what_the_service_sent_by_itself_is_not_sent_again() {
    let service = Setup::new().start().await;
    speak(&service).await;
    let folder = service.end().await;
    let service = Setup::in_folder(folder).with_fresh("BTCUSDT", Timeframe::M15).start().await;
    let signals = wait_for_published(&service, 1).await;
    let publish = json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true});
    let analysis = service.post(ANALYSE, publish).await;
    assert_eq!(of(analysis.data(), "rsi")["signal"]["signal_id"], signals[0]["signal_id"]);
    assert_eq!(analysis.data()["published"], json!({"sent": [], "already_sent": 1, "expired": 0, "withheld": 0}));
    service.end().await;
}

#[tokio::test]
async fn other_parameters_make_another_signal_that_can_be_published_too() {
    let service = Service::start().await;
    speak(&service).await;
    let publish = json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true});
    let first = service.post(ANALYSE, publish.clone()).await;
    let sent = first.data()["published"]["sent"].as_array().unwrap().len();
    service.send(reqwest::Method::PATCH, "/api/v1/strategies/rsi/config", json!({"period": 10})).await.data();
    let second = service.post(ANALYSE, publish).await;
    assert_eq!(second.data()["published"]["sent"].as_array().unwrap().len(), 1);
    wait_for_published(&service, sent + 1).await;
    service.end().await;
}

async fn wait_for_published(service: &Service, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let signals = service.get("/api/v1/signals").await;
        let signals = signals.data().as_array().unwrap();
        assert!(signals.len() <= count, "{signals:?}");
        if signals.len() == count && signals.iter().all(|signal| signal["published_at"].is_string()) {
            return signals.clone();
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("not published in time: {}", service.get("/api/v1/signals").await.body);
}

#[tokio::test]
async fn lists_signals_by_what_is_asked() {
    let service = Service::start().await;
    speak(&service).await;
    service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true})).await.data();
    let count = async |query: &str| {
        let list = service.get(&format!("/api/v1/signals?{query}")).await;
        assert_eq!(list.body["metadata"]["count"], list.data().as_array().unwrap().len());
        list.data().as_array().unwrap().len()
    };
    assert_eq!(count("strategy=rsi&symbol=btcusdt&timeframe=15m&limit=5").await, 1);
    for none in ["strategy=macd&limit=1&symbol=ETHUSDT", "symbol=ETHUSDT", "timeframe=1h", "strategy=other"] {
        assert_eq!(count(none).await, 0, "{none}");
    }
    let refused = service.get("/api/v1/signals?strategy=R&symbol=B&timeframe=15x&limit=0").await;
    refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["strategy", "symbol", "timeframe", "limit"]);
    service.get("/api/v1/signals?symbl=BTCUSDT").await.error(400, "unknown_field");
    // A list goes on before the last of its signals.
    let page = service.get("/api/v1/signals?limit=1").await;
    let next = page.body["metadata"]["next"].as_i64().unwrap();
    assert_eq!(page.data()[0]["sequence"], next, "{}", page.body);
    assert_eq!(service.get("/api/v1/signals").await.body["metadata"]["next"], Value::Null);
    for signal in service.get(&format!("/api/v1/signals?before={next}")).await.data().as_array().unwrap() {
        assert!(signal["sequence"].as_i64().unwrap() < next, "{signal}");
    }
    let refused = service.get("/api/v1/signals?before=yesterday").await;
    refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["before"]);
    service.end().await;
}

#[tokio::test]
async fn lists_candles_and_dead_jobs() {
    let service =
        Setup::new().with_falling("BTCUSDT", Timeframe::M15).with_falling("DOGEUSDT", Timeframe::H1).start().await;
    let series = service.get("/api/v1/candles").await;
    let named: Vec<_> = series.data().as_array().unwrap().iter().map(|s| (&s["symbol"], &s["timeframe"])).collect();
    assert_eq!(named, [(&json!("BTCUSDT"), &json!("15m")), (&json!("DOGEUSDT"), &json!("1h"))]);
    assert_eq!(series.data()[0]["candles"], 300);
    assert!(series.data()[0]["last_open"].as_str().unwrap().ends_with("+00:00"));
    assert_eq!(service.get("/api/v1/dead-jobs").await.data(), &json!([]));
    service.get("/api/v1/dead-jobs?limit=5000").await.error(422, "invalid");
    service.end().await;
}

#[tokio::test]
async fn what_cannot_be_looked_at_is_refused() {
    let service = Service::start().await;
    let unknown = service.post(ANALYSE, json!({"symbol": "NOCOIN", "timeframe": "15m"})).await;
    let error = unknown.error(404, "unknown_symbol");
    assert!(error["message"].as_str().unwrap().contains("NOCOIN 15m"), "{error}");
    service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "1h"})).await.error(404, "unknown_symbol");
    let wrong = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15x"})).await;
    wrong.error(422, "invalid");
    assert!(wrong.body["error"]["details"][0]["allowed"].as_str().unwrap().contains("15m"), "{}", wrong.body);
    let missing = service.post(ANALYSE, json!({})).await;
    missing.error(422, "invalid");
    assert_eq!(missing.refused(), ["symbol", "timeframe"]);
    let kinds = json!({"symbol": 5, "timeframe": ["15m"], "publish": "yes"});
    assert_eq!(service.post(ANALYSE, kinds).await.refused(), ["symbol", "timeframe", "publish"]);
    service.post(ANALYSE, json!({"symbol": "BTCUSDT", "period": "15m"})).await.error(400, "unknown_field");
    service.end().await;
}

/// The operator's way: find the hole, accept it, withdraw that; and the signal is made again all the same.
#[tokio::test]
async fn a_hole_keeps_signals_back_until_an_operator_accepts_it() {
    let service = Setup::new().start().await;
    speak(&service).await;
    let mut candles = falling(Timeframe::M15, 300, 4);
    let missing = candles.remove(280).open_time;
    service.candles.insert(&"BTCUSDT".parse().unwrap(), Timeframe::M15, &candles).await.unwrap();
    let rsi = async || {
        let analysis = service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": true})).await;
        of(analysis.data(), "rsi").clone()
    };
    let accept = async |series: &[&str]| {
        let change = json!({"accepted_holes": series, "changed_by": "ann", "reason": "a thin market"});
        service.post("/api/v1/config/application", change).await.data().clone()
    };
    let until = missing.plus_millis(Timeframe::M15.millis());
    let newest = json!([{"from": missing.to_string(), "until": until.to_string(), "missing": 1}]);
    let holes = json!([{"symbol": "BTCUSDT", "timeframe": "15m", "missing": 1, "newest": newest}]);
    let gap = rsi().await;
    assert_eq!((&gap["outcome"], &gap["reason"]["code"], &gap["holes"]), (&json!("gap"), &json!("hole"), &holes));
    let gaps = r#"ta_bot_strategy_executions_total{signal_generated="false",status="gap",strategy="rsi",symbol="BTCUSDT",timeframe="15m"}"#;
    assert_eq!(service.metric(gaps).await, Some(1.0), "{}", service.metrics().await);
    let series = service.get("/api/v1/candles").await;
    assert_eq!((&series.data()[0]["candles"], &series.data()[0]["missing"]), (&json!(299), &json!(1)));

    let accepted = accept(&["BTCUSDT 15m"]).await;
    assert_eq!(accepted["change"]["new_parameters"]["accepted_holes"], json!(["BTCUSDT 15m"]));
    let signal = rsi().await;
    assert_eq!((&signal["outcome"], &signal["holes"]), (&json!("signal"), &holes));
    let told = &signal["signal"]["metadata"]["provenance"]["holes"][0]["newest"][0];
    assert_eq!(*told, json!({"from": missing.millis(), "until": until.millis(), "missing": 1}));

    accept(&[]).await;
    assert_eq!(rsi().await["outcome"], "gap");
    let id = signal["signal"]["signal_id"].as_str().unwrap();
    let replay = service.post(&format!("/api/v1/signals/{id}/replay"), json!({})).await;
    assert_eq!(replay.data()["verdict"], "equal", "{}", replay.body);
    service.end().await;
}
