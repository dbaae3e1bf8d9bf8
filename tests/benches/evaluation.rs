//! What the sandbox costs: making a module ready, and one evaluation in a fresh instance compared with the same rule
//! called natively. The benchmark `service` prints the ratios of one run.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may fail loudly; criterion's macro is undocumented")]

use std::{fs, hint::black_box, path::PathBuf};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use heavy::Heavy;
use rsi::Rsi;
use ta_bot_core::{Candle, CandleSlice, CandleWindow, Job, Parameters, Timeframe, Timestamp};
use ta_bot_sdk::{ParameterSet as _, Strategy, testing::Candles};
use ta_bot_tests::threads::shared;
use ta_bot_wasm::{EvaluationInput, Limits, Sandbox, StrategyModule};

const LENGTHS: [usize; 3] = [250, 1000, 10_000];

fn target() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target"))
}

fn bytes(name: &str) -> Vec<u8> {
    let built_in = target().join(format!("strategies/{name}.wasm"));
    let path = if built_in.exists() { built_in } else { target().join(format!("components/{name}.wasm")) };
    fs::read(path).unwrap()
}

/// Open, high, low, close and volume of a random walk.
fn walk(length: usize) -> Vec<[f64; 5]> {
    let mut seed = 7_u64;
    let mut close = 100.0;
    let mut step = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let open = close;
        close *= 1.0 + ((seed >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 0.02;
        [open, open.max(close) * 1.001, open.min(close) * 0.999, close, 1.0]
    };
    (0..length).map(|_| step()).collect()
}

fn window(rows: &[[f64; 5]]) -> CandleWindow {
    let candle = |(index, row): (usize, &[f64; 5])| {
        let [open, high, low, close, volume] = *row;
        Candle { open_time: Timestamp::from_millis(index as i64 * 60_000), open, high, low, close, volume }
    };
    CandleWindow::new(rows.iter().enumerate().map(candle)).unwrap()
}

fn job() -> Job {
    let candle_close = Timestamp::from_millis(1_700_000_000_000);
    Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M1, candle_close }
}

fn make_ready(criterion: &mut Criterion) {
    let rsi = bytes("rsi");
    let mut group = criterion.benchmark_group("ready");
    group.sample_size(10);
    group.bench_function("compile", |bencher| {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap();
        bencher.iter(|| StrategyModule::load(&sandbox, &rsi).unwrap());
    });
    // What a process of its own adds to that.
    group.bench_function("compile in a child", |bencher| {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap().with_children(ta_bot_tests::app::children());
        bencher.iter(|| StrategyModule::load(&sandbox, &rsi).unwrap());
    });
    group.bench_function("inspect in a child", |bencher| {
        let sandbox = Sandbox::new(Limits::default(), None).unwrap().with_children(ta_bot_tests::app::children());
        bencher.iter(|| sandbox.inspect(&mut rsi.as_slice(), rsi.len() as u64).unwrap());
    });
    group.bench_function("load from the cache", |bencher| {
        let cache = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::new(Limits::default(), Some(cache.path().to_owned())).unwrap();
        StrategyModule::load(&sandbox, &rsi).unwrap();
        bencher.iter(|| StrategyModule::load(&sandbox, &rsi).unwrap());
    });
    group.finish();
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let module = StrategyModule::load(&sandbox, &rsi).unwrap();
    let parameters = module.description().schema.defaults();
    // A check does little more than create an instance.
    criterion.bench_function("ready/instantiate and call", |bencher| {
        bencher.iter(|| module.check(&parameters).unwrap());
    });
}

fn compare<S: Strategy>(criterion: &mut Criterion, name: &str) {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let module = StrategyModule::load(&sandbox, &bytes(name)).unwrap();
    let parameters = module.description().schema.defaults();
    let native_parameters = S::Parameters::parse(&[]).unwrap();
    let mut group = criterion.benchmark_group(name);
    for length in LENGTHS {
        let rows = walk(length);
        let candles: Candles = rows.iter().copied().collect();
        let context = ta_bot_sdk::testing::context(&candles);
        group.bench_with_input(BenchmarkId::new("native", length), &candles, |bencher, candles| {
            bencher.iter(|| black_box(S::evaluate(&context, black_box(candles.window()), &[], &native_parameters)));
        });
        let window = window(&rows);
        group.bench_with_input(BenchmarkId::new("sandbox", length), &window, |bencher, window| {
            let job = job();
            bencher.iter(|| evaluate(&module, &job, black_box(window), &parameters));
        });
    }
    group.finish();
}

fn evaluate(module: &StrategyModule, job: &Job, window: &CandleWindow, parameters: &Parameters) {
    let base = window.newest(usize::MAX);
    let evaluation = module.evaluate(EvaluationInput { job, base, extra: &[], parameters });
    black_box(evaluation.outcome.unwrap());
}

fn against_native(criterion: &mut Criterion) {
    compare::<Rsi>(criterion, "rsi");
    compare::<Heavy>(criterion, "heavy");
}

/// The same work done by one thread and shared by two: evaluations in the sandbox, and the rule called natively, which
/// shows how much the machine itself gains from a second thread.
fn threads(criterion: &mut Criterion) {
    const EVALUATIONS: usize = 2000;
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let module = StrategyModule::load(&sandbox, &bytes("rsi")).unwrap();
    let parameters = module.description().schema.defaults();
    let rows = walk(250);
    let window = window(&rows);
    let in_the_sandbox = |count| (0..count).for_each(|_| evaluate(&module, &job(), &window, &parameters));
    let candles: Candles = rows.iter().copied().collect();
    let context = ta_bot_sdk::testing::context(&candles);
    let settings = <Rsi as Strategy>::Parameters::parse(&[]).unwrap();
    let natively = |count| {
        // This takes roughly as long as the evaluations.
        for _ in 0..count * 15 {
            black_box(Rsi::evaluate(&context, black_box(candles.window()), &[], &settings)).unwrap();
        }
    };
    let mut group = criterion.benchmark_group("threads");
    group.sample_size(20);
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("sandbox", threads), |bencher| {
            bencher.iter_custom(|rounds| shared(rounds, threads, &|| in_the_sandbox(EVALUATIONS / threads)));
        });
        group.bench_function(BenchmarkId::new("native", threads), |bencher| {
            bencher.iter_custom(|rounds| shared(rounds, threads, &|| natively(EVALUATIONS / threads)));
        });
    }
    group.finish();
}

/// What a signal's provenance costs: the hash of its window.
fn provenance(criterion: &mut Criterion) {
    let window = window(&walk(250));
    criterion.bench_function("provenance/hash of 250 candles", |bencher| {
        bencher.iter(|| CandleSlice::hash(black_box(&[window.newest(250)])));
    });
}

criterion_group!(benches, make_ready, against_native, threads, provenance);
criterion_main!(benches);
