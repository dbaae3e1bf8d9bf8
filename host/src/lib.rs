//! The TA Bot service: closed candles in, sandboxed strategies, signals out.
//!
//! Imports run one way: `main` → `app` → {`schedule`, `pipeline`, `relay`, `http`} → {`registry`, ports} → `ta-bot-core`.
//! A port is a file with a trait and its errors; its drivers sit beneath it, and only `app` names them.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

pub mod admission;
pub mod analysis;
pub mod app;
pub mod auth;
pub mod backoff;
pub mod budget;
pub mod bus;
pub mod candles;
pub mod catalog;
pub mod cli;
pub mod comparison;
pub mod config;
pub mod costs;
pub mod deployments;
pub mod env;
pub mod evaluation;
pub mod failure;
pub mod feed;
mod freshness;
pub mod health;
pub mod history;
pub mod http;
pub mod impact;
pub mod import;
pub mod jobs;
pub mod last_known;
pub mod leadership;
pub mod ledger;
pub mod loader;
pub mod log_limit;
pub mod logging;
pub mod metrics;
pub mod modules;
pub mod mongo;
pub mod mysql;
pub mod nats;
pub mod outbox;
mod outcome_view;
pub mod parameters;
pub mod pipeline;
pub mod refresh;
pub mod registry;
pub mod relay;
pub mod replay;
pub mod rollout;
pub mod schedule;
pub mod settings;
pub mod shadow;
pub mod shadows;
pub mod signature;
pub mod sqlite;
pub mod store;
mod whole_file;
