//! The server dies, hangs, cuts connections or is not there.

use std::collections::BTreeMap;

use mongodb::bson::doc;
use ta_bot_engine::{
    settings::config_store::{AuditEntry, StoredLevels},
    support::store_error::WriteError,
};
use ta_bot_test_servers::{Mode, Proxy, Side};

use super::*;

/// How long a call may take: the limit of a write, and what a busy machine adds.
const LONGEST_CALL: Duration = Duration::from_secs(15);

/// Writes one change after the other until `enough` were acknowledged. Returns their versions by their reasons, which
/// are all different.
async fn write_many(store: MongoConfig, name: String, enough: usize) -> BTreeMap<String, i64> {
    let rsi = key("rsi", None);
    let deadline = Instant::now() + PATIENCE;
    let mut acknowledged = BTreeMap::new();
    for number in 0.. {
        if acknowledged.len() == enough {
            break;
        }
        assert!(Instant::now() < deadline, "only {} of {enough} changes were acknowledged", acknowledged.len());
        let reason = format!("{name} {number}");
        match store.write(&rsi, Some(&period(number)), None, &author(&reason)).await {
            Ok(entry) => {
                acknowledged.insert(reason, entry.unwrap().version);
            }
            Err(WriteError::Store(error)) => assert_away(&error),
            Err(error @ WriteError::Conflict { .. }) => panic!("nobody asked for a condition: {error}"),
        }
    }
    acknowledged
}

