//! The MongoDB server that replicas share: it holds the configuration, its history, and the bytes of modules.

pub mod config;
pub mod database;
pub mod inspect;
pub mod modules;
pub mod retention;

pub use database::{Mongo, NAME, UriError};
