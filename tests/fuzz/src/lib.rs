//! Bytes that are made to break the loading of a module. Loading must never panic, must always return a reason or a
//! module that answers, and must not use up the host's time. The tests `fuzz_modules` try that for a minute, and `make
//! fuzz` does it for as long as it is left running.

#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc, reason = "a part of a test may fail loudly")]

use std::time::{Duration, Instant};

use ta_bot_core::{Candle, CandleSlice, CandleWindow, Job, Timeframe, Timestamp};
use ta_bot_wasm::{EvaluationInput, Limits, Sandbox, StrategyModule};

/// How long one load may take: `describe` has five seconds, and the machine may be busy.
const LONGEST: Duration = Duration::from_mins(5);

/// The sandbox as the service runs it, without a folder for compiled modules.
pub fn sandbox() -> Sandbox {
    Sandbox::new(Limits::default(), None).unwrap()
}

/// Loads the bytes within `LONGEST` and returns whether they were accepted. An accepted module is asked once; its
/// answer does not matter.
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
    // Whatever the module answers, the call must return.
    let _ = module.evaluate(EvaluationInput { job: &job, base, extra: &extra, parameters: &parameters });
}
