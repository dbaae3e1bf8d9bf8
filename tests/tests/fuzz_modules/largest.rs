//! The largest functions that are accepted, in shapes that are slow to compile. There is no time limit for compiling,
//! so only the bounds of the inspection keep the time short.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use ta_bot_fuzz::sandbox;
use ta_bot_wasm::{InspectError, LoadError, Part, StrategyModule, inspect};

/// How long the slowest may take on a machine that is busy with other tests.
const LONGEST: Duration = Duration::from_secs(90);

/// A component that exports the right name, around a core module with this function.
fn with_function(locals: usize, body: &str) -> Vec<u8> {
    let locals = "i64 ".repeat(locals);
    let wat = format!(
        r#"(component (core module (memory 1) (func $f (param i64) (result i64) (local {locals}) {body} (local.get 1)))
             (instance $i) (export "ta-bot:strategy/strategy@1.0.0" (instance $i)))"#
    );
    wat::parse_str(wat).unwrap()
}

fn pieces(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// Every value depends on others far away.
fn tangled_locals(count: usize) -> Vec<u8> {
    let local = |index: usize| 1 + index * 7919 % 1000;
    let piece = |index: usize| {
        let (to, one, other) = (local(index), local(index + 1), local(index * 3 + 7));
        format!("(local.set {to} (i64.mul (local.get {one}) (local.get {other})))")
    };
    with_function(1000, &pieces(count, piece))
}

/// Thousands of values live at once across calls.
fn live_across_calls(count: usize) -> Vec<u8> {
    let piece =
        |index: usize| format!("(local.set {} (call $f (local.get {})))", 1 + index % 3000, 1 + (index * 31) % 3000);
    with_function(3000, &pieces(count, piece))
}

/// Jumps from everywhere to everywhere.
fn jump_tables(count: usize) -> Vec<u8> {
    let targets = (0..500).fold(String::new(), |mut targets, index| {
        write!(targets, "{index} ").unwrap();
        targets
    });
    let tables = pieces(count, |index| {
        format!("(block (br_if 0 (i32.wrap_i64 (local.get 0))) (br_table {targets} (i32.const {index})))")
    });
    with_function(1, &format!("{}{tables}{}", "(block ".repeat(500), ")".repeat(500)))
}

/// A great many branches, each of which changes a value.
fn branches(count: usize) -> Vec<u8> {
    let piece = |index: usize| {
        let (one, other) = (1 + index % 200, 1 + (index * 17) % 200);
        let changes = format!("(local.set {other} (i64.add (local.get {one}) (i64.const 1)))");
        format!("(if (i32.wrap_i64 (local.get {one})) (then {changes}))")
    };
    with_function(200, &pieces(count, piece))
}

/// Loads and stores in many loops.
fn loops(count: usize) -> Vec<u8> {
    let piece = |index: usize| {
        let sum = format!("(i64.add (i64.load (i32.const {index})) (local.get {}))", 1 + index % 100);
        format!("(loop (i64.store (i32.const {index}) {sum}) (br_if 0 (i32.wrap_i64 (local.get 1))))")
    };
    with_function(100, &pieces(count, piece))
}

#[test]
fn the_largest_functions_that_are_taken_are_compiled_in_bounded_time() {
    let shapes = [
        ("tangled locals", tangled_locals(95_000)),
        ("values live across calls", live_across_calls(125_000)),
        ("jump tables", jump_tables(78)),
        ("branches", branches(39_900)),
        ("loops", loops(990)),
    ];
    let sandbox = sandbox();
    for (name, bytes) in shapes {
        let begun = Instant::now();
        let loaded = StrategyModule::load(&sandbox, &bytes);
        let took = begun.elapsed();
        println!("{name}: {} bytes in {took:?}", bytes.len());
        // It was compiled, and only then found to be no strategy.
        assert!(matches!(loaded, Err(LoadError::WrongExports(_))), "{name}");
        assert!(took < LONGEST, "{name} took {took:?}");
    }
}

#[test]
fn larger_ones_are_refused_without_compiling_them() {
    let cases = [
        (Part::LargestFunction, tangled_locals(110_000)),
        (Part::Branches, jump_tables(85)),
        (Part::Branches, branches(40_100)),
        (Part::Loops, loops(1001)),
    ];
    for (expected, bytes) in cases {
        let refusal = inspect(&bytes).unwrap_err();
        assert!(
            matches!(refusal, InspectError::TooComplex { part, .. } if part == expected),
            "{expected:?}: {refusal}"
        );
    }
}
