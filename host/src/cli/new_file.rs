//! Files that a command writes and that must not be there yet.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::error::CliError;

/// A new file; where there is one by this name that is the error of `exists`, whatever it holds.
pub(super) fn create(path: &Path, mode: u32, exists: fn(PathBuf) -> CliError) -> Result<File, CliError> {
    let created = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    created.map_err(|reason| match reason.kind() {
        io::ErrorKind::AlreadyExists => exists(path.to_owned()),
        _ => CliError::Write { path: path.to_owned(), reason },
    })
}

/// Writes it, onto the disk.
pub(super) fn fill(path: &Path, file: &mut File, bytes: &[u8]) -> Result<(), CliError> {
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|reason| CliError::Write { path: path.to_owned(), reason })
}

/// Both, for what is no key. Where it can't be written there is no file.
pub(super) fn write(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), CliError> {
    let mut file = create(path, mode, |path| CliError::FileExists { path })?;
    let filled = fill(path, &mut file, bytes);
    if filled.is_err() {
        // What is cut off in the middle is of no use, and would be in the way of the next try.
        fs::remove_file(path).ok();
    }
    filled
}
