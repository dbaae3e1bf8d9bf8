//! Strategies over the past: the live evaluation again, what its signals would have made, and how far to trust it.
//!
//! [`run`] evaluates modules as the service does. Nothing else here needs a module: the rest follows from signals and
//! candles.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

pub mod run;
