//! Several processes on one file, and a process that is killed midway.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_engine::{
    market::candle_store::CandleStore as _,
    signals::outbox::{
        Outbox as _, SignalFilter,
        contract::{finished, job},
    },
    support::store_error::StoreError,
};
use tempfile::TempDir;

use super::broken::{btc, candle};
use crate::sqlite::{Database, candles::SqliteCandles, outbox::SqliteOutbox};

/// These variables tell the process that will be killed where to write, and from which job on.
const DATA_DIR: &str = "TA_BOT_TEST_DATA_DIR";
const FIRST_JOB: &str = "TA_BOT_TEST_FIRST_JOB";
const COMMITTED: &str = "committed ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_can_open_a_new_file_at_once() {
    for _ in 0..5 {
        let directory = TempDir::new().unwrap();
        let opening = (0..8).map(|_| {
            let path = directory.path().to_owned();
            tokio::spawn(async move { Database::open(&path).await.unwrap().ping().await.unwrap() })
        });
        for opened in opening.collect::<Vec<_>>() {
            opened.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_is_told() {
    let directory = TempDir::new().unwrap();
    let holder = Database::open(directory.path()).await.unwrap();
    let other = Database::open(directory.path()).await.unwrap();
    sqlx::query("PRAGMA busy_timeout = 50").execute(&other.writer).await.unwrap();
    let held = holder.begin().await.unwrap();
    let store = SqliteCandles::new(other);
    let error = store.insert(&btc(), Timeframe::M15, &[candle(0)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }) && error.to_string().contains("locked"), "{error}");
    assert_eq!(store.series().await.unwrap(), [], "reading goes on");
    store.ping().await.unwrap();
    held.rollback().await.unwrap();
    store.insert(&btc(), Timeframe::M15, &[candle(0)]).await.unwrap();
}

/// Commits jobs, each with two signals, and says so after each commit, until it is killed.
#[tokio::test]
#[ignore = "run by another test, which kills it"]
async fn commits_until_it_is_killed() {
    let (Some(data_dir), Ok(first)) = (env::var_os(DATA_DIR), env::var(FIRST_JOB)) else { return };
    let store = SqliteOutbox::new(Database::open(&PathBuf::from(data_dir)).await.unwrap());
    for index in first.parse().unwrap()..i64::MAX {
        let job = finished("BTCUSDT", index, &["rsi", "macd"]);
        store.commit(&[job], Timestamp::now()).await.unwrap();
        println!("{COMMITTED}{index}");
    }
}

/// Runs the process above until it has committed `commits` jobs, kills it, and returns the last job that it reported.
fn run_and_kill(data_dir: &std::path::Path, first: i64, commits: i64) -> i64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "tests::sqlite::process::commits_until_it_is_killed", "--ignored", "--nocapture"])
        .env(DATA_DIR, data_dir)
        .env(FIRST_JOB, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // The name of the test comes before the first message, on the same line.
    let told = lines.filter_map(|line| line.split_once(COMMITTED)?.1.parse::<i64>().ok());
    let mut last = None;
    for committed in told {
        last = Some(committed);
        if committed + 1 == first + commits {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    last.unwrap()
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_it_committed() {
    let directory = TempDir::new().unwrap();
    let mut first = 0;
    for commits in [1, 7, 40, 3, 120] {
        let last = run_and_kill(directory.path(), first, commits);
        let database = Database::open(directory.path()).await.unwrap();
        let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&database.readers).await.unwrap();
        assert_eq!(checked, "ok");
        let store = SqliteOutbox::new(database.clone());
        // The process may have committed a little more than it reported.
        let asked: Vec<_> = (0..last + 100).map(|index| job("BTCUSDT", index)).collect();
        let asked: Vec<_> = asked.into_iter().map(|job| (job.symbol, job.candle_close)).collect();
        let jobs = store.finished(Timeframe::M15, &asked).await.unwrap();
        let all = SignalFilter { limit: u32::MAX, ..SignalFilter::default() };
        let signals = store.signals(&all).await.unwrap();
        assert!(jobs.len() as i64 > last, "{} jobs, told of {}", jobs.len(), last + 1);
        assert_eq!(signals.len(), 2 * jobs.len(), "a job is finished if, and only if, its signals are there");
        first = jobs.len() as i64;
        database.close().await;
    }
}
