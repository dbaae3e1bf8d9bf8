//! Candles that changed after they had been read: the list, and the counter.

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
use ta_bot_core::Timeframe;
use ta_bot_drivers::sqlite::{Database, FILE_NAME, revisions::SqliteRevisions};
use ta_bot_engine::market::revision_store::{Revision, RevisionStore as _, contract::revision};

use crate::service::Service;

const PATH: &str = "/api/v1/candles/revisions";

#[tokio::test]
async fn revisions_are_listed_by_what_they_are_about() {
    let service = Service::start().await;
    let empty = service.get(PATH).await;
    assert_eq!((empty.data(), &empty.body["metadata"]["limit"]), (&json!([]), &100.into()));
    let at = |symbol, timeframe| revision(symbol, timeframe, 1, (11.0, 11.5));
    let stored = [
        at("BTCUSDT", Timeframe::M15),
        at("ETHUSDT", Timeframe::M15),
        Revision { new: None, ..at("BTCUSDT", Timeframe::H1) },
    ];
    let database = Database::open(&service.folder.path().join("data")).await.unwrap();
    SqliteRevisions::new(database).add(&stored).await.unwrap();
    let listed = async |query: &str| {
        let answer = service.get(&format!("{PATH}{query}")).await;
        let about = |one: &Value| format!("{} {}", one["symbol"].as_str().unwrap(), one["timeframe"].as_str().unwrap());
        answer.data().as_array().unwrap().iter().map(about).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, ["BTCUSDT 1h", "ETHUSDT 15m", "BTCUSDT 15m"]);
    assert_eq!(listed("?limit=1").await, ["BTCUSDT 1h"]);
    assert_eq!(listed("?timeframe=15m").await, ["ETHUSDT 15m", "BTCUSDT 15m"]);
    assert_eq!(listed("?symbol=btcusdt&timeframe=15m").await, ["BTCUSDT 15m"]);
    let all = service.get(PATH).await;
    let (gone, changed) = (&all.data()[0], &all.data()[2]);
    assert_eq!((&gone["new"], &gone["old"]["close"]), (&Value::Null, &11.0.into()));
    assert_eq!((&changed["old"]["close"], &changed["new"]["close"]), (&11.0.into(), &11.5.into()));
    assert_eq!(changed["open_time"], "2026-01-01T00:15:00+00:00");
    assert_eq!(changed["noticed_at"], stored[0].noticed_at.to_string());
    for query in ["?limit=0", "?symbol=B", "?timeframe=16m"] {
        service.get(&format!("{PATH}{query}")).await.error(422, "invalid");
    }
    service.get(&format!("{PATH}?strategy=rsi")).await.error(400, "unknown_field");
    service.end().await;
}

#[tokio::test]
async fn a_correction_is_counted_and_listed_with_the_next_look() {
    let service = Service::start().await;
    let series = r#"ta_bot_candles_revised_total{timeframe="15m"}"#;
    let look = async || {
        let asked = json!({"symbol": "BTCUSDT", "timeframe": "15m"});
        service.post("/api/v1/test/analyze", asked).await.data();
    };
    look().await;
    assert_eq!(service.metric(series).await, Some(0.0), "it is there before anything has changed");
    let file = service.folder.path().join("data").join(FILE_NAME);
    let mut connection = SqliteConnectOptions::new().filename(file).connect().await.unwrap();
    let newest = "UPDATE candles SET volume = 9 WHERE open_time = (SELECT max(open_time) FROM candles)";
    assert_eq!(sqlx::query(newest).execute(&mut connection).await.unwrap().rows_affected(), 1);
    look().await;
    look().await;
    assert_eq!(service.metric(series).await, Some(1.0));
    let listed = service.get(PATH).await;
    let [only] = &**listed.data().as_array().unwrap() else { panic!("{}", listed.body) };
    assert_eq!((&only["old"]["volume"], &only["new"]["volume"]), (&1.0.into(), &9.0.into()));
    service.end().await;
}
