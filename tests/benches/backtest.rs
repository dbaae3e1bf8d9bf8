//! Evaluations a second of a backtest, on one thread and on two: RSI in fresh instances and in used ones, all built-in
//! strategies, and the RSI of each language. Beside them, on the same candles, what two libraries of Python do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_backtest::run::{self, Kept, Plan, Subject};
use ta_bot_core::{Candle, MessageRules, Symbol, Timeframe, Timestamp};
use ta_bot_engine::market::made_up::walk;
use ta_bot_tests::{app, root};
use ta_bot_wasm::StrategyModule;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How many candles there are, and how many of them the slower languages look at.
const CANDLES: i64 = 100_000;
const FEW: i64 = 4_000;
const TIMEFRAME: Timeframe = Timeframe::M5;

struct Bench {
    app: ta_bot::app::App,
    symbol: Symbol,
    first: Timestamp,
}

impl Bench {
    async fn new(folder: &TempDir) -> Self {
        let app = app::app(folder.path()).await.unwrap();
        let symbol: Symbol = "BTCUSDT".parse().unwrap();
        let first = Timestamp::from_millis(1_600_000_200_000);
        let opens = (0..CANDLES).map(|index| first.plus_millis(index * TIMEFRAME.millis()));
        let candles: Vec<Candle> = walk(&symbol, opens, 100.0);
        let mut text = String::from("open_time_ms,open,high,low,close,volume\n");
        for Candle { open_time, open, high, low, close, volume } in &candles {
            writeln!(text, "{},{open},{high},{low},{close},{volume}", open_time.millis()).unwrap();
        }
        fs::write(folder.path().join("candles.csv"), text).unwrap();
        for part in candles.chunks(5_000) {
            app.candles.insert(&symbol, TIMEFRAME, part).await.unwrap();
        }
        Self { app, symbol, first }
    }

    /// Evaluates modules, and returns how many evaluations there were and how long they took.
    async fn run(
        &self,
        modules: &[Arc<StrategyModule>],
        candles: i64,
        may_reuse: bool,
        threads: usize,
    ) -> (u64, Duration) {
        let log = self.app.registry.log();
        let parameters = &self.app.analyst.parameters;
        let subject = |module: &Arc<StrategyModule>| {
            let resolution = parameters.resolve(module, &self.symbol, &log.newest_levels(&module.description().id));
            Subject { module: Arc::clone(module), parameters: BTreeMap::from([(self.symbol.clone(), resolution)]) }
        };
        let plan = Plan {
            subjects: modules.iter().map(subject).collect(),
            series: vec![(self.symbol.clone(), TIMEFRAME)],
            from: self.first,
            until: self.first.plus_millis(candles * TIMEFRAME.millis()),
            settings: self.app.analyst.settings.current().settings.clone(),
            gap_window: 50,
            rules: MessageRules::default(),
            parameter_store: "none",
            may_reuse,
        };
        let folder = TempDir::new().unwrap();
        let kept = Kept::open(folder.path(), &plan).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let begun = Instant::now();
        let stored = self.app.stored_candles();
        let findings = run::run(plan, &stored, &kept, &pool, &CancellationToken::new(), &mut |_| {}).await.unwrap();
        let took = begun.elapsed();
        assert!(findings.reused.iter().all(|reused| *reused == may_reuse), "{findings:?}");
        (findings.tallies.iter().map(run::Tally::candles).sum(), took)
    }

    async fn tell(
        &self,
        what: &str,
        modules: &[Arc<StrategyModule>],
        candles: i64,
        may_reuse: bool,
        threads: usize,
    ) -> f64 {
        let (evaluations, took) = self.run(modules, candles, may_reuse, threads).await;
        let rate = evaluations as f64 / took.as_secs_f64();
        let how = if may_reuse { "used again" } else { "fresh" };
        println!(
            "{what:<14} {how:<10} {threads} threads: {rate:>9.0} evaluations a second ({evaluations} in {took:.2?})"
        );
        rate
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let folder = TempDir::new().unwrap();
    let bench = Bench::new(&folder).await;
    let strategies = bench.app.registry.strategies();
    let rsi = [Arc::clone(&strategies[&"rsi".parse().unwrap()])];
    // The first run finds everything cold.
    bench.run(&rsi, FEW, true, 1).await;
    let mut of_rsi = Vec::new();
    for (may_reuse, threads) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
        of_rsi.push(bench.tell("rsi", &rsi, CANDLES, may_reuse, threads).await);
    }
    let all: Vec<Arc<StrategyModule>> = strategies.values().cloned().collect();
    for threads in [1, 2] {
        bench.tell("all built-in", &all, CANDLES, true, threads).await;
    }
    bench.tell("all built-in", &all, CANDLES, false, 2).await;
    for language in ["rust", "c", "go", "js", "python"] {
        let bytes = fs::read(root().join(format!("target/components/rsi_{language}.wasm"))).unwrap();
        let module = [Arc::new(StrategyModule::load(bench.app.sandbox(), &bytes).unwrap())];
        for may_reuse in [false, true] {
            bench.tell(&format!("rsi in {language}"), &module, FEW, may_reuse, 1).await;
        }
    }
    others(&folder.path().join("candles.csv"), &of_rsi);
}

/// What the libraries of Python do on one thread, and how many times as fast the above is.
fn others(candles: &std::path::Path, of_rsi: &[f64]) {
    let python = std::env::var_os("VENV").map_or_else(|| root().join("target/venv"), Into::into).join("bin/python");
    let script = root().join("tests/oracle/backtest_rates.py");
    let output = Command::new(python).arg(script).arg(candles).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let (name, rate) = line.split_once('\t').unwrap();
        let rate: f64 = rate.parse().unwrap();
        let ratios = [of_rsi[0], of_rsi[2]].map(|of_rsi| of_rsi / rate);
        println!(
            "{name}: {rate:.0} candles a second; rsi on one thread {:.1} times (fresh), {:.1} times (used again)",
            ratios[0], ratios[1]
        );
    }
}
