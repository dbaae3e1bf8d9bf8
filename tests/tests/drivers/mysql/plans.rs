//! How the server finds the rows: with millions of candles a wrong plan takes minutes instead of milliseconds. The
//! statements are those that the driver sent, taken from the server's own log.

use std::collections::BTreeSet;

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_drivers::mysql::{
    candles::MysqlCandles, deployments::MysqlDeployments, outbox::MysqlOutbox, shadows::MysqlShadows,
};
use ta_bot_engine::{
    deployments::{
        log::{DeploymentStore as _, contract::change},
        shadow_store::ShadowStore as _,
    },
    market::candle_store::CandleStore as _,
    signals::outbox::{FinishedJob, Outbox as _, contract},
};
use ta_bot_test_servers::MariaDb;

use super::{open, opened, symbol};

const SYMBOLS: i64 = 300;
const CANDLES: i64 = 300;

/// A server of its own, because its log is read, with 300 series of 300 candles.
async fn filled() -> (MariaDb, String) {
    let server = MariaDb::start().await.unwrap();
    let uri = server.create_database("plans").await.unwrap();
    open(&uri).ping().await.unwrap();
    let fill = format!(
        "USE plans; SET time_zone = '+00:00'; INSERT INTO klines_m15
         SELECT CONCAT('COIN', s.seq, '_', c.seq), CONCAT('COIN', s.seq),
             FROM_UNIXTIME({start} + c.seq * 900), NOW(), NOW(), '15m', 1, 1, 1, 1, 1, 0, 0, 0, 0, NULL, NULL, NOW(), '1', 't'
         FROM seq_0_to_{symbols} s JOIN seq_0_to_{candles} c;
         INSERT INTO finished_jobs SELECT '15m', {start_ms} + c.seq * 900000, CONCAT('COIN', s.seq), 0
         FROM seq_0_to_{symbols} s JOIN seq_0_to_{candles} c;
         ANALYZE TABLE klines_m15, finished_jobs",
        start = super::START / 1000,
        start_ms = super::START,
        symbols = SYMBOLS - 1,
        candles = CANDLES - 1,
    );
    server.sql(&fill).await.unwrap();
    (server, uri)
}

/// The server's plans for the statements with `part` that came since the log was emptied. A plan has a line for each
/// step: the table, the way to it, the key, and notes.
async fn plans(server: &MariaDb, part: &str) -> Vec<String> {
    let log = format!(
        "SELECT DISTINCT REPLACE(CONVERT(argument USING utf8mb4), '\\n', ' ') FROM mysql.general_log
         WHERE command_type IN ('Execute', 'Query') AND argument LIKE '%{part}%'
               AND argument NOT LIKE '%general_log%' AND argument NOT LIKE 'EXPLAIN%'"
    );
    let logged = server.sql(&log).await.unwrap().replace("\\n", " ");
    // One message may have several statements.
    let statements: BTreeSet<&str> =
        logged.split(['\n', ';']).map(str::trim).filter(|statement| statement.contains(part)).collect();
    let mut plans = Vec::new();
    for statement in statements {
        let plan = server.sql(&format!("USE plans; EXPLAIN {statement}")).await.unwrap();
        plans.extend(plan.lines().map(str::to_owned));
    }
    assert!(!plans.is_empty(), "no statement with {part} was logged");
    plans
}

fn symbols() -> Vec<Symbol> {
    (0..SYMBOLS).map(|index| symbol(&format!("COIN{index}"))).collect()
}

async fn log_anew(server: &MariaDb) {
    let sql = "SET GLOBAL general_log = OFF; TRUNCATE mysql.general_log; SET GLOBAL log_output = 'TABLE';
               SET GLOBAL general_log = ON";
    server.sql(sql).await.unwrap();
}

