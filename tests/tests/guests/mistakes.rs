//! An author's mistake reaches the host with its words, its line and its cause, in every SDK.

use ta_bot_core::Value;
use ta_bot_wasm::StrategyModule;

use crate::support::{evaluate, load, parameters, patient, random_walk, sandbox};

fn mistake(module: &StrategyModule, which: &str) -> String {
    let set = [("mistake", Value::Text(which.to_owned()))];
    let evaluation = evaluate(module, &random_walk(3, 1), &parameters(module, &set));
    evaluation.outcome.unwrap_err().to_string()
}

fn refusal(module: &StrategyModule) -> String {
    module.check(&parameters(module, &[("mistake", Value::Text("check".to_owned()))])).unwrap_err().to_string()
}

/// Each has to be within the text.
fn contains(text: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| text.contains(part)), "{text} should say {parts:?}");
}

#[test]
fn python_says_the_exception_its_line_and_its_cause() {
    let module = load(&sandbox(patient()), "mistakes_python");
    let deeper = mistake(&module, "evaluate");
    contains(&deeper, &["ValueError: the ninth candle is missing (mistakes.py, line 39, in deeper)"]);
    contains(&deeper, &["caused by IndexError:", "(mistakes.py, line 37, in deeper)"]);
    contains(&mistake(&module, "field"), &["stopLoss is no field of a signal (did you mean stop_loss?)", "line 29"]);
    contains(&mistake(&module, "column"), &["the column volume is read, but not declared: add 'volume'", "line 31"]);
    contains(&refusal(&module), &["KeyError: 'there is no such key' (mistakes.py, line 23, in check)"]);
}

#[test]
fn javascript_says_the_error_its_line_and_its_cause() {
    let module = load(&sandbox(patient()), "mistakes_js");
    let deeper = mistake(&module, "evaluate");
    contains(&deeper, &["Error: the ninth candle is missing (mistakes.js, line 14, in deeper)"]);
    contains(&deeper, &["caused by TypeError: not a function (mistakes.js, line 12, in deeper)"]);
    contains(&mistake(&module, "field"), &["stop_loss is no field of a signal (did you mean stopLoss?)", "line 34"]);
    contains(&mistake(&module, "column"), &["the column volume is read, but not declared: add 'volume'", "line 35"]);
    contains(&refusal(&module), &["TypeError: cannot read property 'nothing' of undefined (mistakes.js, line 29"]);
}

#[test]
fn go_says_the_panic_and_its_line() {
    let module = load(&sandbox(patient()), "mistakes_go");
    contains(
        &mistake(&module, "evaluate"),
        &["index out of range [11] with length 3 (main.go, line 47, in main.deeper)"],
    );
    contains(
        &mistake(&module, "field"),
        &["the reading rsi is a []int: it must be a bool, an int", "(main.go, line 38"],
    );
    contains(
        &mistake(&module, "column"),
        &["the column Volume is read, but not declared: add it to Columns", "line 41"],
    );
    contains(&refusal(&module), &["Check: panic: assignment to entry in nil map (main.go, line 28, in main.check)"]);
}

#[test]
fn c_says_what_does_not_hold_and_its_line() {
    let module = load(&sandbox(patient()), "mistakes_c");
    contains(&mistake(&module, "evaluate"), &["mistakes.c, line 13: this does not hold: window->length > 9"]);
    contains(&mistake(&module, "answer"), &["the ninth candle of 3 is missing"]);
}
