//! What a guest gets from outside: a virtual WASI at most, and never a socket.

use std::fs;

use ta_bot_core::{CandleWindow, Decision, Value};
use ta_bot_tests::root;
use ta_bot_wasm::{InspectError, LoadError, StrategyModule};

use crate::support::{evaluate, job, load, parameters, patient, random_walk, sandbox};

fn probe(module: &StrategyModule, window: &CandleWindow) -> Decision {
    evaluate(module, window, &parameters(module, &[])).outcome.unwrap().unwrap()
}

fn reading<'a>(decision: &'a Decision, name: &str) -> &'a Value {
    let found = decision.metadata.iter().find(|(entry, _)| entry == name);
    &found.unwrap_or_else(|| panic!("no reading {name} in {:?}", decision.metadata)).1
}

#[test]
fn sockets_are_refused_by_name() {
    let text = fs::read_to_string(root().join("tests/guests/hostile/sockets.wat")).unwrap();
    let bytes = wat::parse_str(text).unwrap();
    let Err(refusal) = StrategyModule::load(&sandbox(patient()), &bytes) else { panic!("it was taken") };
    assert!(matches!(refusal, LoadError::Inspect(InspectError::ForbiddenImports(_))), "{refusal}");
    assert!(refusal.to_string().contains("wasi:sockets/tcp@0.2.0"), "{refusal}");
}

#[test]
fn what_is_no_component_is_refused_with_a_reason() {
    let refusal = |bytes: &[u8]| match StrategyModule::load(&sandbox(patient()), bytes) {
        Err(refusal) => refusal.to_string(),
        Ok(_) => panic!("it was taken"),
    };
    assert!(refusal(b"not wasm").contains("no WebAssembly component"));
    assert!(refusal(&wat::parse_str("(module)").unwrap()).contains("core WebAssembly module, not a component"));
    assert!(
        refusal(&wat::parse_str("(component)").unwrap()).contains("does not export ta-bot:strategy/strategy@1.0.0")
    );
}

#[test]
fn two_runs_of_a_guest_that_asks_wasi_are_equal() {
    let module = load(&sandbox(patient()), "wasi_probe");
    let window = random_walk(3, 1);
    let first = probe(&module, &window);
    assert_eq!(first, probe(&module, &window));
    // To the guest, another sandbox looks like another process.
    assert_eq!(first, probe(&load(&sandbox(patient()), "wasi_probe"), &window));
    assert_eq!(reading(&first, "wall_clock_ms"), &Value::Number(job(&window).candle_close.millis() as f64));
    assert_eq!(reading(&first, "elapsed_ns"), &Value::Number(0.0));
    assert_eq!(reading(&first, "variables"), &Value::Integer(0));
    assert_eq!(reading(&first, "arguments"), &Value::Integer(0));
    assert_eq!(reading(&first, "sees_files"), &Value::Boolean(false));
}

#[test]
fn another_job_has_another_time_and_another_chance() {
    let module = load(&sandbox(patient()), "wasi_probe");
    let (one, other) = (probe(&module, &random_walk(3, 1)), probe(&module, &random_walk(4, 1)));
    assert_ne!(reading(&one, "chance"), reading(&other, "chance"));
    assert_ne!(reading(&one, "wall_clock_ms"), reading(&other, "wall_clock_ms"));
}
