//! Copies of loaded modules in files, for a start while their store is away.
//!
//! A copy is named by its digest, so it is never an old one. One whose bytes have another digest counts as absent and is
//! removed. The copies that were used last stay, as many as there is room for.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::SystemTime,
};

use ta_bot_core::ModuleDigest;

use super::read_file;
use crate::whole_file;

/// The name of the folder in `DATA_DIR`.
pub const FOLDER: &str = "modules";
/// How many bytes the copies may have together: a few hundred of the usual modules, a dozen of those written in Python.
const MOST_BYTES: u64 = 256 << 20;

/// The folder of the copies. It blocks.
#[derive(Debug, Clone)]
pub struct Copies {
    folder: PathBuf,
    most_bytes: u64,
}

impl Copies {
    /// Those in `data_dir`.
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
        // By that it is known as used. Where it can't be noted it only goes sooner.
        let _ = File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Keeps a copy. Where that fails, a start while the store is away has to wait for it.
    pub fn keep(&self, digest: ModuleDigest, bytes: &[u8]) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.folder);
        if let Err(error) =
            made.and_then(|()| whole_file::replace(&self.path(digest), bytes)).and_then(|()| self.trim())
        {
            tracing::warn!(
                folder = %self.folder.display(), %error,
                "a module can't be copied: a start while its store is away would have to wait"
            );
        }
    }

    fn path(&self, digest: ModuleDigest) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    /// Removes what was used least recently, until the rest fits. What a killed process left counts like a copy.
    fn trim(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            // Another process may have removed it meanwhile.
            let Ok(metadata) = entry.metadata() else { continue };
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut bytes = 0;
        for (_, size, path) in files.into_iter().rev() {
            bytes += size;
            if bytes > self.most_bytes {
                remove(&path);
            }
        }
        Ok(())
    }
}

/// Another process may have done so before.
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
    use std::{os::unix::fs::PermissionsExt as _, time::Duration};

    use super::*;

    fn kept(copies: &Copies, bytes: &[u8]) -> ModuleDigest {
        let digest = ModuleDigest::of(bytes);
        copies.keep(digest, bytes);
        digest
    }

    /// Makes a copy older than it is.
    fn age(copies: &Copies, digest: ModuleDigest, seconds: u64) {
        let file = File::open(copies.path(digest)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    }

    #[test]
    fn a_copy_comes_back_and_a_damaged_one_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies::of(folder.path());
        assert_eq!(copies.get(ModuleDigest::of(b"one")), None);
        let one = kept(&copies, b"one");
        assert_eq!(copies.get(one).as_deref(), Some(&b"one"[..]));
        assert_eq!(kept(&copies, b"one"), one);
        assert_eq!(copies.get(one).as_deref(), Some(&b"one"[..]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&copies.folder), mode(&copies.path(one))), (0o700, 0o600));
        for damaged in [&b""[..], b"on", b"two"] {
            fs::write(copies.path(one), damaged).unwrap();
            assert_eq!(copies.get(one), None);
            assert!(!copies.path(one).exists());
        }
    }

    #[test]
    fn those_that_were_used_last_stay() {
        let folder = tempfile::tempdir().unwrap();
        let copies = Copies { most_bytes: 10, ..Copies::of(folder.path()) };
        let (one, two) = (kept(&copies, b"one"), kept(&copies, b"two"));
        age(&copies, one, 20);
        age(&copies, two, 10);
        // What a process left that was killed in the middle.
        fs::write(copies.folder.join("x.wasm.1"), b"lef").unwrap();
        File::open(copies.folder.join("x.wasm.1")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert!(copies.get(one).is_some(), "used again");
        let three = kept(&copies, b"three");
        assert_eq!([one, two, three].map(|digest| copies.get(digest).is_some()), [true, false, true]);
        assert_eq!(fs::read_dir(&copies.folder).unwrap().count(), 2);
        // One that is larger than all may be together.
        let large = kept(&copies, b"larger than ten bytes");
        assert!(copies.get(large).is_none());
    }

    #[test]
    fn what_can_not_be_kept_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), b"no folder").unwrap();
        let copies = Copies::of(folder.path());
        let digest = kept(&copies, b"one");
        assert_eq!(copies.get(digest), None);
    }
}
