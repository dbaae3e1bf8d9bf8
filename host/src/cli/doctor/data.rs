//! `DATA_DIR`: whether it can be used, by whom, and how much room there is.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access, statfs, statvfs};
use ta_bot_drivers::sqlite::FILE_NAME;
use ta_bot_engine::support::checkup::{Checkup, Finding, within};

use super::LIMIT;
use crate::environment::Environment;

const FOLDER: &str = "folder";
const MODE: &str = "mode";
const DISK: &str = "disk";
const FILE_SYSTEM: &str = "file_system";
const SERVICE: &str = "service";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 5] = [FOLDER, MODE, DISK, FILE_SYSTEM, SERVICE];

const MIB: u64 = 1 << 20;
/// With less room than this a commit may fail at any time.
const LEAST_ROOM: u64 = 64 * MIB;
/// With less than this there is no room for compiled modules and copies of deployed ones.
const GOOD_ROOM: u64 = 512 * MIB;
/// A file system with fewer free entries than this takes no new files soon.
const LEAST_ENTRIES: u64 = 100;
/// What others may do.
const OTHERS: u32 = 0o077;
/// Why it is not known whether a service runs.
pub(super) const UNKNOWN: &str = "the system does not tell which files are locked (/proc/locks)";
/// File systems over a network, by the number that `statfs` gives. SQLite's log needs memory that processes share.
const OVER_NETWORK: [(u64, &str); 7] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x0bd0_0bd0, "Lustre"),
    (0x5346_414f, "AFS"),
];

pub(super) async fn look(environment: &Environment) -> Vec<Finding> {
    let folder = environment.data_dir.clone();
    within(LIMIT, &CHECKS, "let the disk of DATA_DIR answer", async |checkup| {
        let looked = tokio::task::spawn_blocking(move || {
            let mut checkup = Checkup::new(&CHECKS);
            look_at(&folder, &mut checkup);
            checkup
        });
        if let Ok(looked) = looked.await {
            *checkup = looked;
        }
    })
    .await
}

fn look_at(folder: &Path, checkup: &mut Checkup) {
    const FIX: &str = "set DATA_DIR to a folder that the user that runs TA Bot can write to";
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(found) if !found.is_dir() => return checkup.wrong(FOLDER, format!("{shown} is no folder"), FIX),
        Ok(found) => match may_write(folder) {
            Ok(()) => {
                checkup.ok(FOLDER, shown.to_string());
                mode(folder, found.permissions().mode(), checkup);
            }
            Err(error) => checkup.wrong(FOLDER, format!("{shown} can't be written to: {error}"), FIX),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => match may_write(&existing(folder)) {
            Ok(()) => {
                checkup.ok(FOLDER, format!("{shown} is not there yet: the first start makes it"));
                checkup.ok(MODE, "it will be for its owner alone");
            }
            Err(error) => checkup.wrong(FOLDER, format!("{shown} is not there and can't be made: {error}"), FIX),
        },
        Err(error) => return checkup.wrong(FOLDER, format!("{shown} can't be read: {error}"), FIX),
    }
    let there = existing(folder);
    disk(&there, checkup);
    match statfs(&there) {
        Ok(found) => {
            let kind = found.f_type as u64 & 0xffff_ffff;
            match OVER_NETWORK.iter().find(|(number, _)| *number == kind) {
                Some((_, name)) => checkup.wrong(
                    FILE_SYSTEM,
                    format!("{} is on {name}, on which the database can't work", there.display()),
                    "let DATA_DIR be on a local disk",
                ),
                None => checkup.ok(FILE_SYSTEM, "it is no network's"),
            }
        }
        Err(error) => checkup.not_checked(FILE_SYSTEM, error.to_string()),
    }
    match serving(folder) {
        Some(true) => checkup.ok(SERVICE, "a service runs on it"),
        Some(false) => checkup.ok(SERVICE, "no service runs on it"),
        None => checkup.not_checked(SERVICE, UNKNOWN),
    }
}

