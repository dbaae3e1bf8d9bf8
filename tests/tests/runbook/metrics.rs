//! The five metrics of the contract are there at the first scrape, move, and are bounded.

use std::{io::Read as _, time::Duration};

use reqwest::Method;
use serde_json::json;
use ta_bot_core::Timeframe;
use tokio::time::sleep;

use crate::service::{Service, Setup, reply};

const ANALYSE: &str = "/api/v1/test/analyze";
const SIGNALS: &str = r#"ta_bot_signals_generated_total{action="buy",strategy="rsi",symbol="BTCUSDT",timeframe="15m"}"#;
const DURATION: &str = r#"ta_bot_signal_processing_duration_count{symbol="BTCUSDT",timeframe="15m"}"#;
const RUN: &str = r#"ta_bot_strategies_run_total{symbol="BTCUSDT",timeframe="15m"}"#;
const EXECUTIONS: &str = r#"ta_bot_strategy_executions_total{signal_generated="true",status="success",strategy="rsi",symbol="BTCUSDT",timeframe="15m"}"#;
const CHANGES: &str = r#"ta_bot_config_changes_total{action="create",strategy="rsi"}"#;

#[tokio::test]
async fn all_five_are_there_at_the_first_scrape_and_move() {
    let service = Service::start().await;
    let text = service.metrics().await;
    let names = [
        "ta_bot_signals_generated_total{",
        "ta_bot_signal_processing_duration_bucket{",
        "ta_bot_signal_processing_duration_sum{",
        "ta_bot_signal_processing_duration_count{",
        "ta_bot_strategies_run_total{",
        "ta_bot_strategy_executions_total{",
        "ta_bot_config_changes_total{",
    ];
    for name in names {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing");
    }
    for bound in ["0.1", "10000", "+Inf"] {
        let bucket =
            format!(r#"ta_bot_signal_processing_duration_bucket{{symbol="BTCUSDT",timeframe="15m",le="{bound}"}} 0"#);
        assert!(text.contains(&bucket), "{bucket} is missing");
    }
    assert_eq!(service.metric(RUN).await, Some(0.0));

    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    service.post(ANALYSE, json!({"symbol": "BTCUSDT", "timeframe": "15m"})).await.data();
    for (series, value) in [(SIGNALS, 1.0), (DURATION, 1.0), (RUN, 2.0), (EXECUTIONS, 1.0), (CHANGES, 1.0)] {
        assert_eq!(service.metric(series).await, Some(value), "{series}");
    }
    service.end().await;
}

/// The runbook looks for the five names among the first twenty lines that have `ta_bot_`.
#[tokio::test]
async fn the_first_five_lines_name_what_was_promised() {
    let service = Service::start().await;
    let text = service.metrics().await;
    let first: Vec<&str> = text.lines().filter(|line| line.contains("ta_bot_")).take(5).collect();
    for name in [
        "signals_generated_total",
        "signal_processing_duration",
        "strategies_run_total",
        "strategy_executions_total",
        "config_changes_total",
    ] {
        assert!(first.iter().any(|line| line.contains(&format!("ta_bot_{name}"))), "{name} is missing: {first:?}");
    }
    service.end().await;
}

#[tokio::test]
async fn a_scrape_is_compressed_for_those_who_ask() {
    let service = Service::start().await;
    let plain = service.metrics().await;
    let asked = service.request(Method::GET, "/metrics").header("Accept-Encoding", "gzip");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let packed = answer.bytes().await.unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    assert!(packed.len() * 5 < plain.len() && text.contains("ta_bot_strategies_run_total"), "{} bytes", packed.len());
    service.end().await;
}

#[tokio::test]
async fn changes_are_counted_by_what_they_did() {
    let service = Service::start().await;
    let config = "/api/v1/strategies/rsi/config/ETHUSDT";
    for period in [20, 21] {
        service.put(config, json!({"period": period})).await.data();
    }
    service.put(config, json!({"parameters": {"period": 22}, "validate_only": true})).await.data();
    service.put(config, json!({"period": 0})).await.error(422, "invalid");
    for _ in 0..2 {
        reply(service.request(Method::DELETE, config)).await.data();
    }
    for action in ["create", "update", "delete"] {
        let series = format!(r#"ta_bot_config_changes_total{{action="{action}",strategy="rsi"}}"#);
        assert_eq!(service.metric(&series).await, Some(1.0), "{series}");
    }
    service.end().await;
}

#[tokio::test]
async fn no_request_makes_a_new_series() {
    let setup = Setup::new().with_falling("BTCUSDT", Timeframe::M15).with_falling("DOGEUSDT", Timeframe::H4);
    let service = setup.start().await;
    let analyse = async |symbol: &str, timeframe: &str| {
        service.post(ANALYSE, json!({"symbol": symbol, "timeframe": timeframe})).await.status
    };
    assert_eq!(analyse("DOGEUSDT", "4h").await, 200);
    let before = service.metrics().await;
    assert!(!before.contains("DOGEUSDT"));
    for number in 0..20 {
        analyse(&format!("COIN{number}"), "15m").await;
        service.put(&format!("/api/v1/strategies/rsi/config/COIN{number}"), json!({"period": 9})).await.data();
        service.put(&format!("/api/v1/strategies/other{number}/config"), json!({})).await;
        service.get(&format!("/nothing/{number}")).await;
    }
    let after = service.metrics().await;
    // A route has its series with its first request; there are as many routes as the API has.
    let count =
        |text: &str| text.lines().filter(|line| !line.starts_with("ta_bot_http_request_duration_seconds")).count();
    assert_eq!(count(&before), count(&after));
    assert!(!after.contains("/nothing/") && !after.contains("other19"));
    assert!(!after.contains("COIN") && !after.contains("other1"));
    service.end().await;
}

#[tokio::test]
async fn what_is_scheduled_at_run_time_has_its_series_within_a_second() {
    let service = Service::start().await;
    service.post("/api/v1/config/application", json!({"symbols": ["ADAUSDT"], "timeframes": ["5m"]})).await.data();
    let series = r#"ta_bot_strategies_run_total{symbol="ADAUSDT",timeframe="5m"}"#;
    for _ in 0..20 {
        if service.metric(series).await == Some(0.0) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(service.metric(series).await, Some(0.0));
    service.end().await;
}
