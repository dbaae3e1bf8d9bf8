//! Receivers of signals over HTTP: real servers that fail in every way, and the built service.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod delivery;
mod file;
mod leader;
mod receiver;
mod requests;
mod service;
