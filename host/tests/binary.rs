//! Tests that the binary runs. The tests of what it does are in the crate `ta-bot-tests`. This test exists so that
//! cargo builds the binary together with the tests and with the same features, instead of a second time.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::process::Command;

#[test]
fn says_its_version() {
    let output = Command::new(env!("CARGO_BIN_EXE_ta-bot")).arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), concat!("ta-bot ", env!("CARGO_PKG_VERSION")));
}
