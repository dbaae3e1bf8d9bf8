//! What holds for every built-in strategy, whatever its rule, tested through the real components in the real sandbox.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod hostile;
mod levels;
mod lookback;
mod market;
mod parameters;
mod size;
