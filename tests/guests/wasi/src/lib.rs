//! A strategy that asks WASI, through the standard library, for everything that would make two runs differ: the time,
//! randomness, and its environment. It returns what it was told, so that a test sees what the host lets through.
//!
//! Built for `wasm32-wasip2`, whose standard library calls WASI for what the plain target does not have.

mod bindings;

use std::{
    collections::hash_map::RandomState,
    env, fs,
    hash::{BuildHasher as _, Hasher as _},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bindings::{
    exports::ta_bot::strategy::strategy::{Guest, Parameters},
    ta_bot::strategy::types::{Action, Candles, Columns, Context, Description, Fault, Signal, Value},
};

pub(crate) struct Probe;

impl Guest for Probe {
    fn describe() -> Description {
        Description {
            id: "wasi_probe".to_owned(),
            name: "WASI probe".to_owned(),
            version: "1.0.0".to_owned(),
            description: "Answers what WASI tells it.".to_owned(),
            lookback: 1,
            columns: Columns::CLOSE,
            timeframes: Vec::new(),
            extra: Vec::new(),
            parameters: Vec::new(),
        }
    }

    fn check(_: Parameters) -> Result<(), String> {
        Ok(())
    }

    fn evaluate(context: Context, _: Candles, _: Vec<Candles>, _: Parameters) -> Result<Option<Signal>, Fault> {
        // The output goes nowhere, but it must not fail either.
        println!("evaluating {}", context.symbol);
        Ok(Some(Signal {
            action: Action::Hold,
            confidence: 0.5,
            price: None,
            stop_loss: None,
            take_profit: None,
            strength: None,
            rationale: None,
            metadata: readings(),
        }))
    }
}

fn readings() -> Vec<(String, Value)> {
    let started = Instant::now();
    let wall_clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |age| age.as_secs_f64() * 1000.0);
    [
        ("wall_clock_ms", Value::Number(wall_clock)),
        // The keys of a hash map are random.
        ("chance", Value::Text(format!("{:016x}", RandomState::new().build_hasher().finish()))),
        ("variables", Value::Integer(count(env::vars_os()))),
        ("arguments", Value::Integer(count(env::args_os()))),
        ("sees_files", Value::Boolean(fs::read_dir("/").is_ok())),
        // Read last, so that a real clock would have moved.
        ("elapsed_ns", Value::Number(started.elapsed().as_nanos() as f64)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn count(things: impl Iterator) -> i32 {
    i32::try_from(things.count()).unwrap_or(i32::MAX)
}
