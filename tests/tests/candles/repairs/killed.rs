//! A repair of 100,000 candles that is killed in the middle changes nothing; one that is left alone changes all.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, sqlite::SqliteConnectOptions};
use ta_bot_core::{Candle, Timeframe};
use ta_bot_drivers::{
    mysql::{Mysql, candles::MysqlCandles},
    sqlite::{Database, FILE_NAME, candles::SqliteCandles},
};
use ta_bot_engine::market::candle_store::CandleStore;
use ta_bot_test_servers::MariaDb;
use ta_bot_tests::{binary, two_strategies_dir, until};
use tempfile::TempDir;

use super::{START, symbol};

const M1: Timeframe = Timeframe::M1;
const CANDLES: i64 = 100_000;
/// Long enough for a machine that builds at the same time.
const PATIENCE: Duration = Duration::from_mins(5);

fn candle(index: i64, close: f64) -> Candle {
    let open_time = START.plus_millis(index * M1.millis());
    Candle { open_time, open: 100.0, high: 102.0, low: 99.0, close, volume: 5.0 }
}

fn candles(close: f64) -> Vec<Candle> {
    (0..CANDLES).map(|index| candle(index, close)).collect()
}

/// A folder with a file of candles that all close at 101.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let line = |candle: &Candle| format!("{},100,102,99,{},5\n", candle.open_time.millis(), candle.close);
    let lines: String = candles(101.0).iter().map(line).collect();
    fs::write(folder.path().join("new.csv"), format!("open_time_ms,open,high,low,close,volume\n{lines}")).unwrap();
    folder
}

