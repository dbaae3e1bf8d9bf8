//! What three strategies that take a tenth of a second for each candle cost the others: how long the signals of the
//! others take from a candle's event to their arrival, without the three, with them, and with them and no bound on slow
//! strategies. One replica on real servers, all on this machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    collections::HashMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::StreamExt as _;
use serde_json::Value as Json;
use ta_bot_tests::{
    quantiles,
    replicas::{Fleet, Market, READERS, SHORT},
    root, strategies_dir,
};

const SYMBOLS: usize = 30;
/// The guest that is greedy. Its copies have other last letters.
const GREEDY: &[u8] = b"takes_its_time";

/// A run: what is in the folder of strategies, how slow an evaluation may be, and how many minutes close.
struct Run {
    name: &'static str,
    has_greedy: bool,
    slow_ms: Option<&'static str>,
    minutes: i64,
}

const RUNS: [Run; 3] = [
    Run { name: "without greedy strategies", has_greedy: false, slow_ms: None, minutes: 40 },
    Run { name: "with three", has_greedy: true, slow_ms: None, minutes: 40 },
    Run { name: "with three, and no bound", has_greedy: true, slow_ms: Some("0"), minutes: 6 },
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut first = None;
    for run in RUNS {
        let mut took = runtime.block_on(measure(&run));
        took.sort_unstable();
        let p99 = took[took.len() * 99 / 100].as_secs_f64() * 1000.0;
        let against = *first.get_or_insert(p99);
        println!("{}: {}; 99th percentile {:.2} times that of the first run", run.name, quantiles(took), p99 / against);
    }
}

/// Puts the built-in strategies into `folder`, and the greedy ones.
fn strategies(folder: &Path, has_greedy: bool) {
    for entry in fs::read_dir(strategies_dir()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    if !has_greedy {
        return;
    }
    let guest = fs::read(root().join("target/components/faulty_takes_its_time.wasm")).unwrap();
    for letter in b'a'..=b'c' {
        let mut copy = guest.clone();
        let places: Vec<usize> = (0..copy.len() - GREEDY.len())
            .filter(|at| copy[*at..].starts_with(GREEDY))
            .map(|at| at + GREEDY.len())
            .collect();
        for end in places {
            copy[end - 1] = letter;
        }
        fs::write(folder.join(format!("takes_its_tim{}.wasm", char::from(letter))), copy).unwrap();
    }
}

/// How long the last signal of each candle took that is not a greedy strategy's.
async fn measure(run: &Run) -> Vec<Duration> {
    let market = Market::new(SYMBOLS, run.minutes);
    let folder = tempfile::tempdir().unwrap();
    strategies(folder.path(), run.has_greedy);
    let mut fleet = Fleet::start(&market, 1).await;
    fleet.as_in_production().await;
    fleet.replicas[0].set("STRATEGIES_DIR", &folder.path().display().to_string());
    if let Some(slow_ms) = run.slow_ms {
        fleet.replicas[0].set("STRATEGY_SLOW_MS", slow_ms);
    }
    fleet.start_replicas().await;
    let (pool, client) = (fleet.pool(), async_nats::connect(fleet.nats.url()).await.unwrap());
    let mut signals = client.subscribe(READERS).await.unwrap();
    let arrivals = tokio::spawn(async move {
        let mut last: HashMap<(String, String, String), Instant> = HashMap::new();
        while let Some(message) = signals.next().await {
            let arrived = Instant::now();
            let signal: Json = serde_json::from_slice(&message.payload).unwrap();
            let text = |name: &str| signal[name].as_str().unwrap().to_owned();
            if !text("strategy").starts_with("takes_its_tim") {
                last.insert((text("symbol"), text("timeframe"), text("candle_close")), arrived);
            }
        }
        last
    });
    let mut announced: HashMap<String, Instant> = HashMap::new();
    for minute in 0..run.minutes {
        market.write_minute(&pool, minute).await;
        let close = market.start.plus_millis((minute + 1) * SHORT.millis());
        announced.insert(close.to_string(), Instant::now());
        market.announce(&client, minute).await;
        fleet.until_closed(close, market.closing(minute).len()).await;
    }
    // Everything is acknowledged, so it is on its way to the reader.
    client.drain().await.unwrap();
    let last = arrivals.await.unwrap();
    let took = last.into_iter().map(|((_, _, close), arrived)| arrived - announced[&close]);
    took.collect()
}
