//! The log of deployments on a server that is shared with others: broken entries, waiting, and connections that are
//! cut.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::Connection as _;
use ta_bot_core::Timestamp;
use ta_bot_drivers::mysql::{deployments::MysqlDeployments, outbox::MysqlOutbox};
use ta_bot_engine::{
    deployments::log::{
        DeploymentStore as _,
        contract::{change, log},
    },
    signals::outbox::{FinishedJob, Outbox as _, contract},
    support::store_error::{StoreError, WriteError},
};
use ta_bot_test_servers::{Mode, Proxy, Side};
use ta_bot_tests::until;

use super::{PATIENCE, new_database, open, open_impatiently, patiently, server};

/// An entry that this version can't read causes an error that names its column, and never a panic.
#[tokio::test]
async fn an_entry_that_is_none_of_ours_is_named() {
    let (uri, name) = new_database().await;
    let log = MysqlDeployments::new(open(&uri));
    log.add(&change("rsi", 1), 0, None).await.unwrap();
    let cases = [
        ("action", "'explode'", "explode"),
        ("action", "''", "activate"),
        ("deployment", "'{\"module\": \"nonsense\"}'", "Invalid string length"),
        ("deployment", "''", "EOF"),
        ("deployment", "'7'", "invalid type: integer"),
        ("strategy_id", "'Not An Id'", "Not An Id"),
    ];
    for (column, value, told) in cases {
        let broken = format!("START TRANSACTION; UPDATE {name}.ta_bot_deployments SET {column} = {value}; COMMIT");
        let kept = format!("SELECT HEX({column}) FROM {name}.ta_bot_deployments");
        let before = server().await.sql(&kept).await.unwrap();
        server().await.sql(&broken).await.unwrap();
        let error = log.since(0).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("column {column}")) && text.contains(told), "{text}");
        let mended =
            format!("UPDATE {name}.ta_bot_deployments SET {column} = CONVERT(0x{} USING utf8mb4)", before.trim());
        server().await.sql(&mended).await.unwrap();
        assert_eq!(log.since(0).await.unwrap().len(), 1);
    }
}

/// Nothing is committed if the newest revision of the log is not known.
#[tokio::test]
async fn a_lost_row_is_told() {
    let (uri, name) = new_database().await;
    let (log, outbox) = (MysqlDeployments::new(open(&uri)), MysqlOutbox::new(open(&uri)));
    log.add(&change("rsi", 1), 0, None).await.unwrap();
    server().await.sql(&format!("DELETE FROM {name}.ta_bot_deployment_head")).await.unwrap();
    let committed = outbox.commit(&[contract::finished("BTCUSDT", 1, &[])], Timestamp::from_millis(1)).await;
    let added = match log.add(&change("rsi", 1), 1, None).await {
        Err(WriteError::Store(error)) => error,
        other => panic!("{other:?}"),
    };
    for error in [committed.unwrap_err(), added] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        assert!(error.to_string().contains("ta_bot_deployment_head is gone: restore a backup"), "{error}");
    }
}

/// A commit that has looked at the log holds it as it is until it ends, and keeps no other commit waiting. A new entry
/// waits for that, and keeps no commit waiting in the meantime, either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_waits_for_the_commits_under_way() {
    let (uri, name) = new_database().await;
    let (log, outbox) = (MysqlDeployments::new(open(&uri)), MysqlOutbox::new(open(&uri)));
    log.since(0).await.unwrap();
    let newest = contract::job("BTCUSDT", 2).candle_close;
    let held = format!(
        "USE {name}; START TRANSACTION; SELECT revision FROM ta_bot_deployment_head WHERE id = 1 LOCK IN SHARE MODE;
         INSERT INTO finished_jobs VALUES ('15m', {}, 'BTCUSDT', 1); SELECT SLEEP(2) INTO @slept; COMMIT",
        newest.millis()
    );
    let is_over = AtomicBool::new(false);
    let held = async {
        server().await.sql(&held).await.unwrap();
        is_over.store(true, Ordering::Relaxed);
    };
    let beside = async {
        let sleeps = format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}' AND info LIKE '%SLEEP(2)%'"
        );
        let asked = async || server().await.sql(&sleeps).await.unwrap();
        until(PATIENCE, async || asked().await, async || asked().await == "1\n").await;
        let added = tokio::spawn(async move { log.add(&change("rsi", 1), 0, None).await.unwrap() });
        let mut committed = 0;
        while !is_over.load(Ordering::Relaxed) {
            let job = contract::finished(&format!("S{committed}USDT"), 1, &[]);
            outbox.commit(&[job], Timestamp::from_millis(1)).await.unwrap();
            committed += 1;
        }
        assert!(committed > 10, "commits go on beside each other and beside who adds: {committed}");
        added.await.unwrap()
    };
    let ((), entry) = tokio::join!(held, beside);
    assert_eq!(entry.from, newest.plus_millis(1), "after what was being committed when it was asked for");
}