#[tokio::test]
async fn candles_are_found_by_their_index() {
    let (server, uri) = filled().await;
    let store = MysqlCandles::new(open(&uri));
    let all = symbols();
    let key = "idx_klines_m15_symbol_timestamp";
    let now = opened(CANDLES);

    log_anew(&server).await;
    let window = store.newest_closed(&all[7], Timeframe::M15, now, 250).await.unwrap();
    assert_eq!(window.len(), 250);
    for plan in plans(&server, "klines_m15").await {
        assert!(plan.contains("range") && plan.contains(key) && !plan.contains("filesort"), "{plan}");
    }

    log_anew(&server).await;
    assert_eq!(store.newest_closes(Timeframe::M15, &all, now).await.unwrap().len(), all.len());
    let steps = plans(&server, "klines_m15").await;
    let of_the_table: Vec<_> = steps.iter().filter(|step| step.contains("of_one")).collect();
    assert_eq!(of_the_table.len(), 1, "{steps:?}");
    assert!(of_the_table[0].contains(key) && of_the_table[0].contains("Using index"), "{steps:?}");

    for spread in [0, 1] {
        log_anew(&server).await;
        // Once with the same moment for all symbols, and once with different ones.
        let after: Vec<_> =
            all.iter().zip(0..).map(|(s, i)| (s.clone(), opened(CANDLES - 2 - spread * (i % 9)))).collect();
        let closed = store.closed_between(Timeframe::M15, &after, now).await.unwrap();
        let expected: i64 = (0..SYMBOLS).map(|i| 2 + spread * (i % 9)).sum();
        assert_eq!(closed.len() as i64, expected);
        let wanted: Vec<_> = after.into_iter().map(|(symbol, after)| (symbol, Some(after))).collect();
        let read = store.newest_closed_of(Timeframe::M15, &wanted, now, 250).await.unwrap();
        assert_eq!(read.iter().map(Vec::len).sum::<usize>() as i64, expected);
        let plans = plans(&server, "klines_m15").await;
        assert_eq!(plans.len(), 2, "one query for all of them each: {plans:?}");
        for plan in plans {
            assert!(plan.contains("range") && plan.contains(key), "{plan}");
        }
    }

    // What the cache compares in one step: long stretches of some symbols.
    log_anew(&server).await;
    let kept: Vec<_> = all[..30].iter().map(|symbol| (symbol.clone(), Some(opened(CANDLES - 249)))).collect();
    let read = store.newest_closed_of(Timeframe::M15, &kept, now, 250).await.unwrap();
    assert!(read.iter().all(|rows| rows.len() == 249));
    for plan in plans(&server, "klines_m15").await {
        assert!(plan.contains("range") && plan.contains(key), "{plan}");
    }

    log_anew(&server).await;
    let wanted: Vec<_> = all[..20].iter().map(|symbol| (symbol.clone(), None)).collect();
    let read = store.newest_closed_of(Timeframe::M15, &wanted, now, 50).await.unwrap();
    assert!(read.iter().all(|candles| candles.len() == 50));
    let parts: Vec<String> =
        plans(&server, "klines_m15").await.into_iter().filter(|plan| plan.contains("klines")).collect();
    assert_eq!(parts.len(), 20);
    for plan in parts {
        assert!(plan.contains("range") && plan.contains(key) && !plan.contains("filesort"), "{plan}");
    }
}

#[tokio::test]
async fn signals_and_jobs_are_found_by_their_indexes() {
    let (server, uri) = filled().await;
    let outbox = MysqlOutbox::new(open(&uri));
    let jobs: Vec<_> = (0..300).map(|index| contract::finished("BTCUSDT", index, &["rsi", "macd"])).collect();
    let ids = outbox.commit(&jobs, Timestamp::from_millis(1000)).await.unwrap().new;
    let sent: Vec<String> = ids[..590].iter().map(ToString::to_string).collect();
    outbox.mark_published(&sent, Timestamp::now()).await.unwrap();
    server.sql("ANALYZE TABLE plans.signals").await.unwrap();

    log_anew(&server).await;
    assert_eq!(outbox.unpublished(256).await.unwrap().len(), 10);
    assert_eq!(outbox.backlog().await.unwrap().signals, 10);
    for plan in plans(&server, "`waiting` = 1").await {
        assert!(plan.contains("ref") && plan.contains("ta_bot_waiting") && !plan.contains("filesort"), "{plan}");
    }

    log_anew(&server).await;
    let close = |index| Timeframe::M15.close_of(opened(index));
    let at_once: Vec<_> = (0..SYMBOLS).map(|index| (symbol(&format!("COIN{index}")), close(CANDLES - 2))).collect();
    assert_eq!(outbox.finished(Timeframe::M15, &at_once).await.unwrap().len() as i64, SYMBOLS);
    let one: Vec<_> = (0..CANDLES).map(|index| (symbol("COIN7"), close(index))).collect();
    assert_eq!(outbox.finished(Timeframe::M15, &one).await.unwrap().len() as i64, CANDLES - 1);
    let parts = plans(&server, "finished_jobs").await;
    let parts: Vec<&String> = parts.iter().filter(|plan| plan.contains("finished_jobs")).collect();
    assert_eq!(parts.len(), 2, "one query for each");
    for plan in parts {
        assert!(plan.contains("range") && plan.contains("PRIMARY"), "{plan}");
    }
}

