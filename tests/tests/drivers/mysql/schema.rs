//! Migrations: of an empty database, of what other services made, repeated, and by many at once.

use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_drivers::mysql::{candles::MysqlCandles, deployments::MysqlDeployments, outbox::MysqlOutbox};
use ta_bot_engine::{
    deployments::log::{DeploymentStore as _, contract::change},
    market::candle_store::{CandleStore as _, Inserted},
    signals::outbox::{Outbox as _, SignalFilter, contract},
    support::store_error::StoreError,
};

use super::{candle, new_database, numbers, open, opened, server, symbol};

/// The table as the older service had it, with a key of its own, and with rows.
const OLD_SIGNALS: &str = "CREATE TABLE signals (id INT AUTO_INCREMENT PRIMARY KEY, symbol VARCHAR(20) NOT NULL,
    timeframe VARCHAR(10) NOT NULL, period VARCHAR(10), signal_type VARCHAR(20) NOT NULL, confidence DECIMAL(5,4),
    strategy VARCHAR(50), metadata JSON, timestamp DATETIME, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)
    DEFAULT CHARSET = latin1";
const OLD_ROW: &str = "INSERT INTO signals (symbol, timeframe, period, signal_type, confidence, strategy, metadata,
    timestamp) VALUES ('BTCUSDT', '15m', '15m', 'buy', 0.7, 'rsi', '{}', NOW())";

/// Every column and index of a database.
async fn shape(name: &str) -> String {
    let sql = format!(
        "SELECT table_name, column_name, column_type, is_nullable, extra FROM information_schema.columns
         WHERE table_schema = '{name}' ORDER BY 1, 2;
         SELECT table_name, index_name, seq_in_index, column_name FROM information_schema.statistics
         WHERE table_schema = '{name}' ORDER BY 1, 2, 3"
    );
    server().await.sql(&sql).await.unwrap()
}

async fn sql(name: &str, statements: &str) -> String {
    server().await.sql(&format!("USE {name}; {statements}")).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_is_made_once_by_many() {
    let (uri, name) = new_database().await;
    let three = [open(&uri), open(&uri), open(&uri)];
    for database in &three {
        database.ready().await.unwrap();
        database.ping().await.unwrap();
    }
    let made = shape(&name).await;
    assert_eq!(sql(&name, "SHOW TABLES LIKE 'klines%'").await.lines().count(), Timeframe::ALL.len());
    assert_eq!(sql(&name, "SELECT version FROM ta_bot_schema").await, "1\n2\n3\n4\n5\n6\n7\n");
    open(&uri).ping().await.unwrap();
    assert_eq!(shape(&name).await, made, "a second start changes nothing");
    // The state after a crash between the last change and its record.
    sql(
        &name,
        "DELETE FROM ta_bot_schema; DROP TABLE klines_m3, ta_bot_deployment_head; ALTER TABLE signals DROP COLUMN \
                provenance",
    )
    .await;
    open(&uri).ping().await.unwrap();
    assert_eq!(shape(&name).await, made);
}

/// A table of the extractor stays as it is, with columns that we do not know, in another order and another character
/// set.
#[tokio::test]
async fn candle_tables_of_the_extractor_are_used_as_they_are() {
    let (uri, name) = new_database().await;
    let table = "CREATE TABLE klines_m15 (source VARCHAR(50) NOT NULL, close_price DECIMAL(20,8) NOT NULL,
        remark VARCHAR(9) NOT NULL DEFAULT 'none', volume DECIMAL(20,8) NOT NULL, `interval` VARCHAR(10) NOT NULL,
        low_price DECIMAL(20,8) NOT NULL, high_price DECIMAL(20,8) NOT NULL, open_price DECIMAL(20,8) NOT NULL,
        close_time DATETIME NOT NULL, open_time DATETIME NOT NULL, timestamp DATETIME NOT NULL,
        symbol VARCHAR(20) NOT NULL, id VARCHAR(64) NOT NULL PRIMARY KEY, extracted_at DATETIME NOT NULL,
        number_of_trades INT NOT NULL, price_change_percent DECIMAL(10,4), INDEX theirs (symbol, timestamp))
        DEFAULT CHARSET = latin1";
    sql(&name, table).await;
    let before = sql(&name, "SHOW CREATE TABLE klines_m15").await;
    let store = MysqlCandles::new(open(&uri));
    let btc = symbol("BTCUSDT");
    let inserted = store.insert(&btc, Timeframe::M15, &[candle(0), candle(1)]).await.unwrap();
    assert_eq!(inserted, Inserted { new: 2, same: 0, different: 0 });
    let written = sql(
        &name,
        "SELECT id, `interval`, open_time, close_time, open_price, price_change_percent, source,
        remark FROM klines_m15 ORDER BY timestamp LIMIT 1",
    )
    .await;
    let expected =
        "BTCUSDT_1767225600000\t15m\t2026-01-01 00:00:00\t2026-01-01 00:15:00\t10.00000000\t10.0000\tta-bot\tnone\n";
    assert_eq!(written, expected);
    let theirs = "INSERT INTO klines_m15 VALUES ('them', 11, '', 5, '15m', 9, 12, 10, '2026-01-01 00:45:00',
        '2026-01-01 00:30:00', '2026-01-01 00:30:00', 'BTCUSDT', 'BTCUSDT_1767227400000', NOW(), 3, NULL)";
    sql(&name, theirs).await;
    let all = [candle(0), candle(1), candle(2)];
    let read = store.newest_closed(&btc, Timeframe::M15, opened(9), 9).await.unwrap();
    assert_eq!(numbers(&read), all);
    assert!(read.iter().all(|row| row.check(Timeframe::M15).is_ok()), "{read:?}");
    let wanted = [(btc.clone(), Some(opened(2)))];
    assert_eq!(store.newest_closed_of(Timeframe::M15, &wanted, opened(9), 9).await.unwrap(), [read[2..].to_vec()]);
    let again = store.insert(&btc, Timeframe::M15, &all).await.unwrap();
    assert_eq!(again, Inserted { new: 0, same: 3, different: 0 });
    assert_eq!(sql(&name, "SHOW CREATE TABLE klines_m15").await, before);
}

