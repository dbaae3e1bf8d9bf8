//! Bytes and documents that are made to break whatever the service reads besides modules: files of candles, bundles,
//! files of tokens and of webhooks, bodies of requests, messages on NATS, documents in MongoDB. Whatever comes, there
//! is an answer or an error with words, no panic and no hang, and the service goes on.
//!
//! Inputs are mutations of sound ones, determined by a seed. There are a few hundred for each door; `make fuzz` goes on
//! for `FUZZ_SECONDS` at each.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod files;
mod mutate;
mod service;
