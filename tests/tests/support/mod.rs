//! Helpers for the tests of guests: components, sandboxes, windows and parameters.

#![allow(dead_code, reason = "each test file that includes this uses a part of it")]

use std::{fs, time::Duration};

use ta_bot_core::{Candle, CandleWindow, Job, Parameters, Timeframe, Timestamp, Value};
use ta_bot_tests::root;
use ta_bot_wasm::{Evaluation, EvaluationInput, Limits, Sandbox, StrategyModule};

/// The bytes of a component that `make guests` built.
pub(crate) fn component(name: &str) -> Vec<u8> {
    let path = root().join(format!("target/components/{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run make guests first", path.display()))
}

/// A sandbox that keeps what it compiles, because some components take seconds.
pub(crate) fn sandbox(limits: Limits) -> Sandbox {
    Sandbox::new(limits, Some(root().join("target/compiled-for-tests"))).unwrap()
}

/// Loads a component as a strategy.
pub(crate) fn load(sandbox: &Sandbox, name: &str) -> StrategyModule {
    StrategyModule::load(sandbox, &component(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Limits with more time than a busy machine needs for a guest that ends by itself.
pub(crate) fn patient() -> Limits {
    Limits { timeout: Duration::from_secs(10), ..Limits::default() }
}

/// Candles of a random walk, the same for the same seed.
pub(crate) fn random_walk(count: usize, mut seed: u64) -> CandleWindow {
    let mut draw = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut close = 100.0;
    let candles = (0..count).map(|index| {
        let open = close;
        close *= 1.0 + (draw() - 0.5) * 0.02;
        Candle {
            open_time: Timestamp::from_millis(1_700_000_100_000 + index as i64 * 900_000),
            open,
            high: open.max(close) * 1.001,
            low: open.min(close) * 0.999,
            close,
            volume: draw() * 100.0,
        }
    });
    CandleWindow::new(candles).unwrap()
}

/// The job of the newest candle of `window`.
pub(crate) fn job(window: &CandleWindow) -> Job {
    let newest = window.newest(1).open_time.first().map_or(0, |open| *open as i64);
    Job {
        symbol: "BTCUSDT".parse().unwrap(),
        timeframe: Timeframe::M15,
        candle_close: Timeframe::M15.close_of(Timestamp::from_millis(newest)),
    }
}

/// The module's default parameters, with some of them changed.
pub(crate) fn parameters(module: &StrategyModule, set: &[(&str, Value)]) -> Parameters {
    let mut parameters = module.description().schema.defaults();
    for (name, value) in set {
        parameters.set(*name, value.clone());
    }
    parameters
}

/// Evaluates once, on the newest candles of `window`.
pub(crate) fn evaluate(module: &StrategyModule, window: &CandleWindow, parameters: &Parameters) -> Evaluation {
    let base = window.newest(module.description().lookback as usize);
    module.evaluate(EvaluationInput { job: &job(window), base, extra: &[], parameters })
}
