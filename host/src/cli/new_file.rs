//! Files that a command writes and that must not exist yet.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::error::CliError;

/// Creates a new file. If a file of this name exists, whatever it holds, the error is the one that `exists` makes.
pub(super) fn create(path: &Path, mode: u32, exists: fn(PathBuf) -> CliError) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    created.map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => exists(path.to_owned()),
        _ => CliError::Write { path: path.to_owned(), reason },
    })
}

/// Writes `bytes` to a new file, and onto the disk.
pub(super) fn fill(path: &Path, file: &mut File, bytes: &[u8]) -> Result<(), CliError> {
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|reason| CliError::Write { path: path.to_owned(), reason })
}

/// Creates and fills a file that is not a key. If it can't be written, no file remains.
pub(super) fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), CliError> {
    let mut file = create(path, mode, |path| CliError::FileExists { path })?;
    let filled = fill(path, &mut file, bytes);
    if filled.is_err() {
        // A file that is cut off in the middle is useless and would be in the way of the next try.
        fs::remove_file(path).ok();
    }
    filled
}
