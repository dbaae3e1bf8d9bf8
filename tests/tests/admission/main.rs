//! What the host finds out about a module before it may be enabled.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod compiled;
mod faulty;
mod inspection;
mod room;
mod sound;
#[path = "../support/mod.rs"]
mod support;
