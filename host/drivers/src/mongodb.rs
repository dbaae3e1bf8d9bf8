//! The MongoDB that replicas share: configuration, its history, and the bytes of modules.

pub mod config;
pub mod database;
pub mod modules;

pub use database::{Mongo, NAME, UriError};
