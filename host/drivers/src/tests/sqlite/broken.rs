//! Files and directories that are not what they should be: each error says what to do.

use std::{
    fs,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::Path,
};

use sqlx::{ConnectOptions as _, Connection as _};
use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    deployments::log::{DeploymentStore as _, contract::change},
    market::candle_store::CandleStore as _,
    signals::outbox::{self, Outbox as _},
    support::store_error::StoreError,
};
use tempfile::TempDir;

use crate::sqlite::{Database, FILE_NAME, database::options};
use crate::sqlite::{candles::SqliteCandles, deployments::SqliteDeployments, outbox::SqliteOutbox};

/// Opens a database that can't be opened, and returns the error.
async fn refused(data_dir: &Path) -> StoreError {
    Database::open(data_dir).await.expect_err("it can't be opened")
}

/// Runs a statement on the file behind the back of [`Database`].
async fn run(data_dir: &Path, sql: &'static str) {
    let mut connection = options(&data_dir.join(FILE_NAME)).connect().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

pub(super) fn btc() -> Symbol {
    "BTCUSDT".parse().unwrap()
}

pub(super) fn candle(index: i64) -> Candle {
    let open_time = Timestamp::from_millis(index * Timeframe::M15.millis());
    Candle { open_time, open: 1.0, high: 1.0, low: 1.0, close: 1.0, volume: 1.0 }
}

#[tokio::test]
async fn a_new_directory_is_its_owners() {
    let directory = TempDir::new().unwrap();
    let data_dir = directory.path().join("a/b");
    let database = Database::open(&data_dir).await.unwrap();
    assert_eq!(fs::metadata(&data_dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(database.path(), data_dir.join("ta-bot.sqlite"));
    database.ping().await.unwrap();
    database.close().await;
    assert!(matches!(database.ping().await, Err(StoreError::Unavailable { .. })));
    Database::open(&data_dir).await.unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn data_dir_must_be_a_directory_that_can_be_written_to() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "x").unwrap();
    // Nobody can create files in /proc, not even root.
    let cases = [
        (file.clone(), "is no directory"),
        (file.join("below"), "can't be made"),
        ("/proc/nowhere".into(), "can't be made"),
        ("/proc/self".into(), "writable"),
    ];
    for (data_dir, told) in cases {
        let error = refused(&data_dir).await;
        assert!(matches!(error, StoreError::CannotWrite { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains(told) && text.contains("DATA_DIR") && text.contains(data_dir.to_str().unwrap()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(FILE_NAME);
    let garbage = "not a database, but long enough to be taken for the header of one ".repeat(100);
    fs::write(&path, &garbage).unwrap();
    let error = refused(directory.path()).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()) && text.contains("move the file away"), "{text}");
    assert_eq!(fs::read_to_string(&path).unwrap(), garbage);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(refused(directory.path()).await.to_string().contains("is a directory"));
}

#[tokio::test]
async fn databases_of_others_and_of_newer_versions_are_left_alone() {
    let directory = TempDir::new().unwrap();
    run(directory.path(), "CREATE TABLE bookmarks (url TEXT)").await;
    let text = refused(directory.path()).await.to_string();
    assert!(text.contains("another program's"), "{text}");

    let directory = TempDir::new().unwrap();
    Database::open(directory.path()).await.unwrap().close().await;
    run(directory.path(), "PRAGMA user_version = 99").await;
    let error = refused(directory.path()).await;
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("version 99") && text.contains("knows versions up to"), "{text}");
}

/// A newer version that only added something lets this one go on; the way back needs no other file.
#[tokio::test]
async fn a_newer_file_is_used_if_its_changes_allow_it() {
    let directory = TempDir::new().unwrap();
    Database::open(directory.path()).await.unwrap().close().await;
    run(directory.path(), "CREATE TABLE new (id INTEGER); INSERT INTO schema_changes VALUES (18, 17), (19, 10)").await;
    let database = Database::open(directory.path()).await.unwrap();
    let done = [outbox::contract::finished("BTCUSDT", 1, &["rsi"])];
    let committed = SqliteOutbox::new(database.clone()).commit(&done, Timestamp::from_millis(1)).await.unwrap();
    assert_eq!(committed.new.len(), 1);
    // Versions up to 10 read nothing but this.
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&database.readers).await.unwrap();
    assert_eq!(version, 10, "the version before goes on with this file");
    database.close().await;
    run(directory.path(), "INSERT INTO schema_changes VALUES (20, 20)").await;
    let text = refused(directory.path()).await.to_string();
    assert!(text.contains("version 20, which is newer") && text.contains("knows version 20"), "{text}");
}

#[tokio::test]
async fn damage_is_told_as_such() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    let candles: Vec<_> = (0..5000).map(candle).collect();
    SqliteCandles::new(database.clone()).insert(&btc(), Timeframe::M15, &candles).await.unwrap();
    database.close().await;
    let file = fs::OpenOptions::new().write(true).open(directory.path().join(FILE_NAME)).unwrap();
    let length = file.metadata().unwrap().len();
    for offset in (length / 4..length).step_by(512) {
        file.write_all_at(&[0xa5; 512], offset).unwrap();
    }
    let read = async {
        let store = SqliteCandles::new(Database::open(directory.path()).await?);
        store.newest_closed(&btc(), Timeframe::M15, Timestamp::now(), 5000).await
    };
    let error = read.await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("backup"), "{error:?}");
}

#[tokio::test]
async fn a_value_that_is_none_of_ours_is_named() {
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    run(directory.path(), "INSERT INTO series VALUES (1, 'BTCUSDT', '15 minutes', 1, 0, 0)").await;
    let error = SqliteCandles::new(database).series().await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("column timeframe") && text.contains("15 minutes"), "{text}");
}

