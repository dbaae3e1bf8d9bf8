//! Shadows: modules that evaluate beside those that decide.

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use ta_bot_core::{ModuleDigest, Symbol, Timestamp, Value as Parameter};
use ta_bot_tests::{
    built_in::{Instead, changed, relabelled},
    until,
};
use ta_bot_wasm::StrategyModule;

use crate::{
    deployment::upload_bytes,
    market::{Market, eager, rsi},
    service::{Reply, Service, Setup},
    support::{patient, sandbox},
};

const DEPLOYMENT: &str = "/api/v1/strategies/rsi/deployment";
const SHADOW: &str = "/api/v1/strategies/rsi/shadow";

/// A service with a market on which RSI signals as long as it is beyond its threshold.
async fn with_level() -> (Service, Market) {
    let market = Market::new();
    let service = market.service(Setup::new().with("ENABLED_STRATEGIES", "rsi")).await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    (service, market)
}

fn level(parameters: &mut ta_bot_core::Parameters) {
    parameters.set("trigger", Parameter::Text("level".to_owned()));
}

async fn act(service: &Service, body: Value) -> Reply {
    service.post(DEPLOYMENT, body).await
}

/// The report on the shadow once at least `count` candles are compared.
async fn compared(service: &Service, count: u64) -> Value {
    let shadow = async || service.get(&format!("{SHADOW}?limit=1000")).await.data()["shadow"].clone();
    until(
        Duration::from_mins(1),
        async || shadow().await.to_string(),
        async || shadow().await["compared"].as_u64().is_some_and(|compared| compared >= count),
    )
    .await;
    shadow().await
}

fn counts(shadow: &Value) -> [u64; 5] {
    ["agree", "added", "missed", "changed", "failed"].map(|name| shadow[name].as_u64().unwrap())
}

/// The message of every stored signal, by candle.
async fn signals(service: &Service) -> BTreeMap<(Timestamp, Symbol), Value> {
    let signals = service.get("/api/v1/signals?limit=1000").await.data().as_array().unwrap().clone();
    let key = |signal: &Value| {
        let close: Timestamp = signal["message"]["timestamp"].as_str().unwrap().parse().unwrap();
        (close, signal["symbol"].as_str().unwrap().parse().unwrap())
    };
    let by_candle: BTreeMap<_, _> = signals.iter().map(|signal| (key(signal), signal["message"].clone())).collect();
    assert_eq!(by_candle.len(), signals.len(), "a candle has two signals");
    by_candle
}

fn module_of(message: &Value) -> &str {
    message["metadata"]["provenance"]["module_digest"].as_str().unwrap()
}

