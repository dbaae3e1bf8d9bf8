//! Which jobs are within reach of a candle: on its own series, on those that read it beside theirs, and on longer ones
//! that are made of it.

use std::collections::BTreeMap;

use ta_bot_core::CandleSources;

use super::*;
use crate::{
    market::{
        candle_store::CandleStore,
        candles::{DEFAULT_PATIENCE, Sources},
    },
    signals::outbox::FinishedJob,
    sqlite::{candles::SqliteCandles, redecisions::SqliteRedecisions},
    support::metrics::Metrics,
    testing::{BEGIN, Engine, falling, settings, symbol},
};

const M15: Timeframe = Timeframe::M15;
/// Reads 15 minutes and the hours above.
const OF_TWO: &str = "multi_timeframe_trend_continuation";

/// A mender of the engine's candles, of which hours are made of quarters if they are missing.
fn mender(engine: &Engine) -> Mender {
    let store: Arc<dyn CandleStore> = Arc::new(SqliteCandles::new(engine.database.clone()));
    let metrics = Arc::new(Metrics::new().unwrap());
    let rule = CandleSources::Listed(BTreeMap::from([(Timeframe::H1, M15)]));
    let candles = Candles::new(store, DEFAULT_PATIENCE, metrics).derived_from(Sources::new(rule, Vec::new));
    Mender::new(
        Arc::new(candles),
        Arc::clone(&engine.outbox),
        Arc::clone(&engine.analyst),
        Arc::new(SqliteRedecisions::new(engine.database.clone())),
    )
}

fn close(timeframe: Timeframe, index: i64) -> Timestamp {
    BEGIN.plus_millis((index + 1) * timeframe.millis())
}

/// Stores that the jobs of the candles `of` are finished.
async fn finish(engine: &Engine, name: &str, timeframe: Timeframe, of: std::ops::Range<i64>) {
    let job = |index| Job { symbol: symbol(name), timeframe, candle_close: close(timeframe, index) };
    let done: Vec<FinishedJob> =
        of.map(|index| FinishedJob { job: job(index), signals: Vec::new(), revision: 0 }).collect();
    engine.outbox.commit(&done, BEGIN).await.unwrap();
}

/// The jobs that rested on a candle: the symbols and the ranges of their indices.
async fn reached(engine: &Engine, timeframe: Timeframe, index: usize) -> BTreeMap<(Symbol, Timeframe), Vec<i64>> {
    let mut candle = falling(timeframe, 600)[index];
    candle.volume += 1.0;
    let change = RepairChange::Replace(vec![candle]);
    let preview = mender(engine).preview(&symbol("BTCUSDT"), timeframe, &change).await.unwrap();
    let mut found: BTreeMap<(Symbol, Timeframe), Vec<i64>> = BTreeMap::new();
    for job in preview.jobs {
        let index = (job.candle_close.millis() - BEGIN.millis()) / job.timeframe.millis() - 1;
        found.entry((job.symbol, job.timeframe)).or_default().push(index);
    }
    found
}

#[tokio::test]
async fn a_candle_reaches_its_own_series_as_far_as_the_longest_window() {
    let engine = Engine::with_strategies(settings(), &["rsi", "doji_reversal"]).await;
    engine.fall("BTCUSDT", M15, 600).await;
    finish(&engine, "BTCUSDT", M15, 90..600).await;
    finish(&engine, "ETHUSDT", M15, 90..600).await;
    finish(&engine, "BTCUSDT", Timeframe::M5, 90..600).await;
    let longest = i64::from(engine.registry.get(&"rsi".parse().unwrap()).unwrap().description().lookback);
    let expected = BTreeMap::from([((symbol("BTCUSDT"), M15), (100..100 + longest).collect())]);
    assert_eq!(reached(&engine, M15, 100).await, expected);
    let last = BTreeMap::from([((symbol("BTCUSDT"), M15), vec![599])]);
    assert_eq!(reached(&engine, M15, 599).await, last);
}

#[tokio::test]
async fn a_candle_reaches_those_that_read_it_beside_theirs() {
    let engine = Engine::with_strategies(settings(), &[OF_TWO]).await;
    engine.fall("BTCUSDT", M15, 600).await;
    engine.fall("BTCUSDT", Timeframe::H1, 600).await;
    finish(&engine, "BTCUSDT", M15, 0..600).await;
    let module = engine.registry.get(&OF_TWO.parse().unwrap()).unwrap();
    let beside = i64::from(module.description().extra[0].lookback);
    let found = reached(&engine, Timeframe::H1, 10).await;
    // Hour 10 closes with quarter 43, and is pushed out by the hour that closes so many hours later.
    let expected: Vec<i64> = (43..(43 + 4 * beside).min(600)).collect();
    assert_eq!(found.get(&(symbol("BTCUSDT"), M15)), Some(&expected), "{found:?}");
}

#[tokio::test]
async fn a_candle_reaches_longer_ones_that_are_made_of_it() {
    let engine = Engine::with_strategies(settings(), &["rsi"]).await;
    engine.fall("BTCUSDT", M15, 600).await;
    let hours = falling(Timeframe::H1, 600);
    engine.candles.insert(&symbol("BTCUSDT"), Timeframe::H1, &hours[..20]).await.unwrap();
    finish(&engine, "BTCUSDT", Timeframe::H1, 0..150).await;
    let of_hours = |found: &BTreeMap<(Symbol, Timeframe), Vec<i64>>| {
        found.get(&(symbol("BTCUSDT"), Timeframe::H1)).and_then(|indices| indices.first().copied())
    };
    assert_eq!(of_hours(&reached(&engine, M15, 43).await), None, "hour 10 has a row of its own");
    assert_eq!(of_hours(&reached(&engine, M15, 100).await), Some(25), "hour 25 is made of quarters 100 to 103");
}