/// A new entry looks at the end of each timeframe's part of the jobs. A commit of jobs that were decided by older logs
/// looks at one entry.
#[tokio::test]
async fn deployments_and_jobs_are_compared_by_their_indexes() {
    let (server, uri) = filled().await;
    let database = open(&uri);
    let (log, outbox) = (MysqlDeployments::new(database.clone()), MysqlOutbox::new(database));
    let entries = "USE plans; INSERT INTO ta_bot_deployments
        SELECT seq, CONCAT('s', seq % 30), 'activate', '{}', 0, 'ann', NULL, 0, NULL FROM seq_1_to_3000;
        UPDATE ta_bot_deployment_head SET revision = 3000; ANALYZE TABLE ta_bot_deployments";
    server.sql(entries).await.unwrap();

    log_anew(&server).await;
    let before = rows_read(&server).await;
    let entry = log.add(&change("s7", 1), 2977, None).await.unwrap();
    // The server does not show the whole plan of an update. Showing the status reads some rows of its own.
    let read = rows_read(&server).await - before;
    assert!(read < 2000, "{read} rows");
    let newest = super::START + (CANDLES - 1) * Timeframe::M15.millis();
    assert_eq!((entry.revision, entry.from), (3001, Timestamp::from_millis(newest + 1)));
    // Each of the greatest values is found before the statement runs, except for that of an empty part.
    let steps = plans(&server, "each_timeframe").await;
    let of_table = |table: &str| steps.iter().any(|step| step.starts_with(&format!("1\tPRIMARY\t{table}\t")));
    assert!(of_table("head") && of_table("ta_bot_deployments"), "once before the lock, once after it: {steps:#?}");
    for plan in steps {
        let is_found = ["optimized away", "No matching min/max row", "no matching row in const table"]
            .iter()
            .any(|words| plan.contains(words));
        let is_put_together = plan.contains("<derived") || plan.contains("<union") || plan.contains("No tables used");
        let is_one_row = plan.contains("PRIMARY\tPRIMARY") && ["const", "range"].iter().any(|way| plan.contains(way));
        assert!(is_found || is_put_together || is_one_row, "{plan}");
    }
    assert_eq!(log.since(2999).await.unwrap().len(), 2);
    for plan in plans(&server, "changed_at` FROM `ta_bot_deployments` WHERE").await {
        assert!(plan.contains("range") && plan.contains("PRIMARY") && !plan.contains("filesort"), "{plan}");
    }

    log_anew(&server).await;
    let late = FinishedJob { revision: 3, ..contract::finished("BTCUSDT", 9999, &[]) };
    assert_eq!(outbox.commit(&[late], Timestamp::from_millis(1)).await.unwrap().outdated.len(), 1);
    for plan in plans(&server, "MIN(IF(JSON_CONTAINS_PATH(`deployment`").await {
        assert!(plan.contains("range") && plan.contains("PRIMARY") && !plan.contains("filesort"), "{plan}");
    }
    for plan in plans(&server, "LOCK IN SHARE MODE").await {
        assert!(plan.contains("ta_bot_deployment_head") && plan.contains("const"), "{plan}");
    }
}

/// How many rows the server has read so far, in any way.
async fn rows_read(server: &MariaDb) -> u64 {
    let status = server.sql("SHOW GLOBAL STATUS LIKE 'Handler_read%'").await.unwrap();
    let counts: Vec<u64> = status.lines().filter_map(|line| line.split('\t').nth(1)?.parse().ok()).collect();
    assert!(counts.len() > 5, "{status}");
    counts.iter().sum()
}

