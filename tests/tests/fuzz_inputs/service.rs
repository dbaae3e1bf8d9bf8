//! What reaches a running service from others: requests, messages, documents.

use std::time::Duration;

use mongodb::bson::{Document, doc, serialize_to_document};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value as Json, json};
use ta_bot_test_servers::{Mongo, Nats};
use ta_bot_tests::{app::share_compiled, replicas::Replica, two_strategies_dir, until};
use tempfile::TempDir;

use crate::mutate::Inputs;

struct Bench {
    nats: Nats,
    mongo: Mongo,
    service: Replica,
    client: Client,
    _folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let (nats, mongo) = tokio::try_join!(Nats::start(), Mongo::start()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        share_compiled(&data).unwrap();
        let variables = [
            ("HTTP_ADDR", "127.0.0.1:0".to_owned()),
            ("DATA_DIR", data.display().to_string()),
            ("STRATEGIES_DIR", two_strategies_dir().display().to_string()),
            ("SUPPORTED_SYMBOLS", "BTCUSDT,ETHUSDT".to_owned()),
            ("SUPPORTED_TIMEFRAMES", "5m,15m".to_owned()),
            ("NATS_URL", nats.url()),
            ("MONGODB_URI", mongo.uri()),
            ("LOG_LEVEL", "warn".to_owned()),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut service = Replica::new(folder.path(), variables);
        service.start().await;
        service.ready().await;
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { nats, mongo, service, client, _folder: folder }
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> (StatusCode, Json) {
        let request = self.client.request(method, self.service.url(path)).bearer_auth(self.service.key());
        let answer = request.header("Content-Type", kind).body(body).send().await;
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.service.log_tail()));
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// The service is as it was: it answers, decides, and nothing in it has panicked.
    async fn goes_on(mut self) {
        let (status, _) = self.send(Method::GET, "/healthz", "text/plain", Vec::new()).await;
        assert_eq!(status, 200);
        let health = async || self.send(Method::GET, "/health", "text/plain", Vec::new()).await;
        let told = async || health().await.1.to_string();
        // What was probed before the first connection is probed again.
        until(Duration::from_mins(2), told, async || health().await.0.is_success()).await;
        let log = self.service.log();
        assert!(!log.contains("panicked"), "{log}");
        assert!(self.service.terminate().await.success(), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_requests() {
    let bench = Bench::start().await;
    let doors = [
        ("/api/v1/strategies/rsi/config", Method::PUT, json!({"parameters": {"period": 20}, "changed_by": "ann"})),
        ("/api/v1/strategies/rsi/config/BTCUSDT", Method::PUT, json!({"period": 20, "oversold": 25.5})),
        ("/api/v1/config/application", Method::POST, json!({"min_confidence": 0.6, "symbols": ["BTCUSDT"]})),
        ("/api/v1/config/validate", Method::POST, json!({"strategy_id": "rsi", "parameters": {"period": 9}})),
        ("/api/v1/test/analyze", Method::POST, json!({"symbol": "BTCUSDT", "timeframe": "15m", "publish": false})),
        ("/api/v1/strategies/rsi/deployment", Method::POST, json!({"action": "disable", "validate_only": true})),
        ("/api/v1/dead-jobs/retry", Method::POST, json!({"symbol": "BTCUSDT"})),
        (
            "/api/v1/candles/replace",
            Method::POST,
            json!({"symbol": "BTCUSDT", "timeframe": "15m", "reason": "r", "candles": [[0, 1.0, 2.0, 0.5, 1.5, 3.0]]}),
        ),
    ];
    let seeds: Vec<Vec<u8>> = doors.iter().map(|(.., body)| body.to_string().into_bytes()).collect();
    for (round, bytes) in Inputs::of(5, seeds).enumerate() {
        let (path, method, _) = &doors[round % doors.len()];
        let (status, answer) = bench.send(method.clone(), path, "application/json", bytes.clone()).await;
        let told = answer["error"]["message"].as_str().unwrap_or_default();
        let body = String::from_utf8_lossy(&bytes);
        assert!(
            status.is_success() || (status.is_client_error() && !told.is_empty()),
            "{path} {body}: {status} {answer}"
        );
    }
    bench.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_nats() {
    let bench = Bench::start().await;
    let client = async_nats::connect(bench.nats.url()).await.unwrap();
    let batch = json!({
        "event_type": "batch_extraction_completed", "extraction_type": "klines", "symbols": ["BTCUSDT", "ETHUSDT"],
        "period": "15m", "timestamp": "2026-01-01T00:00:00Z", "success": true, "errors": [],
    });
    let one = json!({"symbol": "BTCUSDT", "period": "5m", "success": true});
    let seeds = vec![batch.to_string().into_bytes(), one.to_string().into_bytes(), b"configuration_changed".to_vec()];
    let subjects = [
        "binance.extraction.klines.batch.15m",
        "binance.extraction.klines.BTCUSDT.5m",
        "ta-bot.notices",
        "ta-bot.verdict",
    ];
    for (round, bytes) in Inputs::of(6, seeds).enumerate() {
        client.publish(subjects[round % subjects.len()], bytes.into()).await.unwrap();
        if round % 100 == 0 {
            client.flush().await.unwrap();
        }
    }
    client.flush().await.unwrap();
    // A sound one that comes after them is still read.
    let read = async || bench.service.metric("ta_bot_candle_events_total", "outcome=\"taken\"").await;
    let before = read().await;
    client.publish(subjects[0], batch.to_string().into()).await.unwrap();
    client.flush().await.unwrap();
    until(Duration::from_secs(30), async || bench.service.log_tail(), async || read().await > before).await;
    bench.goes_on().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_in_mongodb() {
    let bench = Bench::start().await;
    let database = mongodb::Client::with_uri_str(bench.mongo.uri()).await.unwrap().database("petrosa");
    let level = json!({
        "strategy_id": "macd", "symbol": "BTCUSDT", "parameters": {"fast": 9, "enabled": true}, "version": 3,
        "updated_at": "2026-01-01T00:00:00Z", "metadata": {"a": [1, 2.5, null]},
    });
    let settings =
        json!({"symbols": ["BTCUSDT"], "min_confidence": 0.7, "max_positions": 5, "enabled_strategies": ["rsi"]});
    let seeds = vec![level.to_string().into_bytes(), settings.to_string().into_bytes()];
    let collections = ["strategy_configs_global", "strategy_configs_symbol", "app_config"];
    let mut written = 0;
    for (round, bytes) in Inputs::of(7, seeds).enumerate() {
        // Only what is an object can be a document; the text makes most of them differ in names and types.
        let Ok(Json::Object(object)) = serde_json::from_slice::<Json>(&bytes) else { continue };
        let Ok(document) = serialize_to_document(&object) else { continue };
        let collection = database.collection::<Document>(collections[round % collections.len()]);
        // The one before is removed, or its unique index would keep most of them out.
        collection.delete_many(doc! {}).await.unwrap();
        if collection.insert_one(document).await.is_err() {
            continue;
        }
        written += 1;
        let (status, answer) =
            bench.send(Method::POST, "/api/v1/strategies/cache/refresh", "application/json", Vec::new()).await;
        // What can't be read is said to be that, and never taken for a store that is away, or for defaults.
        let is_told = status == 500 && answer["error"]["code"] == "store_corrupt";
        assert!(status.is_success() || is_told, "{status} {answer}");
    }
    println!("{written} documents");
    assert!(written > 20, "{written} documents");
    for collection in collections {
        database.collection::<Document>(collection).delete_many(doc! {}).await.unwrap();
    }
    let (status, answer) =
        bench.send(Method::POST, "/api/v1/strategies/cache/refresh", "application/json", Vec::new()).await;
    assert!(status.is_success(), "{answer}");
    bench.goes_on().await;
}