/// The older table gets our columns and keeps its rows, and its service may go on writing. We send none of its rows.
#[tokio::test]
async fn an_older_table_of_signals_is_completed() {
    let no_number = OLD_SIGNALS.replace("id INT AUTO_INCREMENT PRIMARY KEY", "id VARCHAR(36) NULL");
    for table in [OLD_SIGNALS, &no_number] {
        let (uri, name) = new_database().await;
        sql(&name, &format!("{table}; {OLD_ROW}; {OLD_ROW}")).await;
        let (first, second) = (MysqlOutbox::new(open(&uri)), MysqlOutbox::new(open(&uri)));
        assert_eq!(first.unpublished(10).await.unwrap(), []);
        let done = contract::finished("BTCUSDT", 1, &["rsi", "macd"]);
        let at = Timestamp::from_millis(1000);
        let ids = first.commit(std::slice::from_ref(&done), at).await.unwrap().new;
        sql(&name, OLD_ROW).await;
        let waiting = second.unpublished(10).await.unwrap();
        assert_eq!(
            waiting.iter().map(|signal| signal.id.as_str()).collect::<Vec<_>>(),
            [ids[0].as_str(), ids[1].as_str()]
        );
        assert_eq!(waiting[0].message, done.signals[0].message.to_string());
        second.mark_published(&[waiting[0].id.clone()], at).await.unwrap();
        assert_eq!(first.backlog().await.unwrap().signals, 1);
        assert_eq!(first.signals(&SignalFilter { limit: 10, ..SignalFilter::default() }).await.unwrap().len(), 2);
        let rows = "SELECT COUNT(*), SUM(signal_id IS NULL), SUM(period = '15m'), SUM(confidence = 0.75) FROM signals";
        assert_eq!(sql(&name, rows).await, "5\t3\t5\t2\n");
        let before = shape(&name).await;
        MysqlOutbox::new(open(&uri)).ping().await.unwrap();
        assert_eq!(shape(&name).await, before);
    }
}

#[tokio::test]
async fn a_newer_schema_that_needs_a_newer_version_is_left_alone() {
    for version in [14, 15] {
        let (uri, name) = new_database().await;
        let made = "CREATE TABLE ta_bot_schema (version INT PRIMARY KEY); INSERT INTO ta_bot_schema VALUES";
        sql(&name, &format!("{made} (1), ({version})")).await;
        let error = MysqlOutbox::new(open(&uri)).ping().await.unwrap_err();
        let told = format!("version {version}, which is newer than this version of TA Bot");
        assert!(matches!(&error, StoreError::Corrupt { reason, .. } if reason.contains(&told)), "{error}");
        assert_eq!(sql(&name, "SHOW TABLES").await, "ta_bot_schema\n");
    }
}

/// Replicas of two versions run side by side during an upgrade, and the older one runs again after a way back.
#[tokio::test]
async fn a_newer_schema_that_allows_it_is_worked_with_and_left_as_it_is() {
    let (uri, name) = new_database().await;
    open(&uri).ping().await.unwrap();
    // What a newer version does: it adds, and says who can work with the tables after that.
    let newer = "ALTER TABLE signals ADD COLUMN ours VARCHAR(9) NULL; CREATE TABLE ta_bot_new (id INT PRIMARY KEY);
                 INSERT INTO ta_bot_schema_changes (version, oldest) VALUES (14, 13), (15, 7)";
    sql(&name, newer).await;
    let made = shape(&name).await;
    let outbox = MysqlOutbox::new(open(&uri));
    let done = contract::finished("BTCUSDT", 1, &["rsi"]);
    let committed = outbox.commit(std::slice::from_ref(&done), Timestamp::now()).await.unwrap();
    assert_eq!(outbox.unpublished(9).await.unwrap()[0].id, committed.new[0].as_str());
    assert_eq!(shape(&name).await, made);
    // A replica that is running does not stop when a change comes that it can't work with; a start is refused.
    sql(&name, "INSERT INTO ta_bot_schema_changes (version, oldest) VALUES (16, 16)").await;
    outbox.ping().await.unwrap();
    let error = MysqlOutbox::new(open(&uri)).ping().await.unwrap_err().to_string();
    assert!(error.contains("version 16") && error.contains("knows version 16: run the version"), "{error}");
}

