//! What operators set: strategies' parameters and the application's settings.

pub mod application;
mod book;
pub mod config_store;
pub mod last_known;
pub mod migration;
pub mod parameters;
pub mod refresh;
