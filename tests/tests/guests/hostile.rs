//! Each way to misbehave fails only that evaluation, with its own status and a message that says what happened.

use std::time::Duration;

use ta_bot_core::{EvaluationError, ExecutionStatus, Parameters, Value};
use ta_bot_wasm::{Limits, StrategyModule};

use crate::support::{evaluate, load, parameters, patient, random_walk, sandbox};

fn behaving(module: &StrategyModule, behaviour: &str) -> Parameters {
    parameters(module, &[("behaviour", Value::Text(behaviour.to_owned()))])
}

/// The failure of `behaviour`. Also checks that a normal evaluation right after it is answered.
fn failure_of(module: &StrategyModule, behaviour: &str) -> EvaluationError {
    let window = random_walk(2, 7);
    let failed = evaluate(module, &window, &behaving(module, behaviour));
    let after = evaluate(module, &window, &behaving(module, "fine"));
    assert_eq!(after.outcome.expect("fine").expect("a signal").confidence, 0.75, "after {behaviour}");
    failed.outcome.map(|decision| panic!("{behaviour} answered {decision:?}")).unwrap_err()
}

#[test]
fn each_failure_has_its_status_and_says_what_happened() {
    use ExecutionStatus::{Error, Limit, Trap};
    let expected = [
        ("endless_recursion", Limit, "deeper than 524288 bytes of stack"),
        ("endless_frames", Trap, "out of bounds memory access (running out of stack looks the same)"),
        ("memory_hog", Limit, "bytes of memory, 67108864 are allowed"),
        ("panic", Trap, "the guest panicked on purpose"),
        ("wild_pointer", Trap, "out of bounds memory access"),
        ("log_flood", Limit, "it logged more than 200 lines"),
        ("huge_log_line", Limit, "a line of its log takes more than 1048576 bytes"),
        ("huge_result", Limit, "its answer or a line of its log takes more than 1048576 bytes"),
        ("huge_text", Limit, "its answer or a line of its log takes more than 1048576 bytes"),
        ("broken_text", Trap, "utf-8"),
        ("nan_everywhere", Error, "confidence is NaN"),
        ("confidence_seven", Error, "confidence is 7"),
        ("infinite_price", Error, "price is inf"),
    ];
    let module = load(&sandbox(patient()), "hostile");
    for (behaviour, status, words) in expected {
        let failure = failure_of(&module, behaviour);
        assert_eq!(failure.status(), status, "{behaviour}: {failure}");
        assert!(failure.to_string().contains(words), "{behaviour}: {failure}");
    }
}

#[test]
fn a_stop_on_the_wrong_side_is_an_answer_that_becomes_no_signal() {
    // The guest did not fail; ta-bot-core drops the decision when it makes the signal.
    let module = load(&sandbox(patient()), "hostile");
    let evaluation = evaluate(&module, &random_walk(2, 7), &behaving(&module, "wrong_side_stop"));
    let decision = evaluation.outcome.unwrap().unwrap();
    assert!(decision.stop_loss > decision.price);
}

#[test]
fn a_check_that_never_returns_is_stopped_as_well() {
    let module = load(&sandbox(Limits { timeout: Duration::from_millis(50), ..Limits::default() }), "hostile");
    let failure = module.check(&behaving(&module, "endless_check")).unwrap_err();
    assert_eq!(failure.status(), ExecutionStatus::Timeout, "{failure}");
    assert_eq!(module.check(&behaving(&module, "fine")), Ok(()));
}

#[test]
fn what_an_evaluation_takes_is_measured_and_is_the_same_each_time() {
    const PAGE: u64 = 64 << 10;
    let module = load(&sandbox(patient()), "hostile");
    let window = random_walk(2, 7);
    let usage = |behaviour| evaluate(&module, &window, &behaving(&module, behaviour)).usage;
    let fine = usage("fine");
    assert_eq!(usage("fine"), fine);
    assert!(fine.memory_bytes >= PAGE && fine.memory_bytes.is_multiple_of(PAGE), "{fine:?}");
    let given = module.description().lookback.min(2) as usize * module.description().columns.count();
    assert_eq!(fine.bytes_in, 8 * given as u64);
    assert!((8..1000).contains(&fine.bytes_out), "{fine:?}");
    // An evaluation that is stopped at its memory limit has used nearly all of it.
    let hog = usage("memory_hog");
    assert!((60 << 20..=64 << 20).contains(&hog.memory_bytes), "{hog:?}");
    assert_eq!((hog.bytes_in, hog.bytes_out), (fine.bytes_in, 0));
    let flood = usage("log_flood");
    let lines = 200 * "The same line, again and again.".len() as u64;
    assert!((lines..=lines + 100).contains(&flood.bytes_out), "{flood:?}");
}
