//! Who may read the folder and the file, and problems with opening the file, reported so that an operator can act on
//! them.
//!
//! The database holds what a trader would not show: settings, signals, modules. It is its owner's alone, whatever the
//! umask of the process and whatever an older version left.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use ta_bot_engine::support::store_error::StoreError;

use super::{FILE_NAME, NAME, file_in};

/// What TA Bot keeps in `DATA_DIR`: how the names begin.
const OURS: [&str; 8] =
    [FILE_NAME, "serve.lock", "local.", "compiled", "modules", "last-known-configuration", ".write-check", ".tmp"];
/// What others may do with a file or a folder.
const OTHERS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// Creates `data_dir` if it does not exist, and returns the path of the database file.
pub(super) fn prepare(data_dir: &Path) -> Result<PathBuf, StoreError> {
    let shown = data_dir.display();
    let cannot_write = |reason| Err(StoreError::CannotWrite { store: NAME, reason });
    match fs::metadata(data_dir) {
        Ok(found) if !found.is_dir() => {
            return cannot_write(format!("DATA_DIR is {shown}, which is no directory: set DATA_DIR to a directory"));
        }
        Ok(_) => close_folder(data_dir),
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
    close_files(&path);
    Ok(path)
}

/// Takes from others what they may do with a folder that holds nothing but what is ours. Another folder stays as it is:
/// it may be one that other programs need.
fn close_folder(data_dir: &Path) {
    let Ok(mode) = fs::metadata(data_dir).map(|found| found.permissions().mode() & 0o7777) else { return };
    if mode & OTHERS == 0 {
        return;
    }
    let is_ours = |name: &OsStr| name.to_str().is_some_and(|name| OURS.iter().any(|ours| name.starts_with(ours)));
    let all_ours =
        fs::read_dir(data_dir).is_ok_and(|entries| entries.flatten().all(|entry| is_ours(&entry.file_name())));
    let closed = mode & STICKY == 0 && all_ours && fs::set_permissions(data_dir, Permissions::from_mode(0o700)).is_ok();
    if !closed {
        tracing::warn!(
            folder = %data_dir.display(), mode = format!("{mode:o}"),
            "others may use DATA_DIR: let it be a folder for TA Bot alone, with the mode 700"
        );
    }
}

/// Takes from others what they may do with the file, and makes it if there is none. SQLite gives the log beside it the
/// same permissions. The file is not opened if it is there: closing it would end the locks that this process has on it.
fn close_files(path: &Path) {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    // If it can't be made, opening it as a database says why.
    drop(made);
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        let is_open = fs::metadata(&name).is_ok_and(|found| found.permissions().mode() & 0o777 != 0o600);
        if is_open && let Err(error) = fs::set_permissions(&name, Permissions::from_mode(0o600)) {
            tracing::warn!(file = %name.display(), %error, "others may read the file, and that can't be changed");
        }
    }
}

/// Adds to an error of opening which file it is about and, if the file can't be written, the reason that the operating
/// system gives.
pub(super) fn explain(data_dir: &Path, path: &Path, error: StoreError) -> StoreError {
    let path = path.display();
    match error {
        // Opening stores no value.
        fit @ StoreError::DoesNotFit { .. } => fit,
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
