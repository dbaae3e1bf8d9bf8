//! The built binary, as a person and as a script use it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod analyze;
mod authoring;
mod candles;
mod check;
mod compared;
mod costs;
mod crowd;
mod deployments;
mod disk;
mod docs;
mod doctor;
mod failures;
mod files;
mod kept_modules;
mod migrate;
mod modules;
mod outbox;
mod prune;
mod run;
mod serve;
mod signals;
mod strategies;
mod usage;
