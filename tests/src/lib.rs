//! Helpers shared by the tests across the whole system, including the paths of what was built.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp, gathered};
use ta_bot_engine::market::made_up::walk;

pub mod app;
pub mod binary;
pub mod built_in;
pub mod chance;
pub mod events;
pub mod jobs;
pub mod kubectl;
pub mod operator;
pub mod parity;
pub mod replicas;
pub mod spans;
pub mod threads;
pub mod working;

/// `count` candles of a made-up market, the first of which opens at `first`. Their prices do not depend on `first`, so
/// a market that ends now is the same at any time of day.
pub fn market(symbol: &Symbol, timeframe: Timeframe, first: Timestamp, count: i64) -> Vec<Candle> {
    let opens = (0..count).map(|index| Timestamp::from_millis(index * timeframe.millis()));
    let moved = |candle: Candle| Candle { open_time: first.plus_millis(candle.open_time.millis()), ..candle };
    walk(symbol, opens, 100.0).into_iter().map(moved).collect()
}

/// Combines `candles` into longer ones of `parts` candles each.
///
/// # Panics
///
/// If `parts` is 0.
pub fn gathered_by(parts: usize, candles: &[Candle]) -> Vec<Candle> {
    let of_parts = |parts: &[Candle]| gathered(parts[0].open_time, parts);
    candles.chunks_exact(parts).filter_map(of_parts).collect()
}

/// Waits until `holds` returns true, and fails with the message of `otherwise` if it does not within that time.
///
/// # Panics
///
/// If `holds` still returns false after `within`.
pub async fn until(within: Duration, otherwise: impl AsyncFn() -> String, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < within, "not within {within:?}: {}", otherwise().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The median and the 99th percentile of some times, as text.
#[must_use]
pub fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times.get((times.len().saturating_sub(1) as f64 * share) as usize).copied();
    let millis = |share| at(share).unwrap_or_default().as_secs_f64() * 1000.0;
    format!("p50 {:.1} ms, p99 {:.1} ms, of {}", millis(0.5), millis(0.99), times.len())
}

/// The time that the machine's cores have run a process, in seconds.
pub fn processor_seconds(pid: u32) -> f64 {
    // `utime` and `stime`.
    seconds_in_stat(pid, 11)
}

/// The same of those of its children that have ended.
pub fn processor_seconds_of_children(pid: u32) -> f64 {
    // `cutime` and `cstime`.
    seconds_in_stat(pid, 13)
}

/// The sum of two neighbouring times in what the system says of a process, counted from the field behind its name.
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
fn seconds_in_stat(pid: u32, first: usize) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name of the program is in brackets and may hold anything.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let times = fields.split_whitespace().skip(first).take(2);
    // Hundredths of a second on Linux.
    times.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// The project's root folder.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where `make strategies` puts the built-in strategies.
pub fn strategies_dir() -> PathBuf {
    root().join("target/strategies")
}

/// A folder with two of the built-in strategies, `rsi` and `macd`. What the service does around its strategies is the
/// same for two as for thirty, and a test that starts with an empty data folder compiles them all.
///
/// # Panics
///
/// If the folder can't be made.
pub fn two_strategies_dir() -> PathBuf {
    let folder = root().join("target/tmp/two-strategies");
    let made = std::fs::create_dir_all(&folder);
    assert!(made.is_ok(), "{} can't be made: {made:?}", folder.display());
    for name in ["rsi.wasm", "macd.wasm"] {
        // A relative link survives a move of the whole target folder.
        let linked = std::os::unix::fs::symlink(PathBuf::from("../../strategies").join(name), folder.join(name));
        // The link can't be made if another test has made it already.
        let there = linked.is_ok() || folder.join(name).exists();
        assert!(there, "{name} is not in {}: run make strategies", folder.display());
    }
    folder
}
