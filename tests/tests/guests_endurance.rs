//! A thousand rounds of every way to misbehave: no memory, no instance and no thread leaks, and a well-behaved
//! evaluation in between answers as always.
//!
//! This file has only one test, because the test measures the memory and the threads of the whole process.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "support/mod.rs"]
mod support;

use std::{fs, thread, time::Duration};

use ta_bot_core::{CandleWindow, Decision, EvaluationError, Parameters, Value};
use ta_bot_wasm::{Limits, Sandbox, StrategyModule};

use support::{evaluate, load, parameters, random_walk, sandbox};

const ROUNDS: usize = 1000;
/// Rounds of the behaviours that fill 64 MiB each time: they are expensive, and nothing in them grows with the rounds.
const LARGE_ROUNDS: usize = 50;
const LARGE: [&str; 4] = ["memory_hog", "huge_log_line", "huge_result", "huge_text"];
/// How much the process may have grown at the end. A leaked instance of the smallest kind would be 64 KiB a failure, a
/// thousand times; a leaked answer would be a megabyte.
const TOLERANCE: usize = 24 << 20;

struct Guest {
    module: StrategyModule,
    window: CandleWindow,
    behaviours: Vec<(String, Parameters)>,
}

impl Guest {
    fn new(sandbox: &Sandbox, behaviours: impl Fn(&str) -> bool) -> Self {
        let module = load(sandbox, "hostile");
        let window = random_walk(2, 7);
        let choices = module.description().schema.specs()[0].choices.clone();
        let behaviours = choices.into_iter().filter(|name| behaviours(name)).map(|name| {
            let set = parameters(&module, &[("behaviour", Value::Text(name.clone()))]);
            (name, set)
        });
        let behaviours = behaviours.collect();
        Self { module, window, behaviours }
    }

    /// Runs every behaviour once, each followed by a normal answer.
    fn round(&self) {
        let fine = parameters(&self.module, &[]);
        for (name, set) in &self.behaviours {
            let answers = matches!(name.as_str(), "fine" | "endless_check" | "wrong_side_stop");
            let outcome = if answers { self.answer(set) } else { evaluate(&self.module, &self.window, set).outcome };
            assert_eq!(outcome.is_ok(), answers, "{name}: {outcome:?}");
            if name == "endless_check" {
                assert!(matches!(self.module.check(set), Err(EvaluationError::Timeout { .. })));
            }
            let after = self.answer(&fine);
            let decision = after.unwrap_or_else(|error| panic!("fine after {name}: {error}")).unwrap();
            assert_eq!((decision.confidence, decision.stop_loss.is_some()), (0.75, true), "fine after {name}");
        }
    }

    /// An answer that takes microseconds. It is tried again if the machine was busy for the whole of a short timeout.
    fn answer(&self, parameters: &Parameters) -> Result<Option<Decision>, EvaluationError> {
        let mut outcomes = (0..10).map(|_| evaluate(&self.module, &self.window, parameters).outcome);
        outcomes.find(|outcome| !matches!(outcome, Err(EvaluationError::Timeout { .. }))).unwrap()
    }

    fn rounds(&self, count: usize) {
        for _ in 0..count {
            self.round();
        }
    }
}

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The number of threads of this process, after those that were joined have disappeared from the system's count: a join
/// may return before that.
fn threads() -> usize {
    let count = || -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
        line.trim().parse().unwrap()
    };
    let later = (0..20).map(|_| {
        thread::sleep(Duration::from_millis(10));
        count()
    });
    later.min().unwrap()
}

/// Two threads share the rounds, like the pipeline's workers, because most of a round is waiting for a timeout.
fn run(guest: &Guest, rounds: usize) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| guest.rounds(rounds / 2));
        }
    });
}

#[test]
fn a_thousand_rounds_lose_nothing() {
    // The smaller memory makes the large behaviours fail early here; they have rounds of their own with the usual
    // memory.
    let short = Limits { timeout: Duration::from_millis(20), memory_bytes: 4 << 20, ..Limits::default() };
    let long = Limits { timeout: Duration::from_secs(10), ..Limits::default() };
    let every = Guest::new(&sandbox(short), |_| true);
    let large = Guest::new(&sandbox(long), |name| LARGE.contains(&name));
    assert_eq!(large.behaviours.len(), LARGE.len());

    run(&every, 20);
    run(&large, 4);
    let before = (resident(), threads());
    run(&every, ROUNDS);
    run(&large, LARGE_ROUNDS);
    let after = (resident(), threads());

    println!("resident {} to {} KiB, threads {} to {}", before.0 >> 10, after.0 >> 10, before.1, after.1);
    assert_eq!(after.1, before.1, "threads");
    assert!(after.0 <= before.0 + TOLERANCE, "resident memory went from {} to {} bytes", before.0, after.0);
    // Far more evaluations have failed by now than the pool has instances, and it still has a free one.
    every.round();
    large.round();
}
