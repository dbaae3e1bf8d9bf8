//! The same job gives the same bytes when it is repeated, on another thread, and in another process. So the ids of
//! signals stay the same when the service is restarted.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::{path::Path, process::Command};

use ta_bot::app::App;
use ta_bot_core::{Candle, Job, ModuleDigest, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::made_up::walk;
use ta_bot_tests::app::app;

const CANDLES: i64 = 600;
const JOBS: i64 = 100;
/// The environment variable for the second process: the folder of the store, to which it writes what it found.
const CHILD: &str = "TA_BOT_TEST_SECOND_PROCESS";

fn symbol() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

fn market() -> Vec<Candle> {
    walk(&symbol(), (0..CANDLES).map(|i| Timestamp::from_millis(i * Timeframe::M15.millis())), 100.0)
}

fn jobs() -> impl Iterator<Item = Job> {
    (CANDLES - JOBS..CANDLES).map(|i| Job {
        symbol: symbol(),
        timeframe: Timeframe::M15,
        candle_close: Timestamp::from_millis((i + 1) * Timeframe::M15.millis()),
    })
}

/// Every message of every job, one per line.
async fn messages(app: &App) -> String {
    let mut messages = String::new();
    for job in jobs() {
        for signal in app.analyst.analyse(&job).await.unwrap().signals() {
            messages += &signal.message.to_string();
            messages.push('\n');
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_job_gives_the_same_bytes_everywhere() {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await.unwrap();
    app.candles.insert(&symbol(), Timeframe::M15, &market()).await.unwrap();
    let first = messages(&app).await;
    assert!(first.lines().count() > 20, "{} signals prove little", first.lines().count());
    // The pool has a thread for each core, so concurrent jobs fall on all of them.
    let (second, third) = tokio::join!(messages(&app), messages(&app));
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert_eq!(in_another_process(data.path()), ModuleDigest::of(first.as_bytes()).to_string());
}

/// Runs the test below in a process of its own, on the same store.
fn in_another_process(data_dir: &Path) -> String {
    let answer = data_dir.join("answer");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_process"])
        .env(CHILD, data_dir)
        .status()
        .unwrap();
    assert!(status.success());
    std::fs::read_to_string(answer).unwrap()
}

/// Does nothing except in the process that the test above starts.
#[tokio::test]
async fn second_process() {
    let Some(data_dir) = std::env::var_os(CHILD) else { return };
    let data_dir = Path::new(&data_dir);
    let messages = messages(&app(data_dir).await.unwrap()).await;
    std::fs::write(data_dir.join("answer"), ModuleDigest::of(messages.as_bytes()).to_string()).unwrap();
}