/// Asks the system, which knows of file systems that are read-only as well, and leaves no file behind.
fn may_write(folder: &Path) -> Result<(), io::Error> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// The folder itself, or else the nearest one above it that is there.
fn existing(folder: &Path) -> PathBuf {
    let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    absolute.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/")).to_owned()
}

fn mode(folder: &Path, mode: u32, checkup: &mut Checkup) {
    let open = |mode: u32| mode & OTHERS != 0;
    if open(mode) {
        let found = format!("others may use {} (its mode is {:o})", folder.display(), mode & 0o7777);
        checkup.warning(
            MODE,
            found,
            format!("chmod 700 {}, and let it be a folder for TA Bot alone", folder.display()),
        );
    }
    for name in [FILE_NAME.to_owned(), format!("{FILE_NAME}-wal"), format!("{FILE_NAME}-shm"), "local.key".to_owned()] {
        let file = folder.join(name);
        let Ok(found) = fs::metadata(&file) else { continue };
        let mode = found.permissions().mode();
        if open(mode) {
            let found = format!("others may use {} (its mode is {:o})", file.display(), mode & 0o7777);
            checkup.warning(MODE, found, format!("chmod 600 {}", file.display()));
        }
    }
    if !checkup.has(MODE) {
        checkup.ok(MODE, "it is its owner's alone");
    }
}

fn disk(folder: &Path, checkup: &mut Checkup) {
    const FIX: &str = "free space on the disk of DATA_DIR, or give it a larger one";
    let found = match statvfs(folder) {
        Ok(found) => found,
        Err(error) => return checkup.not_checked(DISK, error.to_string()),
    };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let told = format!("{} MiB are free", free / MIB);
    // A file system without a fixed number of entries says 0 of 0.
    let is_out_of_entries = found.f_files > 0 && found.f_favail < LEAST_ENTRIES;
    if is_out_of_entries {
        checkup.wrong(DISK, format!("only {} more files can be made (df -i)", found.f_favail), FIX);
    } else if free < LEAST_ROOM {
        checkup.wrong(DISK, format!("only {told}"), FIX);
    } else if free < GOOD_ROOM {
        checkup.warning(DISK, told, FIX);
    } else {
        checkup.ok(DISK, told);
    }
}

/// Whether a service has locked the database of this folder; `None` if that can't be known. The list of locks is read
/// rather than the lock tried: a service that starts at this moment would find it taken.
pub(super) fn serving(data_dir: &Path) -> Option<bool> {
    let Ok(database) = fs::metadata(data_dir.join(FILE_NAME)) else { return Some(false) };
    let locks = fs::read_to_string("/proc/locks").ok()?;
    Some(is_locked(&locks, database.ino()))
}

/// Whether a list of locks holds one of the kind that services take, on this file: a number, the kind, how it is meant,
/// what it is for, a process, and `MAJOR:MINOR:FILE`. Devices are left out, since some file systems give others here.
fn is_locked(locks: &str, inode: u64) -> bool {
    locks.lines().any(|line| {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let file = parts.get(5).and_then(|place| place.rsplit(':').next()?.parse::<u64>().ok());
        parts.get(1) == Some(&"FLOCK") && file == Some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_a_service_is_found_in_the_list() {
        let locks = "1: POSIX  ADVISORY  WRITE 12 fd:00:4711 0 EOF\n2: FLOCK  ADVISORY  WRITE 13 fd:00:4712 0 EOF\n";
        assert!(is_locked(locks, 4712) && !is_locked(locks, 4711) && !is_locked("", 4712));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(serving(folder.path()), Some(false));
        let file = fs::File::create(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(serving(folder.path()), Some(false));
        file.try_lock().unwrap();
        assert_eq!(serving(folder.path()), Some(true));
    }

    #[test]
    fn a_folder_that_is_to_be_made_is_judged_by_the_one_above_it() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(existing(folder.path()), folder.path());
    }
}
