//! The drivers of stores, bus and leadership against real servers, which each test starts and may kill.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod lease;
mod mongodb;
mod mysql;
mod nats;
mod ways;
