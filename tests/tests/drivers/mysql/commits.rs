//! Commits that are cut off, that collide, and that come in another order than their numbers.

use std::{collections::BTreeSet, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection};
use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_drivers::mysql::outbox::MysqlOutbox;
use ta_bot_engine::{
    signals::outbox::{DeadJob, Outbox as _, contract},
    support::store_error::StoreError,
};
use ta_bot_test_servers::{MariaDb, Mode, Proxy, Side};
use tokio::time::{Instant, sleep};

use super::{PATIENCE, new_database, open, open_impatiently, patiently, server};

/// Wherever the connection is cut, in the request or in the answer, a commit that is repeated is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_cut_off_is_there_once() {
    let (_, name) = new_database().await;
    let proxy = Proxy::start(server().await.address()).unwrap();
    let outbox = MysqlOutbox::new(open_impatiently(&server().await.uri_at(proxy.address(), &name)));
    patiently(async || outbox.ping().await).await;
    let (mut index, mut signals) = (0, 0);
    for from in [Side::Client, Side::Server] {
        let (mut failed, mut bytes) = (0, 0);
        loop {
            let jobs =
                [contract::finished("BTCUSDT", index, &["rsi", "macd"]), contract::finished("ETHUSDT", index, &[])];
            proxy.set(Mode::CutAfter { from, bytes }).await.unwrap();
            let first = outbox.commit(&jobs, Timestamp::from_millis(index)).await;
            proxy.set(Mode::Forward).await.unwrap();
            patiently(async || outbox.commit(&jobs, Timestamp::from_millis(index)).await).await;
            (index, signals) = (index + 1, signals + 2);
            assert_eq!(outbox.backlog().await.unwrap().signals, signals, "cut after {bytes} bytes of {from:?}");
            if first.is_ok() {
                break;
            }
            failed += 1;
            bytes += if from == Side::Client { 331 } else { 23 };
        }
        assert!(failed > 10, "{failed} commits were cut");
    }
    let ids: BTreeSet<String> =
        outbox.unpublished(u32::MAX).await.unwrap().into_iter().map(|signal| signal.id).collect();
    assert_eq!(ids.len() as u64, signals);
}

/// One replica gives up a job that another one finishes at that moment: the job is dead or finished, never both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_never_finished_and_dead() {
    let (uri, name) = new_database().await;
    let (one, two) = (MysqlOutbox::new(open(&uri)), MysqlOutbox::new(open(&uri)));
    one.ping().await.unwrap();
    for round in 0..60 {
        let done =
            [contract::finished("BTCUSDT", 2 * round, &["rsi"]), contract::finished("BTCUSDT", 2 * round + 1, &[])];
        let died_at = Timestamp::from_millis(round);
        let dead = done.clone().map(|done| DeadJob {
            job: done.job,
            attempts: 5,
            reason: "late".into(),
            died_at,
            retried_at: None,
        });
        let at = Timestamp::from_millis(1);
        let (committed, first, second) = tokio::join!(one.commit(&done, at), two.bury(&dead[1]), two.bury(&dead[0]));
        assert_eq!(committed.unwrap().new.len(), 1);
        first.and(second).unwrap();
    }
    let both = format!("SELECT COUNT(*) FROM {name}.dead_jobs; SELECT COUNT(*) FROM {name}.finished_jobs");
    assert_eq!(server().await.sql(&both).await.unwrap(), "0\n120\n");
}

/// A row with a smaller number that is committed later is found.
#[tokio::test]
async fn signals_that_are_committed_out_of_order_are_found() {
    let (uri, name) = new_database().await;
    let outbox = MysqlOutbox::new(open(&uri));
    let (early, late) = (contract::finished("BTCUSDT", 1, &["rsi"]), contract::finished("BTCUSDT", 2, &["rsi"]));
    let at = Timestamp::from_millis(1);
    let early_ids = outbox.commit(&[early], at).await.unwrap().new;
    let late_ids = outbox.commit(&[late], at).await.unwrap().new;
    // As if the first had been committed only now, after the relay had seen the second and marked it.
    let hide =
        |waiting: &str| format!("UPDATE {name}.signals SET waiting = {waiting} WHERE signal_id = '{}'", early_ids[0]);
    server().await.sql(&hide("NULL")).await.unwrap();
    assert_eq!(outbox.unpublished(9).await.unwrap().len(), 1);
    outbox.mark_published(&[late_ids[0].to_string()], at).await.unwrap();
    server().await.sql(&hide("1")).await.unwrap();
    assert_eq!(outbox.unpublished(9).await.unwrap()[0].id, early_ids[0].as_str());
}

