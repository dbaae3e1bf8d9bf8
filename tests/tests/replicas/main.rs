//! Three replicas of the service as they run in production: MySQL, MongoDB, NATS and a Kubernetes Lease, all of them
//! real servers, each `ta-bot` a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod chance;
mod expected;
mod fleet;
mod market;
mod replica;
mod storm;
mod stream;
mod whole_loop;
