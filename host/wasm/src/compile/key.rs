//! The key by which this installation knows the code that it compiled.
//!
//! It lies beside the folder of compiled modules and not in it, so that a folder that is copied from elsewhere brings
//! no key with it.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use ring::{
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use rustix::process::geteuid;

const BYTES: usize = 32;

/// The key in the file, which is made if it is not there.
///
/// A file that others may read, that somebody else owns or that is damaged holds no secret: a new key replaces it, and
/// everything is compiled again.
pub(super) fn open(path: &Path) -> io::Result<hmac::Key> {
    match secret(path) {
        Ok(Some(secret)) => return Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
        Ok(None) => {
            tracing::warn!(
                path = %path.display(),
                "others could read the key of the compiled modules, or it is damaged: it is replaced, and modules are \
                 compiled again"
            );
            // Another process may have found the same.
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    make(path)?;
    // Another process may have been quicker, and then its key counts for both.
    match secret(path)? {
        Some(secret) => Ok(hmac::Key::new(hmac::HMAC_SHA256, &secret)),
        None => Err(io::Error::other(format!("{} is changed by somebody else at the same time", path.display()))),
    }
}

/// What the file holds; `None` if that is no secret of this user.
fn secret(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let metadata = fs::symlink_metadata(path)?;
    let is_open = metadata.mode() & 0o077 != 0;
    let is_ours = metadata.is_file() && metadata.uid() == geteuid().as_raw() && !is_open;
    if !is_ours || metadata.len() != BYTES as u64 {
        return Ok(None);
    }
    fs::read(path).map(|secret| (secret.len() == BYTES).then_some(secret))
}

/// Makes the file as a whole: it has its name only once its bytes are there.
fn make(path: &Path) -> io::Result<()> {
    let mut secret = [0; BYTES];
    SystemRandom::new().fill(&mut secret).map_err(|_| io::Error::other("the system gives no random numbers"))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    // Only its owner has access to such a file.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(&secret)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Err(refused) if refused.error.kind() != io::ErrorKind::AlreadyExists => Err(refused.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tag(key: &hmac::Key) -> Vec<u8> {
        hmac::sign(key, b"some code").as_ref().to_vec()
    }

    #[test]
    fn a_key_stays_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compiled.key");
        let first = tag(&open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(tag(&open(&path).unwrap()), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no other file stays");
    }

    #[test]
    fn a_key_that_is_no_secret_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compiled.key");
        let mut before = tag(&open(&path).unwrap());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        for damage in [None, Some(&b""[..]), Some(&[7; 31]), Some(&[7; 33])] {
            if let Some(bytes) = damage {
                fs::write(&path, bytes).unwrap();
            }
            let after = tag(&open(&path).unwrap());
            assert_ne!(after, before);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
            before = after;
        }
        let elsewhere = folder.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert_ne!(tag(&open(&path).unwrap()), before, "a link is not followed");
    }

    #[test]
    fn processes_that_begin_together_agree() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("compiled.key");
        let tags = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| tag(&open(&path).unwrap()))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(tags.iter().all(|tag| *tag == tags[0]), "{tags:?}");
    }
}
