//! The embedded database: one SQLite file in `DATA_DIR` that holds candles, settings and signals.

pub mod candles;
pub mod config;
pub mod costs;
pub mod database;
pub mod deployments;
pub mod failures;
pub mod modules;
pub mod outbox;
pub mod redecisions;
pub mod retention;
pub mod revisions;
pub mod shadows;

pub use database::{Database, FILE_NAME, NAME, inspect, store_error};
