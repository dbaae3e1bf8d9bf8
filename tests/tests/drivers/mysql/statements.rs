//! The server is given only a few statements, each prepared once on a connection. A statement that is thrown away costs
//! a wait of 40 ms, see `mysql::batch`.

use std::collections::BTreeMap;

use ta_bot_core::{Symbol, Timeframe, Timestamp};
use ta_bot_drivers::mysql::{Limits, Mysql, candles::MysqlCandles, deployments::MysqlDeployments, outbox::MysqlOutbox};
use ta_bot_engine::{
    deployments::log::{DeploymentStore as _, contract::change},
    market::candle_store::CandleStore as _,
    signals::outbox::{FinishedJob, Outbox as _, contract},
};
use ta_bot_test_servers::MariaDb;

use super::{candle, opened, symbol};

/// Deploys another module for a strategy, as an operator does. Returns the revision.
async fn deploy(deployments: &MysqlDeployments, round: i64) -> i64 {
    let known = deployments.since(0).await.unwrap().last().map_or(0, |entry| entry.revision);
    deployments.add(&change("rsi", (round % 200) as u8), known, None).await.unwrap().revision
}

/// Does what a service does all day, for `count` symbols, in round `round`.
async fn a_day_s_work(
    (outbox, deployments, candles): &(MysqlOutbox, MysqlDeployments, MysqlCandles),
    count: usize,
    round: i64,
) {
    let symbols: Vec<Symbol> = (0..count).map(|index| symbol(&format!("COIN{index}"))).collect();
    for (index, symbol) in symbols.iter().enumerate() {
        // The symbols get different candles, so that stretches and windows begin at different moments.
        let written: Vec<_> = (0..=index as i64 % 3).map(|behind| candle(round - behind)).collect();
        candles.insert(symbol, Timeframe::M15, &written).await.unwrap();
    }
    let now = opened(round + 1);
    let behind = |index: usize| opened(round - index as i64 % 2);
    let after: Vec<_> = symbols.iter().enumerate().map(|(index, symbol)| (symbol.clone(), behind(index))).collect();
    let closed = candles.closed_between(Timeframe::M15, &after, now).await.unwrap();
    outbox.finished(Timeframe::M15, &closed).await.unwrap();
    let known =
        after.iter().enumerate().map(|(index, (symbol, after))| (symbol.clone(), (index % 3 > 0).then_some(*after)));
    let known: Vec<_> = known.collect();
    candles.newest_closed_of(Timeframe::M15, &known, now, 20).await.unwrap();
    let begun: Vec<_> = symbols.iter().map(|symbol| (symbol.clone(), Timeframe::M15, now)).collect();
    outbox.begin(&begun).await.unwrap();
    let strategies: [&[&str]; 3] = [&[], &["rsi"], &["rsi", "macd"]];
    let finished: Vec<_> = symbols
        .iter()
        .enumerate()
        .map(|(index, symbol)| contract::finished(symbol.as_str(), round, strategies[index % 3]))
        .collect();
    let revision = deploy(deployments, round).await;
    let finished: Vec<_> = finished.into_iter().map(|done| FinishedJob { revision, ..done }).collect();
    outbox.commit(&finished, Timestamp::from_millis(round)).await.unwrap();
    // Jobs that were decided by an older log are left out.
    let later = |done: &FinishedJob| {
        let symbol = done.job.symbol.as_str();
        FinishedJob { revision: revision - 1, ..contract::finished(symbol, round + 1, &["rsi"]) }
    };
    let late: Vec<_> = finished.iter().map(later).collect();
    deploy(deployments, round).await;
    let left = outbox.commit(&late, Timestamp::from_millis(round)).await.unwrap().outdated;
    assert_eq!(left.len(), count);
    let waiting: Vec<_> = outbox.unpublished(1000).await.unwrap().into_iter().map(|signal| signal.id).collect();
    outbox.mark_published(&waiting, Timestamp::from_millis(round)).await.unwrap();
    outbox.backlog().await.unwrap();
}

/// The server's counts of prepared and thrown away statements.
async fn counts(server: &MariaDb) -> BTreeMap<String, u64> {
    let shown = server.sql("SHOW GLOBAL STATUS WHERE variable_name IN ('Com_stmt_prepare', 'Com_stmt_close')").await;
    let count = |line: &str| {
        let (name, count) = line.split_once('\t').unwrap();
        (name.to_owned(), count.parse().unwrap())
    };
    shown.unwrap().lines().map(count).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_are_prepared_once_whatever_they_hold() {
    let server = MariaDb::start().await.unwrap();
    let uri = server.create_database("statements").await.unwrap();
    // Only one connection, so that the one that is used has prepared the statements before.
    let database = Mysql::open_with(&uri.parse().unwrap(), Limits { connections: 1, ..Limits::default() });
    let deployments = MysqlDeployments::new(database.clone());
    let stores = (MysqlOutbox::new(database.clone()), deployments, MysqlCandles::new(database));
    for (count, round) in (1..=16).chain([32, 64]).zip(0..) {
        a_day_s_work(&stores, count, 10 * round).await;
    }
    let before = counts(&server).await;
    for (count, round) in [3, 5, 11, 27, 50, 63].into_iter().zip(100..) {
        a_day_s_work(&stores, count, 10 * round).await;
    }
    assert_eq!(counts(&server).await, before, "other numbers need no other statements");
    assert_eq!(before["Com_stmt_close"], 0);
}
