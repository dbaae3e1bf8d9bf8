//! Modules: their bytes, whether they may decide, and which of them are ready to run.

pub mod admission;
pub mod arrival;
pub mod bundled;
pub mod catalog;
pub mod copies;
pub mod judge;
pub mod loader;
pub mod module_store;
pub mod registry;
pub mod signature;
