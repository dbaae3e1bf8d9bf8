//! A strategy is paused by the CIO's request to one of three replicas, or by what somebody writes into MongoDB. All
//! replicas stop asking it, go on with their jobs, and ask it again after somebody resumed it.

use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use serde_json::{Value as Json, json};
use ta_bot_tests::{
    replicas::{Fleet, Market, Replica},
    until,
};

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(30);
const CONFIG: &str = "/api/v1/strategies/rsi/config";
const MINUTES: i64 = 6;

/// The CIO's request, with the headers that it sends.
async fn cio(replica: &Replica, parameters: Json, reason: &str) -> Json {
    let body =
        json!({"parameters": parameters, "reason": reason, "validate_only": false, "changed_by": "petrosa-cio:1"});
    let request = reqwest::Client::new().post(replica.url(CONFIG)).json(&body);
    let request = request.header("X-Petrosa-Issuer", "CIO").header("X-Petrosa-Internal-Token", "");
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// Waits until every replica says whether RSI runs. Returns how long the last one took.
async fn until_enabled(fleet: &Fleet, wanted: bool) -> Duration {
    let began = Instant::now();
    for replica in &fleet.replicas {
        let config = async || replica.get(CONFIG).await["data"]["enabled"].clone();
        let otherwise = async || format!("a replica has not heard of it\n{}", fleet.logs());
        until(PATIENCE, otherwise, async || config().await == wanted).await;
    }
    began.elapsed()
}

/// What a replica makes of RSI on the newest candle.
async fn outcome(replica: &Replica) -> Json {
    let request = reqwest::Client::new().post(replica.url("/api/v1/test/analyze"));
    let answer = request.json(&json!({"symbol": "S000USDT", "timeframe": "1m"})).send().await.unwrap();
    let answer: Json = answer.json().await.unwrap();
    let strategies = answer["data"]["strategies"].as_array().unwrap_or_else(|| panic!("{answer}")).clone();
    strategies.into_iter().find(|strategy| strategy["strategy"] == "rsi").unwrap()["outcome"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_reaches_every_replica_within_a_second_and_tuning_does_not_end_it() {
    let fleet = super::configuration::fleet(3600).await;
    let mut took = Vec::new();
    for round in 0..5 {
        let replica = &fleet.replicas[round % 3];
        cio(replica, json!({"enabled": false}), "CIO_PAUSE: losses").await;
        took.push(until_enabled(&fleet, false).await);
        for replica in &fleet.replicas {
            assert_eq!(outcome(replica).await, "paused");
        }
        // MODIFY_PARAMS, to another replica.
        let tuned = cio(&fleet.replicas[(round + 1) % 3], json!({"period": 10 + round}), "tuning").await;
        assert_eq!(tuned["data"]["config"]["enabled"], false, "{tuned}");
        let period = async |replica: &Replica| replica.get(CONFIG).await["data"]["parameters"]["period"].clone();
        for replica in &fleet.replicas {
            let is_tuned = async || period(replica).await == 10 + round;
            until(PATIENCE, async || fleet.logs(), is_tuned).await;
            assert_eq!(outcome(replica).await, "paused");
        }
        cio(&fleet.replicas[(round + 2) % 3], json!({"enabled": true}), "resume").await;
        took.push(until_enabled(&fleet, true).await);
        for replica in &fleet.replicas {
            assert_ne!(outcome(replica).await, "paused");
        }
    }
    took.sort();
    println!("in use on all replicas after {took:?}");
    // The median, since the machine may be busy with something else for a moment.
    assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_strategies_cost_no_job_and_what_stands_in_mongodb_counts() {
    let market = Market::new(3, MINUTES);
    let mut fleet = Fleet::start(&market, 2).await;
    fleet.start_replicas().await;
    let list = fleet.replicas[0].get("/api/v1/strategies").await;
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|strategy| strategy["id"].clone()).collect();
    // As another service writes it, with a name that no strategy knows.
    let database = mongodb::Client::with_uri_str(fleet.mongo.uri()).await.unwrap().database("petrosa");
    let levels = database.collection::<Document>("strategy_configs_global");
    for id in &ids {
        let parameters = doc! { "note": "written by hand", "enabled": false };
        let level = doc! { "strategy_id": id.as_str().unwrap(), "parameters": parameters, "version": 1_i64 };
        levels.insert_one(level).await.unwrap();
    }
    refresh(&fleet).await;
    until_enabled(&fleet, false).await;
    let client = async_nats::connect(fleet.nats.url()).await.unwrap();
    let pool = fleet.pool();
    market.write_minute(&pool, 0).await;
    announce(&client, &market).await;
    fleet.until_finished(market.symbols.len()).await;
    let signals = async || sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM signals").fetch_one(&pool).await.unwrap();
    assert_eq!((signals().await, fleet.dead_jobs().await), (0, 0));

    levels.update_many(doc! {}, doc! { "$set": { "parameters.enabled": true } }).await.unwrap();
    refresh(&fleet).await;
    until_enabled(&fleet, true).await;
    for replica in &fleet.replicas {
        assert_eq!(outcome(replica).await, "error", "the name that no strategy knows is never left out in silence");
    }
    levels.update_many(doc! {}, doc! { "$unset": { "parameters.note": "" } }).await.unwrap();
    refresh(&fleet).await;
    for minute in 1..MINUTES {
        market.write_minute(&pool, minute).await;
        announce(&client, &market).await;
    }
    fleet.until_finished(market.jobs()).await;
    assert!(signals().await > 0, "thirty strategies on three symbols for five minutes have a signal");
}

/// Has all replicas read what was written past them.
async fn refresh(fleet: &Fleet) {
    let url = fleet.replicas[0].url("/api/v1/strategies/cache/refresh");
    assert_eq!(reqwest::Client::new().post(url).send().await.unwrap().status(), 200);
}

/// Announces candles as the extractor does, in each of its forms.
async fn announce(client: &async_nats::Client, market: &Market) {
    const SENT: &str = "2031-05-04T10:02:07.123456+00:00Z";
    let metrics = json!({"records_fetched": 3, "records_written": 2, "duration_seconds": 1.4});
    let symbols: Vec<_> = market.symbols.iter().map(ta_bot_core::Symbol::as_str).collect();
    let single = json!({
        "event_type": "extraction_completed", "extraction_type": "klines", "symbol": symbols[0], "period": "1m",
        "timestamp": SENT, "success": true, "metrics": metrics, "errors": [],
        "_otel_trace_context": {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"},
    });
    let gap_filler = json!({
        "event_type": "extraction_completed", "extraction_type": "klines_gap_filling", "symbol": symbols[1],
        "timeframe": "1m", "timestamp": SENT, "success": true, "metrics": metrics, "errors": "none",
    });
    let batch = json!({
        "event_type": "batch_extraction_completed", "extraction_type": "klines",
        "symbols": ["币安人生USDT", symbols[2]], "period": "1m", "timestamp": "2031-05-04T10:10:09+00:00Z",
        "success": false, "metrics": metrics, "errors": ["ETHUSDT: timeout"], "_otel_trace_context": {},
    });
    for (subject, event) in [
        (format!("binance.extraction.production.klines.{}.1m", symbols[0]), single),
        (format!("binance.extraction.gap-filler.klines_gap_filling.{}.1m", symbols[1]), gap_filler),
        ("binance.extraction.klines.batch.1m".to_owned(), batch),
    ] {
        client.publish(subject, event.to_string().into()).await.unwrap();
    }
    client.flush().await.unwrap();
}
