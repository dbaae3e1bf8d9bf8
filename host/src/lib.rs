//! The TA Bot service: closed candles in, sandboxed strategies, signals out.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

pub mod app;
pub mod cli;
pub mod environment;
pub mod logging;
pub mod simulation;