#[tokio::test]
async fn an_entry_of_deployments_that_is_none_of_ours_is_named() {
    let cases = [
        ("UPDATE deployments SET action = 'explode'", "column action", "explode"),
        (
            "UPDATE deployments SET deployment = '{\"module\": \"nonsense\"}'",
            "column deployment",
            "Invalid string length",
        ),
        ("UPDATE deployments SET deployment = ''", "column deployment", "EOF"),
        ("UPDATE deployments SET strategy_id = 'Not An Id'", "column strategy_id", "Not An Id"),
    ];
    for (broken, column, told) in cases {
        let directory = TempDir::new().unwrap();
        let log = SqliteDeployments::new(Database::open(directory.path()).await.unwrap());
        log.add(&change("rsi", 1), 0, None).await.unwrap();
        run(directory.path(), broken).await;
        let error = log.since(0).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(column) && text.contains(told), "{text}");
    }
    let directory = TempDir::new().unwrap();
    let database = Database::open(directory.path()).await.unwrap();
    run(directory.path(), "DELETE FROM deployment_head").await;
    let done = [outbox::contract::finished("BTCUSDT", 1, &[])];
    let error = SqliteOutbox::new(database).commit(&done, Timestamp::from_millis(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }) && error.to_string().contains("backup"), "{error:?}");
}

#[tokio::test]
async fn numbers_are_kept_to_the_last_bit() {
    let directory = TempDir::new().unwrap();
    let store = SqliteCandles::new(Database::open(directory.path()).await.unwrap());
    let numbers = [0.1 + 0.2, f64::MIN_POSITIVE, 5e-324, 1.0 / 3.0, 1e300, f64::MAX, 9_007_199_254_740_993.0, 42.0];
    let odd = |(index, n): (i64, f64)| Candle { open: n, high: n, low: n, close: n, volume: n, ..candle(index) };
    let given: Vec<_> = (0..).zip(numbers).map(odd).collect();
    store.insert(&btc(), Timeframe::M15, &given).await.unwrap();
    let found = store.newest_closed(&btc(), Timeframe::M15, Timestamp::now(), 99).await.unwrap();
    assert_eq!(found.iter().map(|row| row.candle.open.to_bits()).collect::<Vec<_>>(), numbers.map(f64::to_bits));
    assert_eq!(found.into_iter().map(|row| row.candle).collect::<Vec<_>>(), given);
}

#[tokio::test]
async fn a_commit_that_fails_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let store = SqliteOutbox::new(Database::open(directory.path()).await.unwrap());
    let good = outbox::contract::finished("BTCUSDT", 1, &["rsi"]);
    let mut bad = outbox::contract::finished("BTCUSDT", 2, &["rsi"]);
    bad.signals[0].confidence = f64::NAN;
    let at = Timestamp::from_millis(1000);
    let error = store.commit(&[good.clone(), bad], at).await.unwrap_err();
    assert!(matches!(error, StoreError::CannotWrite { .. }) && error.to_string().contains("confidence"), "{error}");
    assert_eq!(store.unpublished(10).await.unwrap(), []);
    let asked = (good.job.symbol.clone(), good.job.candle_close);
    assert_eq!(store.finished(Timeframe::M15, &[asked]).await.unwrap(), []);
    assert_eq!(store.commit(&[good], at).await.unwrap().new.len(), 1);
}

#[tokio::test]
async fn an_older_file_is_brought_up_to_this_version() {
    let directory = TempDir::new().unwrap();
    let mut connection = options(&directory.path().join(FILE_NAME)).connect().await.unwrap();
    sqlx::raw_sql(include_str!("../../../migrations/sqlite/0001_initial.sql")).execute(&mut connection).await.unwrap();
    let row = "INSERT INTO dead_jobs VALUES ('15m', 900000, 'BTCUSDT', 5, 'x', 1000000)";
    sqlx::query(row).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    for _ in 0..2 {
        let outbox = SqliteOutbox::new(Database::open(directory.path()).await.unwrap());
        let dead = outbox.dead(10).await.unwrap();
        assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].retried_at), (1, "x", None));
    }
}
