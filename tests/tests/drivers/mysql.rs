//! Tests of candles and outbox on MySQL.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::mysql::{
    Limits, Mysql, candles::MysqlCandles, costs::MysqlCosts, deployments::MysqlDeployments, failures::MysqlFailures,
    outbox::MysqlOutbox, redecisions::MysqlRedecisions, revisions::MysqlRevisions, shadows::MysqlShadows,
};
use ta_bot_engine::{
    deployments::{
        log::{self, contract::Replica},
        shadow_store::{self, ShadowStore},
    },
    market::{
        candle_store::{self, CandleStore},
        revision_store::{self, RevisionStore},
    },
    signals::{
        outbox::{self, Outbox},
        redecision_store::{self, RedecisionStore},
    },
    supervision::{
        costs::{self, CostStore},
        failure::{self, FailureStore},
    },
    support::store_error::StoreError,
};
use ta_bot_test_servers::MariaDb;
use tokio::{sync::OnceCell, time::Instant};

mod away;
mod commits;
mod deployed;
mod leader;
mod mended;
mod plans;
mod retention;
mod rows;
mod schema;
mod statements;

/// Long enough for a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_mins(1);
/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// A server that tests share, each with a database of its own.
async fn server() -> &'static MariaDb {
    static SERVER: OnceCell<MariaDb> = OnceCell::const_new();
    SERVER.get_or_init(async || MariaDb::start().await.unwrap()).await
}

/// The URI of a new database of the shared server, and its name.
async fn new_database() -> (String, String) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    (server().await.create_database(&name).await.unwrap(), name)
}

fn open(uri: &str) -> Mysql {
    Mysql::open(&uri.parse().unwrap())
}

/// Opens a database with waits that are as short as a test of failures can afford.
fn open_impatiently(uri: &str) -> Mysql {
    let limits = Limits {
        acquire: Duration::from_millis(700),
        read: Duration::from_secs(1),
        write: Duration::from_secs(2),
        ..Limits::default()
    };
    Mysql::open_with(&uri.parse().unwrap(), limits)
}

