//! A guest that never ends is stopped soon after its time is up.
//!
//! This file has only one test, because other tests beside it would distort what it measures.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use ta_bot_core::{ExecutionStatus, Value};
use ta_bot_wasm::Limits;

use support::{evaluate, load, parameters, random_walk, sandbox};

#[test]
fn a_guest_is_stopped_soon_after_its_time() {
    const SLACK: Duration = Duration::from_millis(20);
    let window = random_walk(2, 7);
    for timeout in [20, 100, 250].map(Duration::from_millis) {
        let module = load(&sandbox(Limits { timeout, ..Limits::default() }), "hostile");
        let endless = parameters(&module, &[("behaviour", Value::Text("endless_loop".to_owned()))]);
        // Its time is what the machine runs it for, which may take longer. One run within the bound shows that the
        // sandbox keeps it: the clock's thread may have to wait for a core as well.
        let runs: Vec<_> = (0..5).map(|_| evaluate(&module, &window, &endless)).collect();
        for run in &runs {
            let failure = run.outcome.clone().unwrap_err();
            assert_eq!(failure.status(), ExecutionStatus::Timeout, "{failure}");
            assert!(failure.to_string().contains(&format!("{} ms", timeout.as_millis())), "{failure}");
            assert!(run.duration >= timeout, "stopped after {:?}, before its {timeout:?}", run.duration);
        }
        let best = runs.iter().map(|run| run.ran).min().unwrap();
        assert!(best <= timeout + SLACK, "it ran for {best:?} at best, its time was {timeout:?}");
        let after = evaluate(&module, &window, &parameters(&module, &[]));
        assert!(after.outcome.is_ok_and(|decision| decision.is_some()));
    }
}
