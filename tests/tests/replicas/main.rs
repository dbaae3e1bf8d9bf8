//! Three replicas of the service as they run in production: each `ta-bot` is a process of its own, and MySQL, MongoDB,
//! NATS and a Kubernetes Lease are on real servers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod bad_events;
mod commands;
mod configuration;
mod expected;
mod followers;
mod leaders;
mod pause;
mod readers;
mod shutdown;
mod storm;
mod swaps;
mod telemetry;
mod terms;
mod together;
mod upgrade;
mod whole_loop;
