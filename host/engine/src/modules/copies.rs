//! Copies of deployed modules in files, for a start while their store is away.
//!
//! A copy is named by its digest, so it is never out of date. A copy whose bytes have another digest counts as absent
//! and is removed.

use std::{
    collections::HashMap,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use ta_bot_core::ModuleDigest;

use crate::{modules::bundled::read_file, support::whole_file};

/// The name of the folder in `DATA_DIR`.
pub const FOLDER: &str = "modules";
/// How many bytes the copies may have together: a few hundred of the usual modules, a dozen of those written in Python.
const MOST_BYTES: u64 = 256 << 20;

/// The folder of the copies. Its methods block.
#[derive(Debug, Clone)]
pub struct Copies {
    folder: PathBuf,
    most_bytes: u64,
}

impl Copies {
    /// The copies in `data_dir`.
    pub fn of(data_dir: &Path) -> Self {
        Self { folder: data_dir.join(FOLDER), most_bytes: MOST_BYTES }
    }

    /// The bytes of a module, if there is a good copy.
    pub fn get(&self, digest: ModuleDigest) -> Option<Vec<u8>> {
        let path = self.path(digest);
        let bytes = match read_file(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "the copy of a module can't be read");
                return None;
            }
        };
        if ModuleDigest::of(&bytes) != digest {
            tracing::error!(file = %path.display(), "the copy of a module is damaged; it is removed");
            remove(&path);
            return None;
        }
        Some(bytes)
    }

    /// Removes all copies except those of these modules. Returns the indices of the modules that have no copy.
    pub fn retain(&self, wanted: &[ModuleDigest]) -> io::Result<Vec<usize>> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let mut missing: HashMap<PathBuf, usize> = wanted.iter().map(|digest| self.path(*digest)).zip(0..).collect();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            // A file that a killed process left behind has another name.
            if missing.remove(&path).is_none() {
                remove(&path);
            }
        }
        let mut missing: Vec<usize> = missing.into_values().collect();
        missing.sort_unstable();
        Ok(missing)
    }

    /// Whether the copies of the modules before this index leave room for a copy of `bytes` bytes.
    pub fn has_room(&self, wanted: &[ModuleDigest], place: usize, bytes: u64) -> bool {
        self.size_of(&wanted[..place]) + bytes <= self.most_bytes
    }

    /// Keeps a copy of the module at this index, for which there must be room. Copies of the modules after it are
    /// removed to make room, the last one first.
    pub fn keep(&self, wanted: &[ModuleDigest], place: usize, bytes: &[u8]) -> io::Result<()> {
        let mut taken = self.size_of(wanted) + bytes.len() as u64;
        for digest in wanted[place + 1..].iter().rev() {
            if taken > self.most_bytes {
                taken -= self.size_of(&[*digest]);
                remove(&self.path(*digest));
            }
        }
        whole_file::replace(&self.path(wanted[place]), bytes)
    }

    fn size_of(&self, modules: &[ModuleDigest]) -> u64 {
        let sizes = modules.iter().map(|digest| fs::metadata(self.path(*digest)).map_or(0, |metadata| metadata.len()));
        sizes.sum()
    }

    fn path(&self, digest: ModuleDigest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }
}

/// Removes a file, which another process may have removed before.
fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "the copy of a module can't be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn digests<const N: usize>(of: [&[u8]; N]) -> [ModuleDigest; N] {
        of.map(ModuleDigest::of)
    }

    #[test]
    fn a_copy_comes_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::of(folder.path());
        let [one] = digests([b"one"]);
        assert_eq!(copies.get(one), None);
        assert_eq!(copies.retain(&[one]).unwrap(), [0]);
        for _ in 0..2 {
            copies.keep(&[one], 0, b"one").unwrap();
            assert_eq!(copies.get(one).as_deref(), Some(&b"one"[..]));
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&copies.folder), mode(&copies.path(one))), (0o700, 0o600));
        for damaged in [&b""[..], b"on", b"two"] {
            fs::write(copies.path(one), damaged).unwrap();
            assert_eq!(copies.get(one), None);
            assert!(!copies.path(one).exists());
        }
    }

    #[test]
    fn only_those_that_are_wanted_stay() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::of(folder.path());
        let [one, two, three] = digests([b"one", b"two", b"three"]);
        assert_eq!(copies.retain(&[one, two]).unwrap(), [0, 1]);
        copies.keep(&[one, two], 0, b"one").unwrap();
        copies.keep(&[one, two], 1, b"two").unwrap();
        // A file that a process left behind when it was killed in the middle of writing.
        fs::write(copies.folder.join(".tmpabc"), b"lef").unwrap();
        assert_eq!(copies.retain(&[three, two]).unwrap(), [0]);
        assert_eq!(copies.get(two).as_deref(), Some(&b"two"[..]));
        assert_eq!(fs::read_dir(&copies.folder).unwrap().count(), 1);
    }

    #[test]
    fn where_there_is_no_room_for_all_those_stay_that_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies { most_bytes: 10, ..Copies::of(folder.path()) };
        let wanted = digests([b"four", b"larger than all", b"three", b"one"]);
        let kept = || wanted.map(|digest| copies.get(digest).is_some());
        copies.retain(&wanted).unwrap();
        copies.keep(&wanted, 2, b"three").unwrap();
        copies.keep(&wanted, 3, b"one").unwrap();
        assert_eq!(kept(), [false, false, true, true]);
        assert!(copies.has_room(&wanted, 0, 4));
        copies.keep(&wanted, 0, b"four").unwrap();
        assert_eq!(kept(), [true, false, true, false]);
        assert_eq!(
            [(1, 6), (1, 7), (3, 1), (3, 2)].map(|(place, size)| copies.has_room(&wanted, place, size)),
            [true, false, true, false]
        );
    }

    #[test]
    fn where_there_can_be_no_folder_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), b"no folder").unwrap();
        let copies = Copies::of(folder.path());
        let [one] = digests([b"one"]);
        assert!(copies.retain(&[one]).is_err());
        assert!(copies.keep(&[one], 0, b"one").is_err());
        assert_eq!(copies.get(one), None);
    }
}