/// An earlier statement on the connection must not matter: such a statement once changed the server's plans for a
/// shorter one.
#[tokio::test]
async fn no_more_rows_are_read_after_a_window() {
    let (server, uri) = filled().await;
    let store = MysqlCandles::new(open(&uri));
    let all = symbols();
    let now = opened(CANDLES);
    for _ in 0..3 {
        assert_eq!(store.newest_closed(&all[7], Timeframe::M15, now, 250).await.unwrap().len(), 250);
        let before = rows_read(&server).await;
        assert_eq!(store.newest_closes(Timeframe::M15, &all, now).await.unwrap().len(), all.len());
        let read = rows_read(&server).await - before;
        // One row of the table for each symbol, and one of each step after it; showing the status reads some of its
        // own.
        assert!(read < 6 * SYMBOLS as u64 + 5000, "{read} rows");
    }
}

/// The extractor's tables may have the server's default character set, whatever that was.
#[tokio::test]
async fn no_more_rows_are_read_in_another_character_set() {
    let (server, uri) = filled().await;
    let store = MysqlCandles::new(open(&uri));
    let now = opened(CANDLES);
    let after: Vec<_> = (0..SYMBOLS).map(|index| (symbol(&format!("COIN{index}")), opened(CANDLES - 2))).collect();
    let wanted: Vec<_> = after.iter().map(|(symbol, after)| (symbol.clone(), Some(*after))).collect();
    for charset in
        ["latin1", "utf8mb3", "utf8mb4", "utf8mb4 COLLATE utf8mb4_bin", "utf8mb4 COLLATE utf8mb4_unicode_520_ci"]
    {
        server.sql(&format!("ALTER TABLE plans.klines_m15 CONVERT TO CHARACTER SET {charset}")).await.unwrap();
        server.sql("ANALYZE TABLE plans.klines_m15").await.unwrap();
        store.ping().await.unwrap();
        let before = rows_read(&server).await;
        let window = store.newest_closed(&after[7].0, Timeframe::M15, now, 50).await.unwrap();
        let closed = store.closed_between(Timeframe::M15, &after, now).await.unwrap();
        let new = store.newest_closed_of(Timeframe::M15, &wanted, now, 50).await.unwrap();
        let newest = store.newest_closes(Timeframe::M15, &symbols(), now).await.unwrap();
        let answered = window.len() + closed.len() + new.iter().map(Vec::len).sum::<usize>() + newest.len();
        assert_eq!(answered as i64, 50 + 5 * SYMBOLS);
        let read = rows_read(&server).await - before;
        // Each range ends with a look at the row after it, and showing the status reads some thousand rows of its own.
        assert!(read < 3 * answered as u64 + 5000, "{charset}: {read} rows for {answered}");
    }
}

#[tokio::test]
async fn comparisons_are_listed_and_removed_by_their_index() {
    let (server, uri) = filled().await;
    let store = MysqlShadows::new(open(&uri));
    store.counts(1).await.unwrap();
    let rows = "USE plans; INSERT IGNORE INTO ta_bot_shadow_comparisons
        SELECT s.seq, '15m', c.seq, 'BTCUSDT', 'added', c.seq % 50 = 0, 'null', 'null'
        FROM seq_1_to_10 s JOIN seq_1_to_3000 c;
        ANALYZE TABLE ta_bot_shadow_comparisons";
    server.sql(rows).await.unwrap();
    log_anew(&server).await;
    assert_eq!(store.listed(7, 20).await.unwrap().len(), 20);
    for plan in plans(&server, "`comparison`, `incumbent`").await {
        assert!(plan.contains("ta_bot_shadow_comparisons_listed") && !plan.contains("filesort"), "{plan}");
    }
    store.forget(7).await.unwrap();
    let left = "SELECT COUNT(*), MIN(listed) FROM plans.ta_bot_shadow_comparisons WHERE began = 7";
    assert_eq!(server.sql(left).await.unwrap(), "60\t1\n");
    // The rows are inserted again: for a range without rows the server makes another plan, once it has cleaned up.
    server.sql(rows).await.unwrap();
    for plan in plans(&server, "DELETE FROM `ta_bot_shadow_comparisons`").await {
        assert!(plan.contains("range") && !plan.contains("filesort"), "{plan}");
    }
}