/// Starts a command that changes every candle.
fn start(folder: &Path, replaces: bool, mysql: Option<&str>) -> Child {
    let file = folder.join("new.csv");
    let mut command = Command::new(binary::ta_bot());
    command.env_clear().env("DATA_DIR", folder.join("data")).env("STRATEGIES_DIR", two_strategies_dir());
    if let Some(uri) = mysql {
        command.env("MYSQL_URI", uri);
    }
    command.args(["candles", if replaces { "replace" } else { "delete" }]);
    if replaces {
        command.arg(file);
    } else {
        command.args(["--since", "2026-01-01", "--until", "2027-01-01"]);
    }
    command.args(["--symbol", "BTCUSDT", "--timeframe", "1m", "--yes", "--in-foreign-tables", "--json"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until a process is in the middle of its change, and kills it. Returns false if it was done before that.
async fn kill(mut child: Child, is_amid: impl AsyncFn() -> bool) -> bool {
    let told = async || "the change has not begun".to_owned();
    until(PATIENCE, told, async || is_amid().await || child.try_wait().unwrap().is_some()).await;
    let is_done = child.try_wait().unwrap().is_some();
    child.kill().ok();
    child.wait().unwrap();
    !is_done
}

/// Leaves a change alone until it is done.
fn finish(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What the counts of candles by their close, and of repairs, are after a process was killed: nothing has changed, or,
/// if it was done in the end, everything.
fn check((old, new, repairs): (i64, i64, i64), was_killed: bool, replaces: bool) {
    let all = if replaces { (0, CANDLES, 1) } else { (0, 0, 1) };
    let found = (old, new, repairs);
    assert!(found == (CANDLES, 0, 0) || found == all, "half done: {found:?}");
    assert!(was_killed || found == all, "it ended by itself, and has done nothing: {found:?}");
}

async fn counts_on_sqlite(folder: &Path) -> (i64, i64, i64) {
    let file = SqliteConnectOptions::new().filename(folder.join("data").join(FILE_NAME));
    let mut connection = file.connect().await.unwrap();
    let sql =
        "SELECT (SELECT count(*) FROM candles WHERE close = 100), (SELECT count(*) FROM candles WHERE close = 101),
                      (SELECT count(*) FROM candle_repairs)";
    sqlx::query_as(sql).fetch_one(&mut connection).await.unwrap()
}

async fn killed_on_sqlite(replaces: bool) {
    let mut kills = 0;
    // The log grows while the transaction is under way, and is small before.
    for bytes in [1_u64 << 16, 1 << 20, 3 << 20] {
        let folder = folder();
        let data = folder.path().join("data");
        let store = SqliteCandles::new(Database::open(&data).await.unwrap());
        store.insert(&symbol(), M1, &candles(100.0)).await.unwrap();
        drop(store);
        let log = data.join(format!("{FILE_NAME}-wal"));
        let size = || fs::metadata(&log).map_or(0, |file| file.len());
        let mut connection = SqliteConnectOptions::new().filename(data.join(FILE_NAME)).connect().await.unwrap();
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.unwrap();
        drop(connection);
        let child = start(folder.path(), replaces, None);
        let was_killed = kill(child, async || size() > bytes).await;
        kills += u32::from(was_killed);
        check(counts_on_sqlite(folder.path()).await, was_killed, replaces);
        finish(start(folder.path(), replaces, None));
        let (old, new, _) = counts_on_sqlite(folder.path()).await;
        assert_eq!((old, new), (0, if replaces { CANDLES } else { 0 }));
    }
    // A deletion frees pages and writes few of them, so it may be over before the log has grown.
    assert!(kills > 0 || !replaces, "every change was done before it could be killed");
}

async fn counts_on_mysql(maria: &MariaDb) -> (i64, i64, i64) {
    let sql = "SELECT (SELECT COUNT(*) FROM market.klines_m1 WHERE close_price = 100),
                      (SELECT COUNT(*) FROM market.klines_m1 WHERE close_price = 101),
                      (SELECT COUNT(*) FROM market.ta_bot_candle_repairs)";
    let text = maria.sql(sql).await.unwrap();
    let numbers: Vec<i64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2])
}

/// Kills a change that waits for a candle that somebody else holds, after it has changed those before.
async fn killed_on_mysql(replaces: bool) {
    let folder = folder();
    let maria = MariaDb::start().await.unwrap();
    let uri = maria.create_database("market").await.unwrap();
    let store = MysqlCandles::new(Mysql::open(&uri.parse().unwrap()));
    store.insert(&symbol(), M1, &candles(100.0)).await.unwrap();
    maria.sql("CREATE TABLE market.before_it AS SELECT * FROM market.klines_m1").await.unwrap();
    let start = || start(folder.path(), replaces, Some(&uri));
    for held in [0, 20_000, 70_000] {
        let mut holder = MySqlConnection::connect(&uri).await.unwrap();
        let hold =
            "SELECT close_price FROM klines_m1 WHERE symbol = 'BTCUSDT' AND timestamp = FROM_UNIXTIME(?) FOR UPDATE";
        let mut holding = holder.begin().await.unwrap();
        let opened = candle(held, 0.0).open_time.millis() / 1000;
        let rows = sqlx::query(hold).bind(opened).fetch_all(&mut *holding).await.unwrap();
        assert_eq!(rows.len(), 1);
        let child = start();
        let transactions = async |which: &str| {
            // The server tells the same again unless nobody has asked it for a tenth of a second.
            tokio::time::sleep(Duration::from_millis(150)).await;
            let sql = format!("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE {which}");
            maria.sql(&sql).await.unwrap().trim().parse::<i64>().unwrap()
        };
        let was_killed = kill(child, async || transactions("trx_state = 'LOCK WAIT'").await > 0).await;
        assert!(was_killed, "it ended, although it had to wait");
        holding.rollback().await.unwrap();
        holder.close().await.unwrap();
        // The server takes the change back when it finds the connection gone.
        until(PATIENCE, async || "the transaction does not end".to_owned(), async || transactions("TRUE").await == 0)
            .await;
        assert_eq!(counts_on_mysql(&maria).await, (CANDLES, 0, 0), "half done");
        finish(start());
        let (old, new, _) = counts_on_mysql(&maria).await;
        assert_eq!((old, new), (0, if replaces { CANDLES } else { 0 }));
        let sql = "TRUNCATE market.klines_m1; INSERT INTO market.klines_m1 SELECT * FROM market.before_it;
                   DELETE FROM market.ta_bot_candle_repairs";
        maria.sql(sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_on_sqlite() {
    killed_on_sqlite(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_on_sqlite() {
    killed_on_sqlite(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_on_mysql() {
    killed_on_mysql(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_on_mysql() {
    killed_on_mysql(false).await;
}
