//! Messages that come in like candle events but are none are counted, logged without flooding, and harmless.

use std::time::Duration;

use serde_json::json;
use ta_bot_tests::{
    replicas::{Fleet, Market},
    until,
};

const FLOOD: usize = 10_000;
const SUBJECT: &str = "binance.extraction.klines.S000USDT.1m";

#[tokio::test(flavor = "multi_thread")]
async fn bad_events_are_counted_and_harmless() {
    let market = Market::new(2, 2);
    let mut fleet = Fleet::start(&market, 1).await;
    fleet.start_replicas().await;
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    // Each event once, with the outcome that it counts as.
    let event = |symbol: serde_json::Value, period: serde_json::Value| {
        json!({"event_type": "extraction_completed", "symbol": symbol, "period": period}).to_string().into_bytes()
    };
    let too_large =
        json!({"event_type": "batch_extraction_completed", "symbols": vec!["S000USDT"; 90_000], "period": "1m"});
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("refused", Vec::new()),
        ("refused", b"{\"event_type\": \"extraction_comp".to_vec()),
        ("refused", b"\xff\xfe\x00not text".to_vec()),
        ("refused", b"[[[[[[[[[[[[[[[[".repeat(10_000)),
        ("refused", b"null".to_vec()),
        ("refused", event(json!(7), json!("1m"))),
        ("refused", event(json!("S000USDT"), json!(["1m"]))),
        ("refused", event(json!("S000USDT"), json!("7m"))),
        ("refused", event(json!("' OR 1=1 --"), json!("1m"))),
        ("not_scheduled", event(json!("NOSUCHUSDT"), json!("1m"))),
        ("not_scheduled", event(json!("S000USDT"), json!("1d"))),
        ("too_large", too_large.to_string().into_bytes()),
    ];
    assert!(bad.last().unwrap().1.len() > 900_000, "NATS itself takes no more than 1 MiB");
    let replica = &fleet.replicas[0];
    let counted =
        async |outcome: &str| replica.metric("ta_bot_candle_events_total", &format!("outcome=\"{outcome}\"")).await;
    for (index, (outcome, body)) in bad.iter().enumerate() {
        let before = counted(outcome).await;
        client.publish(SUBJECT, body.clone().into()).await.unwrap();
        client.flush().await.unwrap();
        let what = String::from_utf8_lossy(&body[..body.len().min(80)]);
        let otherwise = async || format!("no. {index} is not counted as {outcome}: {what}");
        until(Duration::from_secs(20), otherwise, async || counted(outcome).await > before).await;
    }
    // Ten thousand bad events at once.
    let before = all(&fleet).await;
    let lines = replica.log().lines().count();
    for index in 0..FLOOD {
        let (_, body) = &bad[index % (bad.len() - 1)];
        client.publish(SUBJECT, body.clone().into()).await.unwrap();
    }
    client.flush().await.unwrap();
    let otherwise = async || format!("{} of {FLOOD} are accounted for", all(&fleet).await - before);
    until(Duration::from_mins(1), otherwise, async || all(&fleet).await >= before + FLOOD as f64).await;
    let logged = replica.log().lines().count() - lines;
    assert!(logged < 100, "{FLOOD} bad events made {logged} lines:\n{}", replica.log_tail());
    // A busy machine may need a while to lead again.
    let health = async || replica.get("/health").await;
    let unhealthy = async || health().await.to_string();
    until(Duration::from_mins(1), unhealthy, async || health().await["status"] == "healthy").await;
    // The next good event is still heard.
    market.write_minute(&fleet.pool(), 0).await;
    market.announce(&client, 0).await;
    fleet.until_finished(2).await;
    assert_eq!(fleet.dead_jobs().await, 0);
}

/// All events that are accounted for, whatever their outcome.
async fn all(fleet: &Fleet) -> f64 {
    fleet.replicas[0].metric("ta_bot_candle_events_total", "").await
}
