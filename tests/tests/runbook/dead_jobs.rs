//! Jobs that were given up: listed, tried again, and done.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ta_bot_core::{Job, Timeframe, Timestamp};
use ta_bot_drivers::sqlite::{Database, outbox::SqliteOutbox};
use ta_bot_engine::signals::outbox::{DeadFilter, DeadJob, Outbox as _};

use crate::service::{Service, Setup};

const LIST: &str = "/api/v1/dead-jobs";
const RETRY: &str = "/api/v1/dead-jobs/retry";
const M15: Timeframe = Timeframe::M15;

/// The store of a service, opened beside the service.
async fn outbox(service: &Service) -> SqliteOutbox {
    SqliteOutbox::new(Database::open(&service.folder.path().join("data")).await.unwrap())
}

/// The job of the candle that closed `ago` candles before the newest one of BTCUSDT. The sweep does not look at candles
/// long before that.
async fn job(service: &Service, symbol: &str, ago: i64) -> Job {
    let series = service.get("/api/v1/candles").await.data()[0].clone();
    let newest: Timestamp = series["last_open"].as_str().unwrap().parse().unwrap();
    let candle_close = newest.plus_millis((1 - ago) * M15.millis());
    Job { symbol: symbol.parse().unwrap(), timeframe: M15, candle_close }
}

async fn bury(outbox: &SqliteOutbox, job: &Job) {
    let reason = "the store held nothing".to_owned();
    let dead = DeadJob {
        job: job.clone(),
        attempts: 3,
        reason,
        died_at: Timestamp::from_millis(1_767_225_600_000),
        retried_at: None,
    };
    outbox.bury(&dead).await.unwrap();
}

/// The list, once `wanted` holds for it.
async fn list_when(service: &Service, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let list = service.get(LIST).await.data().as_array().unwrap().clone();
        if wanted(&list) {
            return list;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{list:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A service with a signal for every falling candle.
async fn start() -> Service {
    let service = Service::start().await;
    service.put("/api/v1/strategies/rsi/config", json!({"trigger": "level"})).await.data();
    service
}

async fn closes_of_signals(service: &Service) -> Vec<String> {
    let signals = service.get("/api/v1/signals?strategy=rsi").await;
    let times = signals.data().as_array().unwrap().iter();
    times.map(|signal| signal["message"]["timestamp"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_job_that_was_given_up_is_tried_again_and_emits_its_signals() {
    let service = start().await;
    let (old, other) = (job(&service, "BTCUSDT", 100).await, job(&service, "BTCUSDT", 50).await);
    let store = outbox(&service).await;
    bury(&store, &old).await;
    bury(&store, &other).await;
    let list = service.get(LIST).await;
    assert_eq!(list.data().as_array().unwrap().len(), 2);
    assert!(list.data()[0]["retried_at"].is_null() && list.data()[0]["attempts"] == 3);
    assert_eq!(closes_of_signals(&service).await, [""; 0]);

    let close = old.candle_close.to_string();
    let body =
        json!({"symbol": "btcusdt", "timeframe": "15m", "candle_close": close, "changed_by": "ann", "reason": "x"});
    assert_eq!(service.post(RETRY, body.clone()).await.data(), &json!({"retried": 1}));
    let left = list_when(&service, |list| list.len() == 1).await;
    assert_eq!(left[0]["candle_close"], other.candle_close.to_string());
    assert_eq!(closes_of_signals(&service).await, [close]);
    assert_eq!(service.metric("ta_bot_jobs_total{outcome=\"retried\"}").await, Some(1.0));
    service.post(RETRY, body).await.error(404, "unknown_job");
    service.end().await;
}

#[tokio::test]
async fn one_that_fails_again_says_why_and_can_be_tried_again() {
    let service = Service::start().await;
    let store = outbox(&service).await;
    // There are no candles of this symbol.
    bury(&store, &job(&service, "ETHUSDT", 0).await).await;
    for round in 1..=2 {
        assert_eq!(service.post(RETRY, json!({"all": true})).await.data()["retried"], 1);
        let again = |list: &[Value]| {
            list[0]["retried_at"].is_null() && list[0]["attempts"] == 5 && list[0]["reason"] != "the store held nothing"
        };
        let list = list_when(&service, again).await;
        assert!(list[0]["reason"].as_str().unwrap().contains("ETHUSDT"), "{list:?}");
        assert_eq!(service.metric("ta_bot_jobs_total{outcome=\"dead\"}").await, Some(f64::from(round)));
        bury(&store, &job(&service, "ETHUSDT", 0).await).await;
    }
    service.end().await;
}

/// The process ends between the answer to the retry and the job.
#[tokio::test]
async fn what_was_asked_for_is_done_after_a_restart() {
    let service = start().await;
    let old = job(&service, "BTCUSDT", 100).await;
    let folder = service.end().await;
    let store = SqliteOutbox::new(Database::open(&folder.path().join("data")).await.unwrap());
    bury(&store, &old).await;
    assert_eq!(store.retry(&DeadFilter::default(), Timestamp::now()).await.unwrap(), 1);
    drop(store);
    let service = Setup::in_folder(folder).start().await;
    list_when(&service, <[Value]>::is_empty).await;
    assert_eq!(closes_of_signals(&service).await, [old.candle_close.to_string()]);
    service.end().await;
}

#[tokio::test]
async fn it_has_to_be_said_which() {
    let service = Service::start().await;
    for (body, refused) in [
        (json!({}), vec!["all"]),
        (json!({"all": false, "reason": "x"}), vec!["all"]),
        (json!({"all": true, "symbol": "BTCUSDT"}), vec!["all"]),
        (
            json!({"symbol": "B", "timeframe": "15x", "candle_close": "yesterday"}),
            vec!["symbol", "timeframe", "candle_close"],
        ),
        (json!({"all": "yes"}), vec!["all"]),
    ] {
        let reply = service.post(RETRY, body).await;
        reply.error(422, "invalid");
        assert_eq!(reply.refused(), refused);
    }
    service.post(RETRY, json!({"jobs": []})).await.error(400, "unknown_field");
    service.post(RETRY, json!({"symbol": "BTCUSDT"})).await.error(404, "unknown_job");
    assert_eq!(service.post(RETRY, json!({"all": true})).await.data(), &json!({"retried": 0}));
    service.end().await;
}