/// Checks that exactly the candles on which the bundled module signals by itself have a signal, each made by that
/// module.
async fn only_the_bundled_module_has_decided(service: &Service, market: &Market, count: usize) {
    let module = StrategyModule::load(&sandbox(patient()), &rsi()).unwrap();
    let mut parameters = module.description().schema.defaults();
    level(&mut parameters);
    let decisions = market.decisions(&module, &parameters, count);
    let expected: Vec<_> = decisions.into_iter().filter_map(|(candle, said)| said.map(|_| candle)).collect();
    assert!(expected.len() > 5, "{} signals prove little", expected.len());
    let signals = signals(service).await;
    assert_eq!(signals.keys().cloned().collect::<Vec<_>>(), expected);
    assert!(signals.values().all(|message| module_of(message) == ModuleDigest::of(&rsi()).to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_agrees_is_promoted_by_its_thresholds() {
    let (service, mut market) = with_level().await;
    assert_eq!(service.get(SHADOW).await.data(), &json!({"strategy_id": "rsi", "shadow": null}));
    let module = upload_bytes(&service, relabelled(&rsi(), 1), "admitted").await;
    market.close(&service, 5).await;
    let begin = json!({"action": "shadow", "module": module, "promote_after": 60, "promote_at_most": 0.0,
        "changed_by": "ann", "reason": "the new one"});
    let begun = act(&service, begin).await;
    let shadow = json!({"module": module, "promote_after": 60, "promote_at_most": 0.0, "unadmitted": false});
    assert_eq!(begun.data()["deployment"]["shadow"], shadow);
    assert_eq!((&begun.data()["entry"]["action"], &begun.data()["entry"]["shadow"]), (&json!("shadow"), &shadow));

    market.close(&service, 29).await;
    let progress = compared(&service, 58).await;
    assert_eq!(counts(&progress), [58, 0, 0, 0, 0]);
    assert_eq!((&progress["began_by"], &progress["ended_at"]), (&json!("ann"), &Value::Null));
    let executions = r#"ta_bot_strategy_executions_total{signal_generated="false",status="success",strategy="rsi",symbol="BTCUSDT",timeframe="15m"}"#;
    let signalling = executions.replace("false", "true");
    let executed = async || {
        service.metric(executions).await.unwrap_or_default() + service.metric(&signalling).await.unwrap_or_default()
    };
    // Each of its 34 candles is evaluated once, but a job may run again if it is found while it is being committed.
    // With the evaluations of the shadow there would be 63.
    assert!((34.0..50.0).contains(&executed().await), "shadows are no executions: {}", executed().await);

    market.close(&service, 3).await;
    compared(&service, 60).await;
    let ended = async || service.get(SHADOW).await.data()["shadow"]["ended_by_action"].clone();
    until(Duration::from_secs(30), async || ended().await.to_string(), async || ended().await == "promote").await;
    let deployment = service.get(DEPLOYMENT).await;
    let newest = &deployment.data()["history"][0];
    assert_eq!((&newest["action"], &newest["changed_by"]), (&json!("promote"), &json!("ta-bot")), "{newest}");
    let reason = newest["reason"].as_str().unwrap();
    assert!(reason.contains(" 0 differ") && reason.contains("agree 6"), "{reason}");
    assert_eq!((&deployment.data()["module"], &deployment.data()["shadow"]), (&json!(module), &Value::Null));

    market.close(&service, 40).await;
    let from: Timestamp = newest["decides_from"].as_str().unwrap().parse().unwrap();
    let bundled = ModuleDigest::of(&rsi()).to_string();
    let signals = signals(&service).await;
    for ((close, symbol), message) in &signals {
        let expected = if *close < from { &bundled } else { &module };
        assert_eq!(module_of(message), expected, "{symbol} {close}");
    }
    assert!(signals.keys().any(|(close, _)| *close >= from) && signals.keys().any(|(close, _)| *close < from));
    // The counts at its end are still reported, and nothing is compared any more.
    assert!(service.get(SHADOW).await.data()["shadow"]["compared"].as_u64().unwrap() <= 64);
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_differs_stays_a_shadow_and_its_differences_are_listed() {
    let (service, mut market) = with_level().await;
    let module = upload_bytes(&service, eager(), "admitted").await;
    act(&service, json!({"action": "shadow", "module": module, "promote_after": 20, "promote_at_most": 0.001}))
        .await
        .data();
    // Fewer candles at once than may wait to be compared.
    market.close(&service, 60).await;
    compared(&service, 120).await;
    market.close(&service, 60).await;
    let shadow = compared(&service, 240).await;
    let expected = market.changes([&rsi(), &eager()], level, 120);
    assert!(expected.iter().all(|count| *count > 0), "{expected:?} prove little");
    assert_eq!(counts(&shadow)[..4], expected, "{shadow}");
    assert_eq!(shadow["failed"], 0);
    let differing = expected[1..].iter().sum::<u64>();
    assert!((shadow["differing_share"].as_f64().unwrap() - differing as f64 / 240.0).abs() < 1e-9);
    let listed = shadow["differences"].as_array().unwrap();
    assert_eq!(listed.len() as u64, differing);
    assert!(listed.is_sorted_by(|one, next| one["candle_close"].as_str() >= next["candle_close"].as_str()));
    let stored = signals(&service).await;
    for difference in listed {
        let close: Timestamp = difference["candle_close"].as_str().unwrap().parse().unwrap();
        let symbol: Symbol = difference["symbol"].as_str().unwrap().parse().unwrap();
        let outcome = &difference["incumbent"];
        match stored.get(&(close, symbol)) {
            Some(message) => assert_eq!(outcome["signal"]["confidence"], message["confidence"], "{difference}"),
            None => assert_eq!(outcome["outcome"], "none", "{difference}"),
        }
        assert_eq!(difference["candidate"]["outcome"] == "none", difference["difference"] == "missed", "{difference}");
    }
    only_the_bundled_module_has_decided(&service, &market, 120).await;
    let metric = |outcome: &str| format!(r#"ta_bot_shadow_comparisons_total{{outcome="{outcome}",strategy="rsi"}}"#);
    // A job may come twice. Then its candle is compared again, but still counts once.
    assert!(service.metric(&metric("added")).await >= Some(expected[1] as f64));
    assert_eq!(service.metric("ta_bot_shadow_dropped_total").await, Some(0.0));
    // An operator can still promote it by hand.
    assert_eq!(act(&service, json!({"action": "promote"})).await.data()["entry"]["module"], module);
    let ended = service.get(SHADOW).await;
    assert_eq!(
        (&ended.data()["shadow"]["ended_by_action"], &ended.data()["shadow"]["compared"]),
        (&json!("promote"), &json!(240))
    );
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_changes_nothing_and_is_never_promoted() {
    let (service, mut market) = with_level().await;
    let mut played = 0;
    for (instead, code, candles) in [(Instead::Trap, "trap", 40), (Instead::Hang, "timeout", 15)] {
        let module = upload_bytes(&service, changed(&rsi(), 0.35, instead).unwrap(), "refused").await;
        let begin = |more: Value| {
            let mut body = json!({"action": "shadow", "module": module});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        act(&service, begin(json!({}))).await.error(422, "not_admitted");
        let promoted = json!({"unadmitted": true, "promote_after": 1, "promote_at_most": 1.0});
        let refused = act(&service, begin(promoted)).await;
        refused.error(422, "not_admitted");
        assert!(refused.body.to_string().contains("leave out promote_after"), "{}", refused.body);
        let begun = act(&service, begin(json!({"unadmitted": true, "changed_by": "bob"}))).await;
        assert_eq!(begun.data()["deployment"]["shadow"]["unadmitted"], true);
        act(&service, json!({"action": "promote"})).await.error(422, "not_admitted");
        market.close(&service, candles).await;
        played += candles;
        let shadow = compared(&service, 2 * candles as u64).await;
        let [agree, added, missed, changed, failed] = counts(&shadow);
        assert!(failed > 0 && agree > 0, "{shadow}");
        assert_eq!((added, missed, changed), (0, 0, 0), "{shadow}");
        let listed = shadow["differences"].as_array().unwrap();
        assert!(listed.iter().all(|one| one["candidate"]["code"] == code), "{shadow}");
        assert_eq!(act(&service, json!({"action": "end_shadow"})).await.data()["deployment"]["shadow"], Value::Null);
        act(&service, json!({"action": "end_shadow"})).await.error(409, "no_shadow");
    }
    only_the_bundled_module_has_decided(&service, &market, played).await;
    let history = service.get(DEPLOYMENT).await.data()["history"].as_array().unwrap().clone();
    let actions: Vec<&str> = history.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["end_shadow", "shadow", "end_shadow", "shadow"]);
    assert_eq!((&history[1]["changed_by"], &history[1]["shadow"]["unadmitted"]), (&json!("bob"), &json!(true)));
    service.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_be_no_shadow_is_refused() {
    let service = Service::start().await;
    let module = upload_bytes(&service, relabelled(&rsi(), 3), "admitted").await;
    let shadow = |more: Value| {
        let mut body = json!({"action": "shadow", "module": module});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, named) in [
        (json!({"promote_after": 5}), "promote_at_most"),
        (json!({"promote_at_most": 0.5}), "promote_after"),
        (json!({"promote_after": 0, "promote_at_most": 0.5}), "promote_after"),
        (json!({"promote_after": 5, "promote_at_most": 1.5}), "promote_at_most"),
        (json!({"promote_after": 5, "promote_at_most": "all"}), "promote_at_most"),
        (json!({"module": "bundled"}), "module"),
        (json!({"module": null}), "module"),
        (json!({"action": "activate", "unadmitted": true}), "unadmitted"),
        (json!({"action": "end_shadow", "module": null, "promote_after": 5, "promote_at_most": 0.5}), "promote_after"),
        (json!({"action": "promote"}), "module"),
    ] {
        let refused = act(&service, shadow(more.clone())).await;
        refused.error(422, "invalid");
        assert_eq!(refused.refused(), [named], "{more}: {}", refused.body);
    }
    act(&service, json!({"action": "promote"})).await.error(409, "no_shadow");
    act(&service, json!({"action": "end_shadow"})).await.error(409, "no_shadow");
    act(&service, shadow(json!({"module": "ab".repeat(32)}))).await.error(404, "unknown_module");
    let bundled = ModuleDigest::of(&rsi()).to_string();
    act(&service, shadow(json!({"module": bundled}))).await.error(409, "decides_already");
    act(&service, shadow(json!({"validate_only": true}))).await.data();
    assert_eq!(service.get(SHADOW).await.data()["shadow"], Value::Null);
    service.get("/api/v1/strategies/none/shadow").await.error(404, "unknown_strategy");
    service.get(&format!("{SHADOW}?limit=0")).await.error(422, "invalid");
    service.end().await;
}
