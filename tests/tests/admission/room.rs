//! A busy host is not counted against a module.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use ta_bot_core::{EvaluationError, Value};
use ta_bot_engine::modules::admission::{Recorded, admit};
use ta_bot_wasm::{Limits, StrategyModule};

use crate::support::{component, evaluate, load, parameters, random_walk, sandbox};

/// More guests than the pool has instances.
const GUESTS: usize = 160;

#[test]
fn a_full_pool_is_waited_for() {
    let sandbox = sandbox(Limits { timeout: Duration::from_secs(4), ..Limits::default() });
    let (endless, module) = (load(&sandbox, "hostile"), load(&sandbox, "momentum_rust"));
    let recorded = Recorded::made_up(module.description()).unwrap();
    let behaviour = parameters(&endless, &[("behaviour", Value::Text("endless_loop".to_owned()))]);
    let window = random_walk(2, 7);
    let turned_away = AtomicUsize::new(0);
    // Each guest goes on until one was turned away: on a busy machine the first may be over before the last begins.
    let guest = || {
        while turned_away.load(Ordering::SeqCst) == 0 {
            let outcome = evaluate(&endless, &window, &behaviour).outcome;
            if matches!(outcome, Err(EvaluationError::NoRoom(_))) {
                turned_away.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let (verdict, loaded) = std::thread::scope(|scope| {
        for _ in 0..GUESTS {
            scope.spawn(guest);
        }
        let begun = Instant::now();
        while turned_away.load(Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_mins(2), "the pool was never full");
            std::thread::yield_now();
        }
        // Neither loading nor admission takes a full pool for a fault of the module.
        let loaded = StrategyModule::load(&sandbox, &component("momentum_rust"));
        (admit(&module, &recorded), loaded)
    });
    assert!(loaded.is_ok());
    assert!(verdict.admitted(), "{verdict:#?}");
}
