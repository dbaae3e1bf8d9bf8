//! Problems with opening the file, reported so that an operator can act on them.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use ta_bot_engine::support::store_error::StoreError;

use super::{NAME, file_in};

/// Creates `data_dir` if it does not exist, and returns the path of the database file.
pub(super) fn prepare(data_dir: &Path) -> Result<PathBuf, StoreError> {
    let shown = data_dir.display();
    let cannot_write = |reason| Err(StoreError::CannotWrite { store: NAME, reason });
    match fs::metadata(data_dir) {
        Ok(found) if !found.is_dir() => {
            return cannot_write(format!("DATA_DIR is {shown}, which is no directory: set DATA_DIR to a directory"));
        }
        Ok(_) => {}
        Err(_) => {
            if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(data_dir) {
                return cannot_write(format!(
                    "DATA_DIR is {shown}, which is not there and can't be made ({error}): set DATA_DIR to a directory \
                     that the user that runs TA Bot can write to"
                ));
            }
        }
    }
    let path = file_in(data_dir);
    if path.is_dir() {
        let reason = format!("{} is a directory, not a database: move it away", path.display());
        return Err(StoreError::Corrupt { store: NAME, reason });
    }
    Ok(path)
}

/// Adds to an error of opening which file it is about and, if the file can't be written, the reason that the operating
/// system gives.
pub(super) fn explain(data_dir: &Path, path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        StoreError::Unavailable { store, reason } => {
            StoreError::Unavailable { store, reason: format!("{path}: {reason}") }
        }
        StoreError::Corrupt { store, reason } => StoreError::Corrupt { store, reason: format!("{path}: {reason}") },
        StoreError::CannotWrite { store, reason } => {
            let system = probe(data_dir).err().map(|error| format!(" ({error})")).unwrap_or_default();
            StoreError::CannotWrite { store, reason: format!("{path}: {reason}{system}") }
        }
    }
}

/// Tries to write into `data_dir`.
fn probe(data_dir: &Path) -> io::Result<()> {
    let path = data_dir.join(format!(".write-check-{}", std::process::id()));
    let written = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = written.and_then(|mut file| io::Write::write_all(&mut file, &[0; 4096]));
    // If the file could not be created, there is nothing to remove.
    fs::remove_file(&path).ok();
    written
}
