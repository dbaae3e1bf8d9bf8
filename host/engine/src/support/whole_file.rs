//! Replaces files atomically: if the process is killed at any moment, either the old file or the new one is there.

use std::{
    fs::File,
    io::{self, Write as _},
    path::Path,
};

use tempfile::NamedTempFile;

/// Writes a new file in the same folder, accessible to its owner only, and moves it to `path`. Both the file and the
/// folder are synced to disk.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    // The temporary file has a unique name, and is removed if anything fails.
    let mut beside = NamedTempFile::new_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    File::open(folder)?.sync_all()
}
