//! What a service stored candle by candle, and what a backtest of the same candles says.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::Value as Json;
use ta_bot_core::{Candle, Symbol, Timeframe, gathered};
use ta_bot_engine::signals::outbox::SignalFilter;
use ta_bot_tests::{
    app,
    parity::{self, Series},
    root, strategies_dir,
    working::Working,
};
use tempfile::TempDir;

use crate::run::Done;

/// How many candles of the end of a series are missing, counted from its newest.
const HOLE: std::ops::Range<usize> = 150..153;
const PATIENCE: Duration = Duration::from_mins(1);

/// The signals of one candle: by strategy and close, the message as it was stored.
type Messages = BTreeMap<String, String>;

/// Lets a service look at each candle of a series as it closes, with the longer candles that it is part of.
async fn stored(folder: &Path, strategies: &Path, series: &Series, candles: usize) -> Messages {
    app::share_compiled(folder).unwrap();
    let longer = series.timeframe.next_higher().unwrap();
    let more = [
        ("STRATEGIES_DIR", strategies.display().to_string()),
        ("SUPPORTED_SYMBOLS", series.symbol.to_string()),
        ("SUPPORTED_TIMEFRAMES", format!("{},{longer}", series.timeframe)),
    ];
    let app = app::open_with(folder, &more).await.unwrap();
    app.load_strategies().await.unwrap();
    let working = Working::start(app);
    let all: Vec<Candle> = series.candles.newest(candles).candles().collect();
    for (index, candle) in all.iter().enumerate().filter(|(index, _)| !HOLE.contains(&(all.len() - index))) {
        see(&working, (&series.symbol, series.timeframe), *candle).await;
        let parts = (longer.millis() / series.timeframe.millis()) as usize;
        let close = series.timeframe.close_of(candle.open_time);
        if longer.open_of(close) == close && index + 1 >= parts {
            let of_longer = &all[index + 1 - parts..=index];
            if let Some(whole) = gathered(of_longer[0].open_time, of_longer) {
                see(&working, (&series.symbol, longer), whole).await;
            }
        }
    }
    let filter = SignalFilter { limit: 100_000, ..SignalFilter::default() };
    let signals = working.app.outbox.signals(&filter).await.unwrap();
    working.end().await;
    signals.into_iter().map(|signal| (signal.id, signal.message)).collect()
}

/// Stores a candle and waits until the service has looked at it.
async fn see(working: &Working, (symbol, timeframe): (&Symbol, Timeframe), candle: Candle) {
    working.app.candles.insert(symbol, timeframe, &[candle]).await.unwrap();
    let close = timeframe.close_of(candle.open_time);
    working.push(symbol, timeframe, close).await;
    let begun = Instant::now();
    while !working.is_over(symbol, timeframe, close).await {
        assert!(begun.elapsed() < PATIENCE, "{symbol} {timeframe} {close} is not finished");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// The signals of a backtest of everything in the store of `folder`.
fn backtested(folder: &Path, strategies: &Path, ids: &[String], more: &[&str]) -> (Json, Messages) {
    let output = TempDir::new().unwrap();
    let mut command = std::process::Command::new(ta_bot_tests::binary::ta_bot());
    command
        .env_clear()
        .env("DATA_DIR", folder)
        .env("STRATEGIES_DIR", strategies)
        .env("STRATEGY_TIMEOUT_MS", "20000")
        .args(["backtest", "--json", "--format", "jsonl", "--output"])
        .arg(output.path())
        .args(more)
        .args(ids);
    let answer = Done::of(&mut command).succeeded().json();
    let lines = fs::read_to_string(output.path().join("signals.jsonl")).unwrap();
    let messages = lines.lines().map(|line| {
        let message: Json = serde_json::from_str(line).unwrap();
        (message["signal_id"].as_str().unwrap().to_owned(), line.to_owned())
    });
    (answer, messages.collect())
}

/// Compares both for the strategies of a folder, which have to give some signals.
async fn compare(strategies: &Path, ids: &[String], candles: usize) {
    let Some(parity) = parity::folder() else { return };
    let all = Series::all(&parity).unwrap();
    let series = all.iter().find(|series| series.name == "BTCPERP_15m").unwrap();
    let folder = TempDir::new().unwrap();
    let stored = stored(folder.path(), strategies, series, candles).await;
    assert!(stored.len() > 10, "{} signals say little", stored.len());
    for more in [&[][..], &["--fresh"]] {
        let (answer, messages) = backtested(folder.path(), strategies, ids, more);
        assert_eq!(answer["signals"], messages.len());
        let missing: Vec<&String> = stored.keys().filter(|id| !messages.contains_key(*id)).collect();
        assert_eq!(missing, Vec::<&String>::new(), "{more:?}: not in the backtest, of {}", stored.len());
        for (id, message) in &messages {
            assert_eq!(stored.get(id), Some(message), "{more:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_built_in_strategy_is_backtested_as_it_was_live() {
    let ids = ta_bot_tests::built_in::ids().unwrap();
    compare(&strategies_dir(), &ids, 520).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_every_language_are_backtested_as_they_were_live() {
    for language in ["c", "go", "js", "python", "rust"] {
        let strategies = TempDir::new().unwrap();
        for name in ["rsi", "donchian"] {
            let file = format!("{name}_{language}.wasm");
            fs::copy(root().join("target/components").join(&file), strategies.path().join(&file)).unwrap();
        }
        let ids = ["example_rsi", "example_donchian"].map(str::to_owned);
        compare(strategies.path(), &ids, 280).await;
    }
}
