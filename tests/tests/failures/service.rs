//! A running service, from the failure to the download.

use std::{path::Path, time::Duration};

use serde_json::json;
use ta_bot_core::Timestamp;
use ta_bot_tests::{
    app::share_compiled,
    replicas::{Replica, deploy},
    until,
};

use super::{FAULTY, FAULTY_ON_OTHERS, replay, strategies};

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_of_a_running_service_is_downloaded_and_reproduced() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    share_compiled(&data).unwrap();
    let modules = strategies(folder.path(), &["rsi"], &[FAULTY, FAULTY_ON_OTHERS]);
    let variables = [
        ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
        // The candles are old ones.
        ("SIGNAL_MAX_AGE_SECONDS", "0".to_owned()),
        ("DATA_DIR", data.display().to_string()),
        ("STRATEGIES_DIR", modules.display().to_string()),
        ("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT,ADAUSDT,SOLUSDT".to_owned()),
        ("SUPPORTED_TIMEFRAMES", "5m".to_owned()),
        ("STRATEGY_TIMEOUT_MS", "20000".to_owned()),
        ("LOG_LEVEL", "warn".to_owned()),
    ];
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let mut service = Replica::new(folder.path(), variables);
    service.start_with(&["--simulate", "--simulate-every-ms", "50"]).await;
    suspended_on_one_series(&service).await;
    quarantined_and_lifted(&service).await;
    // That other strategy's quarantine and all these candles later.
    assert_eq!(suspended_on(&service, FAULTY).await, json!([{"symbol": "ETHUSDT", "timeframe": "5m"}]));
    let history = service.get(&format!("/api/v1/strategies/{FAULTY}/deployment")).await["data"]["history"].clone();
    assert_eq!(history, json!([]), "it was never quarantined");
    let listed = async || service.get(&format!("/api/v1/failures?strategy={FAULTY}&limit=1000")).await["data"].clone();
    let kept = async || listed().await.as_array().is_some_and(|listed| listed.len() >= 12);
    until(Duration::from_mins(2), async || service.log_tail(), kept).await;

    let listed = listed().await;
    let listed = listed.as_array().unwrap();
    assert!(listed.len() >= 12 && listed.iter().all(|failure| failure["symbol"] == "ETHUSDT"), "{listed:?}");
    let signals = service.get(&format!("/api/v1/signals?strategy={FAULTY}&symbol=BTCUSDT")).await;
    assert!(signals["metadata"]["count"].as_u64().unwrap() > 0, "its other symbol goes on");

    let id = listed[0]["id"].as_str().unwrap();
    let answer = reqwest::get(service.url(&format!("/api/v1/failures/{id}"))).await.unwrap();
    let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert_eq!(name, format!("attachment; filename=\"failure-{}.json\"", &id[..12]));
    let document = answer.text().await.unwrap();
    assert!(service.terminate().await.success(), "{}", service.log_tail());
    by_commands(&service, &listed[0], &document, folder.path()).await;

    let elsewhere = tempfile::tempdir().unwrap();
    let module = modules.join(format!("{FAULTY}.wasm"));
    let arguments = ["-", "--module", module.to_str().unwrap()];
    let (code, answer) = replay(elsewhere.path(), &arguments, document.as_bytes());
    assert_eq!((code, answer["failure_id"].as_str()), (Some(0), Some(id)), "{answer}");
}

/// The commands list the same failures, and write the same bundle.
async fn by_commands(service: &Replica, newest: &serde_json::Value, document: &str, folder: &Path) {
    let (id, module) = (newest["id"].as_str().unwrap(), newest["module_digest"].as_str().unwrap());
    let listed = service.run(&["failures", "list", "--strategy", FAULTY, "--module", module, "--limit", "1000"]).await;
    let listed = listed["failures"].as_array().unwrap();
    assert!(listed.len() >= 12 && listed.contains(newest), "{listed:?}");
    let none = service.run(&["failures", "list", "--symbol", "BTCUSDT"]).await;
    assert_eq!(none["failures"], json!([]));
    let output = folder.join("bundle.json");
    let given = service.run(&["failures", "download", id, "--output", output.to_str().unwrap()]).await;
    assert_eq!((&given["id"], &given["size_bytes"]), (&json!(id), &json!(document.len())));
    assert_eq!(std::fs::read_to_string(&output).unwrap(), document);
}

