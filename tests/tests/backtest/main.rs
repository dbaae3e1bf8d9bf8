//! Backtests through the built binary: they give the signals that the service stored candle by candle, and the same
//! bytes however they are run. Money and statistics beside other implementations, which run in processes of their own,
//! and the report in a real Chromium.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod live;
mod money;
mod oracle;
mod report;
#[path = "../cli/run.rs"]
#[allow(dead_code, reason = "the tests of commands use all of it")]
mod run;
mod same;
mod statistics;
mod words;
