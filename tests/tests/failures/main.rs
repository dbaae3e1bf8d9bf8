//! A strategy that fails disturbs no other one, leaves a bundle of each failure, and evaluates fewer and fewer candles.
//! Another process can replay a bundle with nothing but the bundle and the module. The reach of a fault is the series,
//! and what the machine does not run does not count.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod command;
mod paused;
mod pipeline;
mod recorder;
mod service;
#[path = "../support/mod.rs"]
mod support;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value as Json;
use ta_bot_tests::{binary::ta_bot, strategies_dir};

/// The strategy that traps on ETHUSDT.
const FAULTY: &str = "traps_on_symbol";
/// The strategy that traps on every symbol but BTCUSDT.
const FAULTY_ON_OTHERS: &str = "traps_on_others";

/// Runs `ta-bot replay` in a process without a service. Returns its exit code and its answer. Its `DATA_DIR` does not
/// exist, and must not be created.
fn replay(folder: &Path, arguments: &[&str], stdin: &[u8]) -> (Option<i32>, Json) {
    let nowhere = folder.join("nowhere");
    let mut command = Command::new(ta_bot());
    command.env_clear().env("DATA_DIR", &nowhere).env("STRATEGIES_DIR", &nowhere);
    command.arg("replay").args(arguments).arg("--json").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Writing fails if the command has ended without reading it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(!nowhere.exists(), "a folder was made");
    let json = serde_json::from_slice(&output.stdout);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {output:?}")))
}

/// A folder with some of the built-in strategies, and some of the faulty ones.
fn strategies(folder: &Path, built_in: &[&str], faulty: &[&str]) -> PathBuf {
    let strategies = folder.join("strategies");
    std::fs::create_dir_all(&strategies).unwrap();
    for id in built_in {
        std::fs::copy(strategies_dir().join(format!("{id}.wasm")), strategies.join(format!("{id}.wasm"))).unwrap();
    }
    for name in faulty {
        std::fs::write(strategies.join(format!("{name}.wasm")), support::component(&format!("faulty_{name}"))).unwrap();
    }
    strategies
}