/// The series on which a strategy is suspended, as the list of strategies has them.
async fn suspended_on(service: &Replica, strategy: &str) -> serde_json::Value {
    service.get(&format!("/api/v1/strategies/{strategy}")).await["data"]["suspended_on"].clone()
}

/// A strategy that keeps failing on one market is suspended there, and goes on with the others.
async fn suspended_on_one_series(service: &Replica) {
    let labels = format!("step=\"suspend\",strategy=\"{FAULTY}\"");
    let suspended = async || service.metric("ta_bot_strategy_ladder_steps_total", &labels).await > 0.0;
    until(Duration::from_mins(2), async || service.log_tail(), suspended).await;
    assert!(service.metric("ta_bot_strategy_left_out_total", FAULTY).await > 0.0);
    assert_eq!(suspended_on(service, FAULTY).await, json!([{"symbol": "ETHUSDT", "timeframe": "5m"}]));
    assert_eq!(suspended_on(service, "rsi").await, json!([]));
    assert_eq!(service.metric("ta_bot_strategy_suspended_series", FAULTY).await, 1.0);
    let answers = async || {
        let labels = ["BTCUSDT", "ADAUSDT", "SOLUSDT"].map(|symbol| {
            format!("signal_generated=\"true\",status=\"success\",strategy=\"{FAULTY}\",symbol=\"{symbol}\"")
        });
        let mut counts = Vec::new();
        for labels in labels {
            counts.push(service.metric("ta_bot_strategy_executions_total", &labels).await);
        }
        counts
    };
    let before = answers().await;
    let goes_on = async || answers().await.iter().zip(&before).all(|(now, before)| *now > before + 5.0);
    until(Duration::from_mins(1), async || service.log_tail(), goes_on).await;
}

/// The strategy is quarantined until somebody lifts that, and again when it goes on failing.
async fn quarantined_and_lifted(service: &Replica) {
    let path = format!("/api/v1/strategies/{FAULTY_ON_OTHERS}/deployment");
    let entries = async || service.get(&path).await["data"]["history"].as_array().cloned().unwrap_or_default();
    let quarantines = async |count: usize| {
        let enough = async || entries().await.iter().filter(|entry| entry["action"] == "quarantine").count() >= count;
        until(Duration::from_mins(2), async || service.log_tail(), enough).await;
        entries().await[0].clone()
    };
    let first = quarantines(1).await;
    assert_eq!((&first["changed_by"], &first["revision"]), (&"ta-bot".into(), &1.into()), "{first}");
    assert!(first["quarantined"].as_str().unwrap().contains("each of 3 symbols"), "{first}");
    let from: Timestamp = first["decides_from"].as_str().unwrap().parse().unwrap();

    // The market goes on, and the other strategies evaluate it.
    let evaluated = async |strategy: &str| {
        service.metric("ta_bot_strategy_executions_total", &format!("strategy=\"{strategy}\"")).await
    };
    let before = evaluated("rsi").await;
    until(Duration::from_mins(1), async || service.log_tail(), async || evaluated("rsi").await > before + 20.0).await;
    let signals = service.get(&format!("/api/v1/signals?strategy={FAULTY_ON_OTHERS}&limit=1000")).await;
    let closes = signals["data"].as_array().unwrap().iter();
    let closes = closes.map(|signal| signal["message"]["metadata"]["provenance"]["candle_close"].as_i64().unwrap());
    assert!(closes.max().unwrap() < from.millis(), "it decided a candle after its quarantine");

    let lift = json!({"action": "lift", "changed_by": "ann", "reason": "looked at it"});
    deploy(service, FAULTY_ON_OTHERS, &lift, 1).await;
    // It begins anew.
    let anew = async || suspended_on(service, FAULTY_ON_OTHERS).await == json!([]);
    until(Duration::from_secs(10), async || service.log_tail(), anew).await;
    // Failures before the lift no longer count: the strategy has to fail as often again.
    let again = quarantines(2).await;
    assert!(again["quarantined"].as_str().unwrap().contains("6 or more candles"), "{again}");
    let actions: Vec<_> = entries().await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["quarantine", "lift", "quarantine"]);
}
