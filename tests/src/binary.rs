//! The built `ta-bot`.

use std::path::PathBuf;

/// The path of the binary that was built beside the running test: cargo puts tests into `deps` and binaries into its
/// parent folder.
///
/// # Panics
///
/// If the binary was not built.
pub fn ta_bot() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let binary = test.parent().and_then(|deps| deps.parent()).map(|folder| folder.join("ta-bot")).unwrap_or_default();
    assert!(binary.exists(), "{} is not built: cargo build -p ta-bot, or make test", binary.display());
    binary
}
