//! Disks that are full or read-only.
//!
//! Root may write to files whose permissions forbid it, so a real read-only directory and a real full disk need a
//! mount. If the system lets this process create a namespace of its own, the tests mount them there and run themselves
//! inside it. If not, the limits of SQLite stand in for them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use ta_bot_core::{CandleRow, Timeframe, Timestamp};
use ta_bot_engine::{market::candle_store::CandleStore as _, support::store_error::StoreError};
use tempfile::TempDir;

use super::broken::{btc, candle};
use crate::sqlite::{Database, candles::SqliteCandles};

/// Tells a test that is run by another one the path of its mount.
const MOUNT: &str = "TA_BOT_TEST_MOUNT";

fn mount() -> Option<PathBuf> {
    env::var_os(MOUNT).map(PathBuf::from)
}

/// Runs the ignored test `name` of this module in a namespace in which `script` has mounted something on
/// `$TA_BOT_TEST_MOUNT`.
fn run_mounted(directory: &Path, script: &str, name: &str) {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]).env(MOUNT, directory);
        command
    };
    let is_allowed = unshare().arg(format!("mount -t tmpfs none \"${MOUNT}\"")).output();
    if !is_allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this system does not let tests mount anything");
        return;
    }
    let itself = env::current_exe().unwrap();
    let script = format!("{script}; exec \"$0\" --exact tests::sqlite::disk::{name} --ignored --nocapture");
    let output = unshare().arg(script).arg(itself).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

#[tokio::test]
async fn a_limited_file_keeps_what_it_has() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    sqlx::query("PRAGMA max_page_count = 100").execute(&database.writer).await.unwrap();
    fills_up_and_keeps_what_it_has(&database).await;
    sqlx::query("PRAGMA max_page_count = 100000").execute(&database.writer).await.unwrap();
    let more: Vec<_> = (0..50_000).map(candle).collect();
    SqliteCandles::new(database).insert(&btc(), Timeframe::M15, &more).await.unwrap();
}

/// Inserts until nothing more fits, and then checks what is stored.
async fn fills_up_and_keeps_what_it_has(database: &Database) {
    let store = SqliteCandles::new(database.clone());
    let mut held = 0;
    let error = loop {
        let batch: Vec<_> = (held..held + 1000).map(candle).collect();
        match store.insert(&btc(), Timeframe::M15, &batch).await {
            Ok(_) => held += 1000,
            Err(error) => break error,
        }
        assert!(held < 100_000, "the disk is never full");
    };
    assert!(matches!(error, StoreError::CannotWrite { .. }) && error.to_string().contains("space"), "{error:?}");
    let found = store.newest_closed(&btc(), Timeframe::M15, Timestamp::now(), u32::MAX).await.unwrap();
    assert_eq!(found, (0..held).map(|index| CandleRow::undated(candle(index))).collect::<Vec<_>>());
    assert_eq!(store.series().await.map(|series| series.iter().map(|s| s.candles).sum::<u64>()).unwrap(), held as u64);
    let checked: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&database.readers).await.unwrap();
    assert_eq!(checked, "ok");
}

#[test]
fn a_full_disk_keeps_what_it_has() {
    let directory = TempDir::new().unwrap();
    run_mounted(directory.path(), &format!("mount -t tmpfs -o size=2m none \"${MOUNT}\""), "on_a_small_disk");
}

#[tokio::test]
#[ignore = "run by another test, on a small disk"]
async fn on_a_small_disk() {
    let Some(data_dir) = mount() else { return };
    let ballast = data_dir.join("ballast");
    std::fs::write(&ballast, vec![0; 1 << 20]).unwrap();
    let database = Database::open(&data_dir).await.unwrap();
    fills_up_and_keeps_what_it_has(&database).await;
    // Once there is room again, the database works without a restart.
    std::fs::remove_file(&ballast).unwrap();
    let more: Vec<_> = (100_000..100_500).map(candle).collect();
    SqliteCandles::new(database.clone()).insert(&btc(), Timeframe::M15, &more).await.unwrap();
    database.close().await;
    // Nothing fits any more, not even a second database.
    assert!(std::fs::write(&ballast, vec![0; 4 << 20]).is_err());
    let error = Database::open(&data_dir.join("second")).await.unwrap_err();
    assert!(matches!(error, StoreError::CannotWrite { .. }), "{error:?}");
}

#[tokio::test]
async fn a_directory_can_become_read_only() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    SqliteCandles::new(database.clone()).insert(&btc(), Timeframe::M15, &[candle(0)]).await.unwrap();
    database.close().await;
    let script = format!("mount --bind \"${MOUNT}\" \"${MOUNT}\"; mount -o remount,bind,ro \"${MOUNT}\"");
    run_mounted(directory.path(), &script, "on_a_read_only_disk");
}

#[tokio::test]
#[ignore = "run by another test, on a read-only disk"]
async fn on_a_read_only_disk() {
    let Some(data_dir) = mount() else { return };
    let cases = [(data_dir.clone(), "writable"), (data_dir.join("new"), "can't be made")];
    for (data_dir, told) in cases {
        let error = Database::open(&data_dir).await.unwrap_err();
        assert!(matches!(error, StoreError::CannotWrite { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(told) && text.contains("Read-only file system"), "{text}");
    }
}

#[tokio::test]
async fn a_connection_that_only_reads_says_so() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    let written = sqlx::query("DELETE FROM signals").execute(&database.readers).await.unwrap_err();
    let error = crate::sqlite::store_error(&written);
    assert!(matches!(error, StoreError::CannotWrite { .. }) && error.to_string().contains("DATA_DIR"), "{error}");
}

#[tokio::test]
async fn a_file_that_was_removed_is_missed() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    std::fs::remove_file(database.path()).unwrap();
    let error = database.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::CannotWrite { .. }) && error.to_string().contains("removed"), "{error}");
}
