//! A strategy that reads two timeframes waits for the higher candle that closes together with its own, whichever of the
//! two is written first.

use std::time::Duration;

use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::made_up::simulated;
use ta_bot_tests::{app::app, gathered_by, market, working::Working};

const BASE: Timeframe = Timeframe::M15;
const HIGHER: Timeframe = Timeframe::H1;

/// A running pipeline on a store of its own, with the real strategies.
struct Service {
    working: Working,
    _data: tempfile::TempDir,
}

impl Service {
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        Self { working: Working::start(app(data.path()).await.unwrap()), _data: data }
    }

    /// Stores the candles of a symbol that end at `close`, without the one of the newest hour if that is to be late.
    /// Returns the candle of the newest hour.
    async fn insert(&self, symbol: &Symbol, close: Timestamp, late: bool) -> Candle {
        let base = market(symbol, BASE, close.plus_millis(-400 * BASE.millis()), 400);
        let mut hours = gathered_by(4, &base);
        let newest = *hours.last().unwrap();
        if late {
            hours.pop();
        }
        self.working.app.candles.insert(symbol, BASE, &base).await.unwrap();
        self.working.app.candles.insert(symbol, HIGHER, &hours).await.unwrap();
        newest
    }

    async fn push(&self, symbol: &Symbol, close: Timestamp) {
        self.working.push(symbol, BASE, close).await;
    }

    async fn is_finished(&self, symbol: &Symbol, close: Timestamp) -> bool {
        self.working.is_over(symbol, BASE, close).await
    }

    /// Waits until the job is finished; the test runner ends a test that waits in vain.
    async fn finished(&self, symbol: &Symbol, close: Timestamp) {
        while !self.is_finished(symbol, close).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// The end of the current hour: a close that no candle can be too late for.
fn next_hour() -> Timestamp {
    HIGHER.close_of(HIGHER.open_of(Timestamp::now()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_waits_for_the_higher_candle_and_others_pass_it() {
    let service = Service::start().await;
    let (waiting, complete) = (symbol("ETHUSDT"), symbol("BTCUSDT"));
    let close = next_hour();
    let hour = service.insert(&waiting, close, true).await;
    service.insert(&complete, close, false).await;
    service.push(&waiting, close).await;
    service.push(&complete, close).await;
    service.finished(&complete, close).await;
    assert!(!service.is_finished(&waiting, close).await);
    service.working.app.candles.insert(&waiting, HIGHER, &[hour]).await.unwrap();
    service.finished(&waiting, close).await;
    service.working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_an_old_candle_nor_a_series_that_stands_still_is_waited_for() {
    let service = Service::start().await;
    let (old, still) = (symbol("ETHUSDT"), symbol("BTCUSDT"));
    let hour_ago = next_hour().plus_millis(-2 * HIGHER.millis());
    service.insert(&old, hour_ago, true).await;
    service.push(&old, hour_ago).await;
    service.finished(&old, hour_ago).await;
    // The hour before its newest one is missing, too.
    let close = next_hour();
    service.insert(&still, close.plus_millis(-HIGHER.millis()), true).await;
    let next = |index: i64| simulated(&still, close.plus_millis(-(index + 1) * BASE.millis()), 100.0);
    service.working.app.candles.insert(&still, BASE, &(0..4).rev().map(next).collect::<Vec<_>>()).await.unwrap();
    service.push(&still, close).await;
    service.finished(&still, close).await;
    service.working.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_does_not_hold_up_the_end() {
    let service = Service::start().await;
    let waiting = symbol("ETHUSDT");
    let close = next_hour();
    service.insert(&waiting, close, true).await;
    service.push(&waiting, close).await;
    let Working { app, queue, stop, running } = service.working;
    // The job is under way once nobody else can take it.
    tokio::time::timeout(Duration::from_millis(100), queue.next(1)).await.unwrap_err();
    stop.cancel();
    running.await.unwrap();
    let given_back = queue.next(1).await.pop().unwrap();
    assert_eq!((given_back.job().candle_close, given_back.attempt), (close, 2), "it goes back at once");
    assert!(
        app.outbox.finished(BASE, &[(waiting, close)]).await.unwrap().is_empty(),
        "it is not decided without its candle"
    );
}