/// Repeats a call that fails because the server is away.
async fn patiently<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call().await {
            Ok(done) => return done,
            Err(StoreError::Unavailable { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// The open time of the 15-minute candle `index`.
fn opened(index: i64) -> Timestamp {
    Timestamp::from_millis(START + index * Timeframe::M15.millis())
}

fn candle(index: i64) -> Candle {
    Candle { open_time: opened(index), open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: 5.0 }
}

fn numbers(rows: &[CandleRow]) -> Vec<Candle> {
    rows.iter().map(|row| row.candle).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candles_keep_the_contract() {
    candle_store::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlCandles::new(open(&uri))) as Arc<dyn CandleStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outbox_keeps_the_contract() {
    outbox::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlOutbox::new(open(&uri))) as Arc<dyn Outbox>;
        (store(), store())
    })
    .await;
}

/// The log of deployments and the outbox, on one database.
fn replica(uri: &str) -> Replica {
    let database = open(uri);
    let deployments = Arc::new(MysqlDeployments::new(database.clone()));
    Replica { deployments, outbox: Arc::new(MysqlOutbox::new(database)) }
}

/// Two replicas that are ready. If both create the schema of a database at once, it is away for one until the other is
/// done.
async fn replicas() -> log::contract::Replicas {
    let (uri, _) = new_database().await;
    let (one, two) = (replica(&uri), replica(&uri));
    for replica in [&one, &two] {
        patiently(async || replica.deployments.since(0).await).await;
    }
    (one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployments_keep_the_contract() {
    log::contract::all(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_are_compared_with_the_deployments() {
    outbox::contract::fenced(replicas).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_keep_the_contract() {
    failure::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlFailures::new(open(&uri))) as Arc<dyn FailureStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shadows_keep_the_contract() {
    shadow_store::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlShadows::new(open(&uri))) as Arc<dyn ShadowStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn costs_keep_the_contract() {
    costs::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlCosts::new(open(&uri))) as Arc<dyn CostStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revisions_keep_the_contract() {
    revision_store::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlRevisions::new(open(&uri))) as Arc<dyn RevisionStore>;
        (store(), store())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_were_made_again_keep_the_contract() {
    redecision_store::contract::all(async || {
        let (uri, _) = new_database().await;
        let store = || Arc::new(MysqlRedecisions::new(open(&uri))) as Arc<dyn RedecisionStore>;
        (Arc::new(MysqlCandles::new(open(&uri))) as Arc<dyn CandleStore>, store(), store())
    })
    .await;
}

/// Every decimal that the tables hold becomes the nearest `f64`, and is written back as it was.
#[tokio::test]
async fn decimals_are_read_to_the_nearest_bit() {
    let (uri, name) = new_database().await;
    let store = MysqlCandles::new(open(&uri));
    store.ping().await.unwrap();
    let mut texts =
        vec!["0.00001234".to_owned(), "12345678901.12345678".to_owned(), "999999999999.99999999".to_owned()];
    let mut state = 7_u64;
    for digits in (0..2000).map(|index| 1 + index % 20) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = u128::from(state) * 5 % 10_u128.pow(digits) + 1;
        texts.push(format!("{}.{:08}", number / 100_000_000, number % 100_000_000));
    }
    let rows = texts.iter().zip(0_i64..).map(|(text, index)| {
        format!(
            "('{index}', 'BTCUSDT', FROM_UNIXTIME({0}), FROM_UNIXTIME({0}), FROM_UNIXTIME({0}), '15m', {text}, {text},
                  {text}, {text}, {text}, 0, 0, 0, 0, NOW(), '1', 'test')",
            opened(index).millis() / 1000
        )
    });
    let rows: Vec<String> = rows.collect();
    let columns = "id, symbol, timestamp, open_time, close_time, `interval`, open_price, high_price, low_price,
        close_price, volume, quote_asset_volume, number_of_trades, taker_buy_base_asset_volume,
        taker_buy_quote_asset_volume, extracted_at, extractor_version, source";
    // The client takes its statements as an argument, whose length is limited.
    for rows in rows.chunks(200) {
        let insert = format!("INSERT INTO {name}.klines_m15 ({columns}) VALUES {}", rows.join(","));
        server().await.sql(&format!("SET time_zone = '+00:00'; {insert}")).await.unwrap();
    }
    let read = store.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, opened(99_999), 99_999).await.unwrap();
    let read = numbers(&read);
    assert_eq!(read.len(), texts.len());
    for (candle, text) in read.iter().zip(&texts) {
        let nearest: f64 = text.parse().unwrap();
        assert_eq!((candle.open, candle.close, candle.volume), (nearest, nearest, nearest), "{text}");
    }
    let usable: Vec<Candle> = read.into_iter().filter(|candle| candle.close < 999_999_999_999.0).collect();
    let copied = store.insert(&symbol("COPYUSDT"), Timeframe::M15, &usable).await.unwrap();
    assert_eq!(copied.new, usable.len() as u64);
    let again = store.newest_closed(&symbol("COPYUSDT"), Timeframe::M15, opened(99_999), 99_999).await.unwrap();
    assert_eq!(numbers(&again), usable);
}

/// Rows of other programs are skipped if they do not name a symbol, and do no harm.
#[tokio::test]
async fn foreign_rows_are_passed_over() {
    let (uri, name) = new_database().await;
    let store = MysqlCandles::new(open(&uri));
    store.insert(&symbol("BTCUSDT"), Timeframe::M15, &[candle(0)]).await.unwrap();
    let copy = format!(
        "CREATE TEMPORARY TABLE {name}.c SELECT * FROM {name}.klines_m15; UPDATE {name}.c SET id = 'x', symbol = 'A/B';
         INSERT INTO {name}.klines_m15 SELECT * FROM {name}.c"
    );
    server().await.sql(&copy).await.unwrap();
    assert_eq!(store.series().await.unwrap().len(), 1);
}

/// The pool stays within its bound, and reports how it is used.
#[tokio::test]
async fn connections_are_bounded() {
    let (uri, name) = new_database().await;
    let limits = Limits { connections: 2, ..Limits::default() };
    let database = Mysql::open_with(&uri.parse().unwrap(), limits);
    let store = Arc::new(MysqlCandles::new(database.clone()));
    let calls = (0..40).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.newest_closes(Timeframe::M15, &[symbol("BTCUSDT")], opened(9)).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    let used = database.connections();
    assert!(used.open <= 2 && used.open > 0 && used.idle <= used.open && used.limit == 2, "{used:?}");
    let there = server().await;
    let sql = format!("SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}'");
    assert!(there.sql(&sql).await.unwrap().trim().parse::<u32>().unwrap() <= 2);
    database.close().await;
    assert!(matches!(store.ping().await, Err(StoreError::Unavailable { .. })));
}
