//! What the tests across the whole system share: where the built parts are.

use std::path::PathBuf;

pub mod binary;

/// The project's own folder.
pub fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where `make strategies` puts the built-in strategies.
pub fn strategies_dir() -> PathBuf {
    root().join("target/strategies")
}
