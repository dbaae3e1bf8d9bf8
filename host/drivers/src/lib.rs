//! The servers that TA Bot talks to: one folder for each server, with one file for each port.
//!
//! Each server except the embedded SQLite is a cargo feature.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

#[cfg(any(feature = "kubernetes", feature = "nats"))]
mod causes;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "mysql")]
pub mod mysql;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod sqlite;
#[cfg(test)]
mod tests;
#[cfg(any(feature = "otlp", feature = "webhooks"))]
pub mod tls;
#[cfg(feature = "webhooks")]
pub mod webhooks;