/// Checks that every acknowledged change is in the history once, under the version that the writer was told, that
/// versions have no gaps, and that the level is what the newest entry says.
async fn assert_nothing_is_lost(store: &MongoConfig, acknowledged: &BTreeMap<String, i64>) {
    let rsi = key("rsi", None);
    let history = until_ok(|| store.audit(&rsi.strategy, None, u32::MAX)).await;
    let reason = |entry: &AuditEntry| entry.author.reason.clone().unwrap();
    let by_reason: BTreeMap<String, i64> = history.iter().map(|entry| (reason(entry), entry.version)).collect();
    assert_eq!(by_reason.len(), history.len(), "a change is in the history twice");
    for (reason, version) in acknowledged {
        assert_eq!(by_reason.get(reason), Some(version), "{reason} was acknowledged");
    }
    let versions: Vec<i64> = history.iter().rev().map(|entry| entry.version).collect();
    assert_eq!(versions, (1..=history.len() as i64).collect::<Vec<_>>());
    let stored = until_ok(|| store.get(&rsi)).await.unwrap();
    assert_eq!((stored.version, Some(Json::Object(stored.parameters))), (history[0].version, history[0].new.clone()));
    for pair in history.windows(2) {
        assert_eq!(pair[0].old, pair[1].new, "what a change found is what the one before left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledged_change_is_lost_when_the_server_is_killed() {
    const EACH: usize = 25;
    let mut server = Server::start().await.unwrap();
    let store = |server: &Server| MongoConfig::new(open(&server.uri(), "petrosa"));
    let stores = [store(&server), store(&server)];
    let mut acknowledged = BTreeMap::new();
    for round in 0..3 {
        let writer = |number: usize| {
            let name = format!("round {round}, writer {number}, change");
            tokio::spawn(write_many(stores[number].clone(), name, EACH))
        };
        let writers = [writer(0), writer(1)];
        let enough = acknowledged.len() as i64 + 4;
        until_ok(|| async {
            let version = newest_version(&stores[0]).await.map_err(|error| error.to_string())?;
            if version >= enough { Ok(()) } else { Err(format!("version {version} instead of {enough}")) }
        })
        .await;
        server.kill().unwrap();
        assert!(writers.iter().all(|writer| !writer.is_finished()), "the server was killed too late");
        server.restart().await.unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert_eq!(acknowledged.len(), 3 * 2 * EACH);
    assert_nothing_is_lost(&store(&server), &acknowledged).await;
}

async fn newest_version(store: &MongoConfig) -> Result<i64, StoreError> {
    let newest = store.audit(&key("rsi", None).strategy, None, 1).await?;
    Ok(newest.first().map_or(0, |entry| entry.version))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_connections_make_no_change_twice() {
    let server = Server::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let store = MongoConfig::new(open(&server.uri_at(proxy.address()), "petrosa"));
    let writer = tokio::spawn(write_many(store.clone(), "cut".to_owned(), 60));
    let mut bytes = 0;
    while !writer.is_finished() {
        // Requests that are cut in two, lost answers, and connections that simply end.
        let from = if bytes % 2 == 0 { Side::Server } else { Side::Client };
        proxy.set(Mode::CutAfter { from, bytes: 300 + 97 * (bytes % 31) }).await.unwrap();
        sleep(Duration::from_millis(40)).await;
        proxy.set(Mode::Forward).await.unwrap();
        proxy.reset_all().await.unwrap();
        sleep(Duration::from_millis(120)).await;
        bytes += 1;
    }
    let acknowledged = writer.await.unwrap();
    assert!(bytes > 3, "the connections were cut {bytes} times only");
    assert_nothing_is_lost(&MongoConfig::new(open(&server.uri(), "petrosa")), &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writers_who_saw_the_same_one_is_told() {
    let server = shared().await;
    let name = fresh_name();
    let store = || MongoConfig::new(open(&server.uri(), &name));
    let (one, two) = (store(), store());
    let rsi = key("rsi", Some("BTCUSDT"));
    one.write(&rsi, Some(&period(9)), None, &author("first")).await.unwrap();
    let (first, fields) = (author("one"), author("two"));
    let (nine, ten) = (period(10), period(11));
    let (a, b) =
        tokio::join!(one.write(&rsi, Some(&nine), Some(1), &first), two.write(&rsi, Some(&ten), Some(1), &fields));
    let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
    assert_eq!(won.unwrap().unwrap().version, 2);
    assert!(matches!(lost, Err(WriteError::Conflict { expected: 1, current: 2 })), "{lost:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_away_within_the_limits_and_comes_back() {
    let server = Server::start().await.unwrap();
    let mongo = open(&server.uri(), "petrosa");
    let (store, modules) = (MongoConfig::new(mongo.clone()), MongoModules::new(mongo.clone()));
    let rsi = key("rsi", None);
    let mine = author("x");
    store.write(&rsi, Some(&period(9)), None, &mine).await.unwrap();
    server.pause().unwrap();
    let started = Instant::now();
    // More calls than there are connections: those that wait for one fail in time, too.
    let many = futures_util::future::join_all((0..40).map(|_| store.all()));
    let nine = period(9);
    let (all, written, ping) = tokio::join!(many, store.write(&rsi, Some(&nine), None, &mine), store.ping());
    for error in all.into_iter().map(|read| read.unwrap_err()).chain([ping.unwrap_err()]) {
        assert_away(&error);
    }
    let Err(WriteError::Store(error)) = written else { panic!("was written: {written:?}") };
    assert_away(&error);
    assert_away(&modules.list().await.unwrap_err());
    assert!(started.elapsed() < LONGEST_CALL, "{:?}", started.elapsed());
    assert_eq!(mongo.calls().get(), 0);
    server.resume().unwrap();
    until_ok(|| store.ping()).await;
    assert_eq!(until_ok(|| store.get(&rsi)).await.unwrap().parameters, period(9));
    until_ok(|| modules.list()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_later_is_found() {
    let mut server = Server::start().await.unwrap();
    server.kill().unwrap();
    let mongo = open(&server.uri(), "petrosa");
    let store = MongoConfig::new(mongo.clone());
    let stop = tokio_util::sync::CancellationToken::new();
    let prepared = tokio::spawn({
        let (mongo, stop) = (mongo.clone(), stop.clone());
        async move { mongo.prepare(stop).await }
    });
    let started = Instant::now();
    let mine = author("x");
    let error = store.write(&key("rsi", None), Some(&period(9)), None, &mine).await.unwrap_err();
    assert!(matches!(error, WriteError::Store(StoreError::Unavailable { .. })), "{error}");
    assert_away(&store.settings().await.unwrap_err());
    assert!(started.elapsed() < LONGEST_CALL, "{:?}", started.elapsed());
    server.restart().await.unwrap();
    tokio::time::timeout(PATIENCE, prepared).await.expect("the indexes are made by themselves").unwrap();
    assert_eq!(until_ok(|| store.all()).await, StoredLevels::default());
    let indexes = plain(&server.uri(), "petrosa").await.collection::<Document>("strategy_configs_symbol");
    assert!(indexes.list_index_names().await.unwrap().len() >= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_transactions_is_told_as_that_and_nothing_is_written() {
    let server = Server::start_with_fail_points().await.unwrap();
    let store = MongoConfig::new(open(&server.uri(), "petrosa"));
    let rsi = key("rsi", None);
    let mine = author("x");
    store.write(&rsi, Some(&period(9)), None, &mine).await.unwrap();
    let admin = plain(&server.uri(), "admin").await;
    // The answer of a server that is no member of a replica set to the first command of a transaction. (This one can't
    // be started as such.)
    let fail = doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn",
    "data": { "failCommands": ["find"], "errorCode": 20 } };
    admin.run_command(fail).await.unwrap();
    let error = store.write(&rsi, Some(&period(10)), None, &mine).await.unwrap_err();
    let WriteError::Store(StoreError::CannotWrite { reason, .. }) = &error else { panic!("{error}") };
    assert!(reason.contains("replica set"), "{reason}");
    admin.run_command(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await.unwrap();
    assert_eq!(store.get(&rsi).await.unwrap().unwrap().parameters, period(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_asked_for_again() {
    let server = Server::start_with_fail_points().await.unwrap();
    let store = MongoConfig::new(open(&server.uri(), "petrosa"));
    let rsi = key("rsi", None);
    let mine = author("first");
    store.write(&rsi, Some(&period(9)), None, &mine).await.unwrap();
    let admin = plain(&server.uri(), "admin").await;
    let fail = doc! { "configureFailPoint": "failCommand", "mode": { "times": 3 },
    "data": { "failCommands": ["commitTransaction"], "closeConnection": true } };
    admin.run_command(fail).await.unwrap();
    let entry = store.write(&rsi, Some(&period(10)), Some(1), &author("second")).await.unwrap().unwrap();
    let acknowledged = BTreeMap::from([("first".to_owned(), 1), ("second".to_owned(), entry.version)]);
    assert_nothing_is_lost(&store, &acknowledged).await;
}
