//! The alerts and dashboards of `k8s/monitoring`: each alert fires and stops, and everything that they name is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod alerts;
mod cases;
mod dashboards;
mod docs;
mod end_to_end;
mod rules;
mod sink;
