//! The whole loop with clients that are not ours: candles are written by plain SQL, their event is sent by a plain NATS
//! client, and the signal is read by a plain subscriber.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value as Json, json};
use ta_bot_tests::replicas::{Fleet, Market, READERS};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread")]
async fn a_candle_and_its_event_become_a_signal_on_the_trace_of_the_event() {
    let market = Market::new(3, 5);
    let mut fleet = Fleet::start(&market, 1).await;
    fleet.start_replicas().await;
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    let mut signals = client.subscribe(READERS).await.unwrap();
    let pool = fleet.pool();
    let mut first: Option<Json> = None;
    for minute in 0..market.minutes() {
        market.write_minute(&pool, minute).await;
        for symbol in &market.symbols {
            let event = json!({
                "event_type": "extraction_completed", "extraction_type": "klines", "symbol": symbol, "period": "1m",
                "timestamp": "2026-01-01T00:00:00Z", "success": true, "metrics": {}, "errors": [],
                "_otel_trace_context": {"traceparent": format!("00-{TRACE}-00f067aa0ba902b7-01")},
            });
            let subject = format!("binance.extraction.klines.{symbol}.1m");
            client.publish(subject, event.to_string().into()).await.unwrap();
        }
        let next = tokio::time::timeout(Duration::from_secs(3), signals.next());
        if let Ok(Some(message)) = next.await {
            let body: Json = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(
                message.subject.as_str(),
                format!("cio.intent.trading.{}", body["strategy_id"].as_str().unwrap())
            );
            assert_eq!(message.reply, None, "an answer would go to where acknowledgements go");
            let headers = message.headers.unwrap();
            assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), body["signal_id"].as_str().unwrap());
            assert_eq!(
                headers.get("traceparent").unwrap().as_str(),
                body["_otel_trace_headers"]["traceparent"].as_str().unwrap()
            );
            first.get_or_insert(body);
        }
    }
    let body = first.expect("thirty strategies on three symbols for five minutes have a signal");
    assert_eq!(body["source"], "ta_bot");
    let trace = body["_otel_trace_headers"]["traceparent"].as_str().unwrap();
    assert!(trace.contains(TRACE) && trace.ends_with("-01"), "{body}");
    assert_eq!(body["candle_close"], body["timestamp"]);
    // Nobody has set a parameter.
    assert_eq!(body["metadata"]["strategy_config"]["source"], "default");
}
