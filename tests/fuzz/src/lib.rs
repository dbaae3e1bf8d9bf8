//! Bytes that are made to break the loading of a module: never a panic, always a reason or a module that answers, and
//! not the time of the host. The tests `fuzz_modules` do that for a minute, `make fuzz` for as long as one likes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "a part of a test may fail loudly")]

use std::time::{Duration, Instant};

use ta_bot_core::{Candle, CandleSlice, CandleWindow, Job, Timeframe, Timestamp};
use ta_bot_wasm::{EvaluationInput, Limits, Sandbox, StrategyModule};

/// How long one may take: `describe` has five seconds, and the machine may be busy.
const LONGEST: Duration = Duration::from_mins(5);

/// The sandbox as it is run, without a folder for what is compiled.
pub fn sandbox() -> Sandbox {
    Sandbox::new(Limits::default(), None).unwrap()
}

/// Loads, within time. What is taken is asked once; its answer is its own.
pub fn takes(sandbox: &Sandbox, what: &str, bytes: &[u8]) -> bool {
    let begun = Instant::now();
    let loaded = StrategyModule::load(sandbox, bytes);
    assert!(begun.elapsed() < LONGEST, "{what} took {:?}", begun.elapsed());
    match loaded {
        Ok(module) => {
            ask(&module);
            true
        }
        Err(reason) => {
            let reason = reason.to_string();
            assert!((10..5000).contains(&reason.len()), "{what}: {reason}");
            false
        }
    }
}

fn ask(module: &StrategyModule) {
    let candle = |index: i64| Candle {
        open_time: Timestamp::from_millis(index * Timeframe::M15.millis()),
        open: 100.0,
        high: 102.0,
        low: 99.0,
        close: 101.0,
        volume: 5.0,
    };
    let window = CandleWindow::new((0..300).map(candle)).unwrap();
    let base = window.newest(module.description().lookback as usize);
    let job = Job {
        symbol: "BTCUSDT".parse().unwrap(),
        timeframe: Timeframe::M15,
        candle_close: Timestamp::from_millis(300 * Timeframe::M15.millis()),
    };
    let extra: Vec<CandleSlice<'_>> = vec![base; module.description().extra.len()];
    let parameters = module.description().schema.defaults();
    // Whatever it is, it comes back.
    let _ = module.evaluate(EvaluationInput { job: &job, base, extra: &extra, parameters: &parameters });
}