/// Versions up to 7 read `ta_bot_schema` alone, and refuse a newer row there.
#[tokio::test]
async fn the_version_before_goes_on_with_this_schema() {
    let (uri, name) = new_database().await;
    open(&uri).ping().await.unwrap();
    assert_eq!(sql(&name, "SELECT MAX(version) FROM ta_bot_schema").await, "7\n");
    assert_eq!(
        sql(&name, "SELECT version, oldest FROM ta_bot_schema_changes").await,
        "8\t7\n9\t7\n10\t7\n11\t7\n12\t7\n13\t7\n"
    );
}

/// A database of version 1 is migrated, with what it holds, by replicas that start at once, even if one was
/// interrupted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_version_is_brought_up_with_what_it_holds() {
    let interrupted = [
        "DROP TABLE ta_bot_deployments, ta_bot_deployment_head",
        "DROP TABLE ta_bot_deployment_head",
        "DELETE FROM ta_bot_deployment_head",
        "DROP TABLE ta_bot_failures",
        "DROP TABLE ta_bot_shadow_comparisons, ta_bot_shadow_counts",
        "DROP TABLE ta_bot_shadow_counts",
        "DROP TABLE ta_bot_costs",
        "DROP TABLE ta_bot_revisions",
        "DROP TABLE ta_bot_candle_repairs",
        "DROP TABLE ta_bot_redecisions",
        "DROP TABLE ta_bot_signal_readers",
        "DROP TABLE ta_bot_retention",
        "ALTER TABLE begun_series DROP COLUMN decided_to",
        "ALTER TABLE signals DROP INDEX ta_bot_committed",
        "DROP TABLE ta_bot_schema_changes",
        "DELETE FROM ta_bot_schema_changes",
        "DO 1",
    ];
    for left in interrupted {
        let (uri, name) = new_database().await;
        let outbox = MysqlOutbox::new(open(&uri));
        let done = contract::finished("BTCUSDT", 1, &["rsi"]);
        outbox.commit(std::slice::from_ref(&done), Timestamp::from_millis(1)).await.unwrap();
        let made = shape(&name).await;
        sql(&name, &format!("DELETE FROM ta_bot_schema WHERE version > 1; {left}")).await;
        let replicas = [open(&uri), open(&uri)];
        for database in &replicas {
            database.ready().await.unwrap();
        }
        assert_eq!(shape(&name).await, made, "{left}");
        assert_eq!(sql(&name, "SELECT version FROM ta_bot_schema").await, "1\n2\n3\n4\n5\n6\n7\n");
        assert_eq!(sql(&name, "SELECT * FROM ta_bot_deployment_head").await, "1\t0\n");
        let (outbox, log) = (MysqlOutbox::new(replicas[0].clone()), MysqlDeployments::new(replicas[1].clone()));
        assert_eq!(outbox.unpublished(9).await.unwrap()[0].id, done.signals[0].id.as_str());
        let entry = log.add(&change("rsi", 1), 0, None).await.unwrap();
        assert_eq!((entry.revision, entry.from), (1, done.job.candle_close.plus_millis(1)));
    }
}

/// Only a start that changes the schema needs the right to do so.
#[tokio::test]
async fn the_right_to_change_tables_is_needed_once() {
    let (uri, name) = new_database().await;
    let grant = format!(
        "CREATE USER 'limited_{name}'@'%' IDENTIFIED BY 'p@ss/w:rd'; GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO
         'limited_{name}'@'%'"
    );
    server().await.sql(&grant).await.unwrap();
    let limited = uri.replace("mysql://root@", &format!("mysql+pymysql://limited_{name}:p%40ss%2Fw%3Ard@"));
    let error = MysqlOutbox::new(open(&limited)).ping().await.unwrap_err();
    assert!(matches!(&error, StoreError::CannotWrite { reason, .. } if reason.contains("CREATE")), "{error}");
    assert!(!error.to_string().contains("p@ss"), "{error}");
    open(&uri).ping().await.unwrap();
    let outbox = MysqlOutbox::new(open(&limited));
    let committed = outbox.commit(&[contract::finished("BTCUSDT", 1, &["rsi"])], Timestamp::now()).await.unwrap();
    assert_eq!(outbox.unpublished(9).await.unwrap()[0].id, committed.new[0].as_str());
}
