//! Guests in every language and with every behaviour, in the real sandbox.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod hostile;
mod imports;
mod languages;
#[path = "../support/mod.rs"]
mod support;
