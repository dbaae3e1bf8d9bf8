//! A server that is not there, dies, hangs, or refuses.

use std::time::Duration;

use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_drivers::mysql::{Mysql, candles::MysqlCandles, outbox::MysqlOutbox};
use ta_bot_engine::{
    market::candle_store::CandleStore as _,
    signals::outbox::{Outbox as _, contract},
    support::store_error::StoreError,
};
use ta_bot_test_servers::{MariaDb, Mode, Proxy};
use tokio::time::Instant;

use super::{candle, new_database, open_impatiently, opened, patiently, server, symbol};

/// How much a call may exceed its limit on a busy machine.
const SLACK: Duration = Duration::from_secs(2);

/// Checks that reads and writes fail because the server is away, within their limits.
async fn assert_away(database: &Mysql) {
    let (candles, outbox) = (MysqlCandles::new(database.clone()), MysqlOutbox::new(database.clone()));
    let started = Instant::now();
    let read = candles.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, opened(9), 9).await.unwrap_err();
    let read_for = started.elapsed();
    let started = Instant::now();
    let written = outbox.commit(&[contract::finished("AWAYUSDT", 0, &["rsi"])], Timestamp::now()).await.unwrap_err();
    let written_for = started.elapsed();
    for error in [read, written] {
        assert!(matches!(&error, StoreError::Unavailable { reason, .. } if reason.contains("127.0.0.1:")), "{error}");
    }
    assert!(read_for < Duration::from_secs(1) + SLACK, "{read_for:?}");
    assert!(written_for < Duration::from_secs(2) + SLACK, "{written_for:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_may_come_later() {
    let (uri, name) = new_database().await;
    let proxy = Proxy::start(server().await.address()).unwrap();
    proxy.set(Mode::Refuse).await.unwrap();
    let database = open_impatiently(&server().await.uri_at(proxy.address(), &name));
    let error = database.ready().await.unwrap_err().to_string();
    assert!(error.contains("refused"), "{error}");
    assert_away(&database).await;
    proxy.set(Mode::Forward).await.unwrap();
    patiently(async || database.ready().await).await;
    patiently(async || database.ping().await).await;
    drop(uri);
}

/// Nothing that was acknowledged is lost, nothing is there twice, and the same handles go on working.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_loses_nothing() {
    let mut server = MariaDb::start().await.unwrap();
    let uri = server.create_database("killed").await.unwrap();
    let database = open_impatiently(&uri);
    let (outbox, candles) = (MysqlOutbox::new(database.clone()), MysqlCandles::new(database.clone()));
    patiently(async || database.ready().await).await;
    let mut committed = 0;
    for _ in 0..3 {
        // Commits go on while the server dies; the one that fails is repeated, as in the pipeline.
        let writer = outbox.clone();
        let first = committed;
        let writing = tokio::spawn(async move {
            let mut index = first;
            loop {
                let job = contract::finished("BTCUSDT", index, &["rsi", "macd"]);
                if writer.commit(&[job], Timestamp::now()).await.is_err() {
                    return index;
                }
                index += 1;
            }
        });
        let enough = async || Ok(outbox.backlog().await?.signals >= 2 * (first as u64 + 20));
        while !patiently(enough).await {}
        server.kill().unwrap();
        committed = writing.await.unwrap();
        assert_away(&database).await;
        server.restart().await.unwrap();
        let repeated = [contract::finished("BTCUSDT", committed, &["rsi", "macd"])];
        patiently(async || outbox.commit(&repeated, Timestamp::now()).await).await;
        committed += 1;
        let there = patiently(async || outbox.backlog().await).await;
        assert_eq!(there.signals, 2 * committed as u64);
    }
    candles.insert(&symbol("BTCUSDT"), Timeframe::M15, &[candle(0)]).await.unwrap();
    let all = (0..committed).map(|index| (symbol("BTCUSDT"), contract::job("BTCUSDT", index).candle_close));
    let all: Vec<_> = all.collect();
    assert_eq!(outbox.finished(Timeframe::M15, &all).await.unwrap().len(), all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_not_waited_for() {
    let server = MariaDb::start().await.unwrap();
    let uri = server.create_database("paused").await.unwrap();
    let database = open_impatiently(&uri);
    let outbox = MysqlOutbox::new(database.clone());
    patiently(async || database.ready().await).await;
    server.pause().unwrap();
    // More calls than there are connections.
    for _ in 0..8 {
        assert!(matches!(outbox.backlog().await, Err(StoreError::Unavailable { .. })));
    }
    assert_away(&database).await;
    server.resume().unwrap();
    patiently(async || outbox.commit(&[contract::finished("BTCUSDT", 0, &["rsi"])], Timestamp::now()).await).await;
    // A commit that was given up while the server hung may have been done after all, once.
    let signals = outbox.backlog().await.unwrap().signals;
    assert!((1..=2).contains(&signals), "{signals}");
}

/// Errors contain the reason, but not the password.
#[tokio::test]
async fn errors_name_the_server_and_keep_the_password() {
    let (uri, name) = new_database().await;
    let address = server().await.address();
    let secret = |at: &str, database: &str| format!("mysql://root:geheim%21@{at}/{database}");
    let cases = [
        (secret(&address.to_string(), &name), "Access denied"),
        (secret("127.0.0.1:1", &name), "refused"),
        (secret("nowhere.invalid", &name), "nowhere.invalid:3306"),
        (uri.replace(&name, "not_there"), "Unknown database"),
    ];
    for (uri, reason) in cases {
        let database = open_impatiently(&uri);
        let error = MysqlOutbox::new(database.clone()).ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let told = format!("{error} {error:?} {database:?}");
        assert!(told.contains(reason), "{told}");
        assert!(!told.contains("geheim"), "{told}");
    }
}
