//! Every endpoint of the service with its statuses and bodies, in success and in failure, on a running service.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod access;
mod analysis;
mod application;
mod browsers;
mod candidate;
mod chromium;
mod configuration;
mod conformance;
mod costs;
mod dead_jobs;
mod deployment;
mod description;
mod failures;
mod health;
mod history;
mod market;
mod metrics;
mod misfits;
mod modules;
mod neighbours;
mod refusals;
mod repairs;
mod replay;
mod retention;
mod revisions;
mod service;
mod shadow;
mod signals;
mod strategies;
#[path = "../support/mod.rs"]
mod support;
mod turns;
mod who_may;
