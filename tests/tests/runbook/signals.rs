//! Reading the stored signals: the list and its conditions, what came after a cursor, and the stream.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use ta_bot_core::Timestamp;
use ta_bot_drivers::sqlite::{Database, outbox::SqliteOutbox};
use ta_bot_engine::signals::outbox::{Outbox, contract::finished};
use ta_bot_tests::events::Events;

use crate::service::{Service, Setup, reply};

const SIGNALS: &str = "/api/v1/signals";
const STREAM: &str = "/api/v1/signals/stream";

/// The store of a running service, for a test that plays another replica. The service that uses it commits beside it.
async fn outbox(service: &Service) -> SqliteOutbox {
    SqliteOutbox::new(Database::open(&service.folder.path().join("data")).await.unwrap())
}

/// Stores a signal of each of these candles, and returns their ids.
async fn store(outbox: &SqliteOutbox, symbol: &str, candles: std::ops::Range<i64>) -> Vec<String> {
    let jobs: Vec<_> = candles.map(|index| finished(symbol, index, &["rsi"])).collect();
    outbox.commit(&jobs, Timestamp::now()).await.unwrap();
    jobs.iter().map(|done| done.signals[0].id.to_string()).collect()
}

fn ids(signals: &Value) -> Vec<String> {
    let id = |signal: &Value| signal["signal_id"].as_str().unwrap().to_owned();
    signals.as_array().unwrap().iter().map(id).collect()
}

/// Opens the stream.
async fn follow(service: &Service, query: &str, last: Option<&str>) -> Events {
    let request = service.request(Method::GET, &format!("{STREAM}{query}"));
    let request = last.into_iter().fold(request, |request, id| request.header("Last-Event-ID", id));
    let response = request.send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    Events::of(response)
}

/// The id and the data of the next event.
async fn next(events: &mut Events) -> (String, Value) {
    let event = tokio::time::timeout(Duration::from_mins(1), events.next()).await;
    let event = event.expect("an event").unwrap().expect("the stream goes on");
    assert_eq!(event.kind, "signal");
    (event.id, event.data)
}

async fn next_ids(events: &mut Events, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        ids.push(next(events).await.1["signal_id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test]
async fn a_list_is_narrowed_by_what_a_signal_is_and_when() {
    let service = Setup::new().start().await;
    let outbox = outbox(&service).await;
    let btc = store(&outbox, "BTCUSDT", 0..4).await;
    let eth = store(&outbox, "ETHUSDT", 0..2).await;
    outbox.mark_expired(&btc[..1], Timestamp::now()).await.unwrap();
    let list = async |query: &str| {
        let mut ids = ids(service.get(&format!("{SIGNALS}?{query}")).await.data());
        ids.reverse();
        ids
    };
    assert_eq!(list("").await, [btc.clone(), eth.clone()].concat());
    assert_eq!(list("action=buy&symbol=ETHUSDT").await, eth);
    assert_eq!(list("action=close").await, [""; 0]);
    assert_eq!(list("state=expired").await, btc[..1]);
    // The signals' candles closed from midnight on, a quarter of an hour apart.
    assert_eq!(list("symbol=BTCUSDT&since=2026-01-01T00:30:00Z").await, btc[2..]);
    assert_eq!(list("symbol=BTCUSDT&since=2026-01-01&until=2026-01-01T00:30:00Z").await, btc[..2]);
    for (query, wrong) in [
        ("action=short", vec!["action"]),
        ("state=sent&since=yesterday", vec!["since", "state"]),
        ("since=2026-01-02&until=2026-01-01", vec!["until"]),
        ("after=0&before=9", vec!["after"]),
        ("after=1~2", vec!["after"]),
    ] {
        let refused = service.get(&format!("{SIGNALS}?{query}")).await;
        refused.error(422, "invalid");
        let mut named = refused.refused();
        named.sort_unstable();
        assert_eq!(named, wrong, "{query}");
    }
}

#[tokio::test]
async fn a_reader_that_goes_on_from_its_cursor_sees_each_signal_once() {
    let service = Setup::new().start().await;
    let outbox = outbox(&service).await;
    let btc = store(&outbox, "BTCUSDT", 0..130).await;
    store(&outbox, "ETHUSDT", 0..1200).await;
    let later = store(&outbox, "BTCUSDT", 130..140).await;
    let mut expected = [btc, later].concat();
    let mut seen = Vec::new();
    let mut cursor = "0".to_owned();
    for round in 0.. {
        let page = service.get(&format!("{SIGNALS}?symbol=BTCUSDT&limit=40&after={cursor}")).await;
        seen.extend(ids(page.data()));
        cursor = page.body["metadata"]["next"].as_str().unwrap().to_owned();
        if round == 2 {
            expected.extend(store(&outbox, "BTCUSDT", 140..150).await);
        }
        if page.body["metadata"]["more"] == false {
            break;
        }
        assert!(round < 20, "{}", page.body["metadata"]);
    }
    assert_eq!(seen, expected);
    let page = service.get(&format!("{SIGNALS}?after={cursor}")).await;
    assert_eq!((page.data(), &page.body["metadata"]["next"]), (&json!([]), &json!(cursor)));
}

#[tokio::test]
async fn a_stream_goes_on_after_the_event_that_a_client_saw_last() {
    let service = Setup::new().start().await;
    let outbox = outbox(&service).await;
    let old = store(&outbox, "BTCUSDT", 0..3).await;
    let mut now = follow(&service, "", None).await;
    let mut all = follow(&service, "?after=0", None).await;
    assert_eq!(next_ids(&mut all, 2).await, old[..2]);
    let (last, signal) = next(&mut all).await;
    assert_eq!((&signal["signal_id"], &signal["message"]["symbol"]), (&json!(old[2]), &json!("BTCUSDT")));
    drop(all);
    let new = store(&outbox, "BTCUSDT", 3..6).await;
    let of_others = store(&outbox, "ETHUSDT", 0..2).await;
    let mut again = follow(&service, "?after=0", Some(&last)).await;
    let mut others = follow(&service, "?symbol=ETHUSDT&action=buy", Some("0")).await;
    assert_eq!(next_ids(&mut again, 5).await, [new.clone(), of_others.clone()].concat());
    assert_eq!(
        next_ids(&mut now, 5).await,
        [new, of_others.clone()].concat(),
        "without a cursor it begins when it is opened"
    );
    assert_eq!(next_ids(&mut others, 2).await, of_others);
    let request = service.request(Method::GET, &format!("{STREAM}?symbol=B")).header("Last-Event-ID", "yesterday");
    let mut refused = reply(request).await;
    refused.body["error"]["details"].as_array_mut().unwrap().sort_by_key(|problem| problem["parameter"].to_string());
    refused.error(422, "invalid");
    assert_eq!(refused.refused(), ["Last-Event-ID", "symbol"]);
    // A stream does not keep the service from ending.
    service.end().await;
    assert!(now.next().await.unwrap().is_none(), "the stream has ended");
}
