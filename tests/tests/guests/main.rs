//! Guests in every language and with every behaviour, in the real sandbox.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod examples;
mod hostile;
mod imports;
mod languages;
mod mistakes;
#[path = "../support/mod.rs"]
mod support;
