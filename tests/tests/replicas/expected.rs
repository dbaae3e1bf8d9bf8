//! What an undisturbed run gives: every strategy evaluates every candle after the history once, on the embedded store
//! in this process.

use std::collections::BTreeSet;

use ta_bot_core::{Action, Job, Timestamp};
use ta_bot_tests::{
    app::app,
    replicas::{Fleet, Market, SHORT, stream},
};

/// The ids of the expected signals.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// All, which are in the table.
    pub(crate) all: BTreeSet<String>,
    /// Those that are published: buys and sells.
    pub(crate) published: BTreeSet<String>,
}

/// The expected signals.
pub(crate) async fn signals(market: &Market) -> Expected {
    let data = tempfile::tempdir().unwrap();
    let app = app(data.path()).await.unwrap();
    for (symbol, timeframe, candles) in market.series(Timestamp::now()) {
        app.candles.insert(symbol, timeframe, candles).await.unwrap();
    }
    let mut expected = Expected::default();
    for minute in 0..market.minutes() {
        let candle_close = market.start.plus_millis((minute + 1) * SHORT.millis());
        for (symbol, timeframe, _) in market.closing(minute) {
            let job = Job { symbol: symbol.clone(), timeframe, candle_close };
            let analysis = app.analyst.analyse(&job).await.unwrap();
            for signal in analysis.signals() {
                let id = signal.id.to_string();
                if matches!(signal.action, Action::Buy | Action::Sell) {
                    expected.published.insert(id.clone());
                }
                expected.all.insert(id);
            }
        }
    }
    expected
}

/// Compares the stream and the table with the expected signals: none is lost, none is there twice, and no job was given
/// up. `run` names the run in the message of a failure.
pub(crate) async fn compare(run: &str, fleet: &Fleet, expected: &Expected) {
    compare_with(run, fleet, expected, &expected.published).await;
}

/// The same, if some other signals may have been published as well: those of `publishable`.
pub(crate) async fn compare_with(run: &str, fleet: &Fleet, expected: &Expected, publishable: &BTreeSet<String>) {
    let pool = fleet.pool();
    let sent = stream::ids(&fleet.nats.url()).await;
    let distinct: BTreeSet<String> = sent.iter().cloned().collect();
    assert_eq!(sent.len(), distinct.len(), "{run}: {} ids are twice in the stream", sent.len() - distinct.len());
    let stored: Vec<String> = sqlx::query_scalar("SELECT signal_id FROM signals").fetch_all(&pool).await.unwrap();
    let rows = stored.len();
    let stored: BTreeSet<String> = stored.into_iter().collect();
    assert_eq!(rows, stored.len(), "{run}: {} ids are twice in the table", rows - stored.len());
    for (place, found, needed, allowed) in
        [("stream", &distinct, &expected.published, publishable), ("table", &stored, &expected.all, &expected.all)]
    {
        let (lost, more): (Vec<_>, Vec<_>) = (needed.difference(found).collect(), found.difference(allowed).collect());
        assert!(
            lost.is_empty() && more.is_empty(),
            "{run}: {} signals are lost and {} are too many in the {place}, such as {:?} and {:?}\n{}",
            lost.len(),
            more.len(),
            lost.first(),
            more.first(),
            fleet.logs()
        );
    }
    assert_eq!(fleet.dead_jobs().await, 0, "{run}: jobs were given up\n{}", fleet.logs());
    println!("  {} signals, {} of them in the stream, each once", rows, sent.len());
}