/// Each replica publishes what it committed, and after two seconds what another one left.
#[tokio::test]
async fn what_another_replica_commits_is_left_to_it_for_a_while() {
    let (uri, _) = new_database().await;
    let (one, two) = (MysqlOutbox::new(open(&uri)), MysqlOutbox::new(open(&uri)));
    one.ping().await.unwrap();
    let started = Instant::now();
    one.commit(&[contract::finished("BTCUSDT", 1, &["rsi"])], Timestamp::now()).await.unwrap();
    assert_eq!(one.unpublished(9).await.unwrap().len(), 1);
    let foreign = two.unpublished(9).await.unwrap().len();
    assert!(foreign == 0 || started.elapsed() > Duration::from_secs(2));
    assert_eq!(two.backlog().await.unwrap().signals, 1, "it counts for all");
    while two.unpublished(9).await.unwrap().is_empty() {
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20)).await;
    }
    assert!(started.elapsed() >= Duration::from_millis(1900), "{:?}", started.elapsed());
}

/// Three replicas that commit the same candles in different orders come to an end, with each signal once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_do_not_block_each_other() {
    let (uri, _) = new_database().await;
    let jobs: Vec<_> = (0..120).map(|index| contract::finished("BTCUSDT", index, &["rsi", "macd"])).collect();
    let replicas = (0..3).map(|replica| {
        let outbox = MysqlOutbox::new(open(&uri));
        let mut jobs = jobs.clone();
        tokio::spawn(async move {
            jobs.rotate_left(replica * 40);
            if replica == 1 {
                jobs.reverse();
            }
            let mut new = Vec::new();
            for piece in jobs.chunks(17) {
                new.extend(outbox.commit(piece, Timestamp::from_millis(1)).await.unwrap().new);
                let sent: Vec<_> = new.iter().rev().take(9).map(ToString::to_string).collect();
                outbox.mark_published(&sent, Timestamp::from_millis(2)).await.unwrap();
            }
            new
        })
    });
    let mut new = Vec::new();
    for replica in replicas.collect::<Vec<_>>() {
        new.extend(replica.await.unwrap());
    }
    assert_eq!((new.len(), new.iter().collect::<BTreeSet<_>>().len()), (240, 240));
    let outbox = MysqlOutbox::new(open(&uri));
    let asked: Vec<_> = jobs.iter().map(|done| (done.job.symbol.clone(), done.job.candle_close)).collect();
    assert_eq!(outbox.finished(Timeframe::M15, &asked).await.unwrap().len(), 120);
}

/// A probe of a commit finds out whether the server takes writes, and leaves nothing behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_finds_a_server_that_takes_no_writes() {
    let mut server = MariaDb::start_with_room(40).await.unwrap();
    let uri = server.create_database("probed").await.unwrap();
    let outbox = MysqlOutbox::new(open(&uri));
    patiently(async || outbox.probe().await).await;
    let plain = server.uri_of_user("plain", server.address(), "probed").await.unwrap();
    let outbox = MysqlOutbox::new(open(&plain));
    for _ in 0..20 {
        outbox.probe().await.unwrap();
    }
    let left = "SELECT (SELECT COUNT(*) FROM probed.signals), (SELECT COUNT(*) FROM probed.finished_jobs)";
    assert_eq!(server.sql(left).await.unwrap(), "0\t0\n");
    server.sql("SET GLOBAL read_only = 1").await.unwrap();
    let error = outbox.probe().await.unwrap_err();
    assert!(matches!(&error, StoreError::CannotWrite { reason, .. } if reason.contains("read-only")), "{error}");
    outbox.ping().await.unwrap();
    server.sql("SET GLOBAL read_only = 0").await.unwrap();
    outbox.probe().await.unwrap();
    let ballast = "CREATE TABLE probed.ballast (id INT AUTO_INCREMENT PRIMARY KEY, weight VARCHAR(7000))";
    server.sql(ballast).await.unwrap();
    // Each row stands for itself and within its page: undoing a larger one needs room, and without any the server dies.
    let ballast = "INSERT INTO probed.ballast (weight) VALUES (REPEAT('x', 7000));".repeat(100);
    while server.sql(&ballast).await.is_ok() {}
    // The server keeps some room for what transactions may have to undo. Some that do not end take it.
    server.sql("SET GLOBAL max_connections = 1000").await.unwrap();
    let mut endless = Vec::new();
    let error = loop {
        if let Err(error) = outbox.probe().await {
            break error;
        }
        let mut connection = MySqlConnection::connect(&uri).await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        let row = endless.len() + 1;
        for letter in ["y", "z"].iter().cycle() {
            let update = format!("UPDATE ballast SET weight = REPEAT('{letter}', 7000) WHERE id = {row}");
            if sqlx::raw_sql(AssertSqlSafe(update)).execute(&mut connection).await.is_err() {
                break;
            }
        }
        endless.push(connection);
    };
    assert!(matches!(&error, StoreError::CannotWrite { reason, .. } if reason.contains("free space")), "{error}");
    server.restart_with_room(128).await.unwrap();
    patiently(async || outbox.probe().await).await;
}
