//! Modules: their bytes, whether they may decide, and those that are ready to run.
pub mod admission;
pub mod bundled;
pub mod catalog;
pub mod copies;
pub mod loader;
pub mod module_store;
pub mod registry;
pub mod signature;
