//! An author's mistake reaches the host with its words, its line and its cause, in every SDK.

use std::time::Duration;

use ta_bot_core::Value;
use ta_bot_wasm::{Limits, StrategyModule};

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

/// Whatever the language, an answer that no strategy may give is named.
fn says_what_no_strategy_may_do(module: &StrategyModule) {
    contains(&mistake(module, "confidence"), &["confidence is 1.5: it must lie in [0, 1]"]);
    contains(&mistake(module, "price"), &["is NaN: it must be a finite number"]);
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
    for (which, words) in [
        ("reading", ["metadata['rsi'] = [1.0] must be a bool, an int", "(mistakes.py, line 48"]),
        ("action", ["action = 'by' (did you mean buy?) must be one of", "(mistakes.py, line 50"]),
        ("type", ["evaluate returned a float: it must be a Signal or None", "TypeError"]),
        ("depth", ["RecursionError", "(mistakes.py, line 54, in further)"]),
    ] {
        contains(&mistake(&module, which), &words);
    }
    says_what_no_strategy_may_do(&module);
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
    for (which, words) in [
        ("reading", ["metadata.rsi = 1 must be a number, an integer()", "(mistakes.js, line 43"]),
        ("action", ["action = by (did you mean buy?) must be one of buy, sell", "(mistakes.js, line 44"]),
        ("type", ["evaluate returned a number: it must return buy(…)", "TypeError"]),
        ("depth", ["hit a limit", "its calls went deeper than"]),
    ] {
        contains(&mistake(&module, which), &words);
    }
    says_what_no_strategy_may_do(&module);
}

#[test]
fn go_says_the_panic_and_its_line() {
    let module = load(&sandbox(patient()), "mistakes_go");
    contains(
        &mistake(&module, "evaluate"),
        &["index out of range [11] with length 3 (main.go, line 51, in main.deeper)"],
    );
    contains(
        &mistake(&module, "field"),
        &["the reading rsi is a []int: it must be a bool, an int", "(main.go, line 42"],
    );
    contains(
        &mistake(&module, "column"),
        &["the column Volume is read, but not declared: add it to Columns", "line 45"],
    );
    contains(&refusal(&module), &["Check: panic: assignment to entry in nil map (main.go, line 32, in main.check)"]);
    contains(&mistake(&module, "depth"), &["its calls went deeper than"]);
    says_what_no_strategy_may_do(&module);
}

#[test]
fn c_says_what_does_not_hold_and_its_line() {
    let module = load(&sandbox(patient()), "mistakes_c");
    contains(&mistake(&module, "evaluate"), &["mistakes.c, line 23: this does not hold: window->length > 9"]);
    contains(&mistake(&module, "answer"), &["the ninth candle of 3 is missing"]);
    says_what_no_strategy_may_do(&module);
}

/// A loop without an end is ended, in compiled and in interpreted languages alike.
#[test]
fn what_never_ends_is_stopped() {
    let sandbox = sandbox(Limits { timeout: Duration::from_secs(1), ..patient() });
    for language in ["c", "go", "js"] {
        let module = load(&sandbox, &format!("mistakes_{language}"));
        contains(&mistake(&module, "endless"), &["the strategy was stopped"]);
    }
}
