//! The servers' temporary folders.

use std::{env, fs, process, sync::Once};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

const PREFIX: &str = "ta-bot-test-";

/// A new folder, which is removed when its guard is dropped.
pub(crate) fn new(name: &str) -> Result<TempDir> {
    static SWEEP: Once = Once::new();
    SWEEP.call_once(sweep);
    // The system's folder for temporary files has a short path: the path of a Unix socket may have at most 107 bytes.
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-{name}-", process::id()))
        .tempdir()
        .context("can't make a temporary folder")
}

/// Removes the folders of processes that are gone: a static guard is never dropped, and a killed test drops nothing.
fn sweep() {
    let Ok(entries) = fs::read_dir(env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
        let Some(owner) = rest.split('-').next().and_then(|id| id.parse::<u32>().ok()) else { continue };
        if !fs::exists(format!("/proc/{owner}")).unwrap_or(true) {
            // Another process may sweep at the same time.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