/// A commit that is still writing keeps no entry waiting, however long that takes: it looks at the log at its end, and
/// finds there what was added in the meantime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_does_not_wait_for_what_commits_write() {
    let (uri, name) = new_database().await;
    let (log, outbox) = (MysqlDeployments::new(open(&uri)), MysqlOutbox::new(open(&uri)));
    log.since(0).await.unwrap();
    // A row that the commit is about to insert, in a transaction that is not committed.
    let late = contract::finished("BTCUSDT", 2, &["rsi"]);
    let mut blocker = sqlx::MySqlConnection::connect(&uri).await.unwrap();
    let mut blocking = blocker.begin().await.unwrap();
    sqlx::query("INSERT INTO finished_jobs VALUES ('15m', ?, 'BTCUSDT', 1)")
        .bind(late.job.candle_close.millis())
        .execute(&mut *blocking)
        .await
        .unwrap();
    let jobs = [late.clone(), FinishedJob { revision: 99, ..contract::finished("ETHUSDT", 2, &["rsi"]) }];
    let committed = tokio::spawn(async move { outbox.commit(&jobs, Timestamp::from_millis(1)).await });
    let waits = format!(
        "SELECT COUNT(*) FROM information_schema.processlist
         WHERE db = '{name}' AND info LIKE 'INSERT INTO `finished_jobs`%'"
    );
    let asked = async || server().await.sql(&waits).await.unwrap();
    until(PATIENCE, async || asked().await, async || asked().await == "1\n").await;
    let entry = log.add(&change("rsi", 1), 0, None).await.unwrap();
    assert!(entry.from <= late.job.candle_close && !committed.is_finished(), "{entry:?}");
    blocking.rollback().await.unwrap();
    let committed = committed.await.unwrap().unwrap();
    assert_eq!((committed.outdated, committed.new.len()), (vec![late.job], 1));
    let kept = "SELECT (SELECT GROUP_CONCAT(symbol) FROM finished_jobs), (SELECT GROUP_CONCAT(symbol) FROM signals)";
    let kept = server().await.sql(&format!("USE {name}; {kept}")).await.unwrap();
    assert_eq!(kept, "ETHUSDT\tETHUSDT\n", "nothing of what is late was left behind");
}

/// Wherever the connection is cut, an entry that is repeated with the same condition is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_is_cut_off_is_there_once() {
    let (uri, name) = new_database().await;
    let proxy = Proxy::start(server().await.address()).unwrap();
    let cut = MysqlDeployments::new(open_impatiently(&server().await.uri_at(proxy.address(), &name)));
    let whole = MysqlDeployments::new(open(&uri));
    patiently(async || cut.since(0).await).await;
    let mut expected = 0;
    for from in [Side::Client, Side::Server] {
        let (mut failed, mut bytes) = (0, 0);
        loop {
            proxy.set(Mode::CutAfter { from, bytes }).await.unwrap();
            let first = cut.add(&change("rsi", 1), expected, None).await;
            proxy.set(Mode::Forward).await.unwrap();
            // A caller that was cut off does not know whether the entry was added, and tries again.
            match whole.add(&change("rsi", 1), expected, None).await {
                Ok(_) => assert!(first.is_err(), "cut after {bytes} bytes of {from:?}"),
                Err(WriteError::Conflict { current, .. }) => assert_eq!(current, expected + 1),
                Err(error) => panic!("{error}"),
            }
            expected += 1;
            let entries = log(&whole).await;
            assert_eq!((entries.revision(), entries.of(&change("rsi", 1).strategy).len() as i64), (expected, expected));
            if first.is_ok() {
                break;
            }
            failed += 1;
            bytes += if from == Side::Client { 131 } else { 23 };
        }
        assert!(failed > 5, "{failed} were cut");
    }
}
