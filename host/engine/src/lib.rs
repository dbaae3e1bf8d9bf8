//! The engine of TA Bot: it processes candles, modules and parameters.
//!
//! The engine depends on no server, no HTTP and no command line. A *port* is a file with a trait and its errors; the
//! drivers that implement it are in `ta-bot-drivers`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

#[cfg(test)]
extern crate self as ta_bot_engine;

pub mod deployments;
pub mod evaluation;
pub mod market;
pub mod modules;
pub mod pipeline;
pub mod retention;
pub mod settings;
pub mod signals;
pub mod supervision;
pub mod support;

/// The embedded drivers, for unit tests: see [`testing`].
#[cfg(test)]
#[path = "../../drivers/src"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the tests use only a part of the drivers")]
mod drivers {
    pub(crate) mod sqlite;
}
#[cfg(test)]
mod testing;

// The drivers refer to modules of their own crate by this path.
#[cfg(test)]
use drivers::sqlite;
