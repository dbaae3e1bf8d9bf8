//! The key of this machine: whoever may read it in `DATA_DIR` may do what an operator may, as long as there are no
//! tokens.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::same;

/// The name of the file in `DATA_DIR`.
const FILE_NAME: &str = "local.key";
/// How many random bytes the key is.
const BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum LocalKeyError {
    /// No service has made one yet.
    #[error(
        "there is no key in {}: a service without API_TOKENS_FILE makes it when it starts with this DATA_DIR; with \
         tokens there is none, and an operator's token is needed", .0.display()
    )]
    Absent(PathBuf),
    /// The file can't be read or written.
    #[error("the key {} can't be read or made ({reason})", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// The file holds something else. The error does not repeat it.
    #[error(
        "{} is no key, which is {} hex digits: remove it and start the service, which makes a new one", .0.display(),
        2 * BYTES
    )]
    Malformed(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for the key in DATA_DIR")]
    NoChance,
}

/// The digest of the key. Clones compare with the same key.
#[derive(Clone)]
pub struct LocalKey([u8; 32]);

impl LocalKey {
    /// The key in a folder, which is made if there is none. Only one process at a time may do that.
    pub fn in_folder(data_dir: &Path) -> Result<Self, LocalKeyError> {
        let text = match Self::text_in(data_dir) {
            Err(LocalKeyError::Absent(path)) => make(&path)?,
            text => text?,
        };
        let path = data_dir.join(FILE_NAME);
        close_to_others(&path).map_err(|reason| LocalKeyError::Io { path, reason })?;
        Ok(Self(Sha256::digest(text).into()))
    }

    /// The text of the key in a folder, for the header of a request.
    pub fn text_in(data_dir: &Path) -> Result<String, LocalKeyError> {
        let path = data_dir.join(FILE_NAME);
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(1024).read_to_string(&mut text));
        match read {
            Ok(_) if is_key(text.trim()) => Ok(text.trim().to_owned()),
            Ok(_) => Err(LocalKeyError::Malformed(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(LocalKeyError::Absent(path)),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(LocalKeyError::Malformed(path)),
            Err(reason) => Err(LocalKeyError::Io { path, reason }),
        }
    }

    /// Where the key of a folder is.
    pub fn path_in(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE_NAME)
    }

    /// A key that nobody has.
    pub(crate) const fn of_nobody() -> Self {
        Self([0; 32])
    }

    /// Whether a text is the key.
    pub(crate) fn is(&self, text: &str) -> bool {
        same(&Sha256::digest(text).into(), &self.0)
    }
}

impl std::fmt::Debug for LocalKey {
    /// Shows nothing of the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalKey")
    }
}

fn is_key(text: &str) -> bool {
    text.len() == 2 * BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Makes a key. It is complete before it has its name, so that a start that is interrupted leaves no half of one.
fn make(path: &Path) -> Result<String, LocalKeyError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| LocalKeyError::NoChance)?;
    let text = hex::encode(bytes);
    let draft = path.with_extension("new");
    let written = || -> io::Result<()> {
        // What an interrupted start left behind may have other permissions.
        fs::remove_file(&draft)
            .or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|reason| LocalKeyError::Io { path: path.to_owned(), reason })?;
    Ok(text)
}

/// Takes the permissions of others away, which a volume of Kubernetes gives to the group each time it is mounted.
fn close_to_others(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode == 0o600 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"),
            "others could read the key in DATA_DIR: if they have reached DATA_DIR, remove the key and start again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_is_its_owner_s_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        assert!(matches!(LocalKey::text_in(folder.path()), Err(LocalKeyError::Absent(_))));
        let key = LocalKey::in_folder(folder.path()).unwrap();
        let text = LocalKey::text_in(folder.path()).unwrap();
        assert!(is_key(&text) && key.is(&text) && !key.is(&text[1..]) && !key.is(""), "{text}");
        assert_eq!(mode(&path), 0o600);
        assert!(LocalKey::in_folder(folder.path()).unwrap().is(&text), "it stays");
        fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
        assert!(LocalKey::in_folder(folder.path()).unwrap().is(&text));
        assert_eq!(mode(&path), 0o600);
        let other = tempfile::tempdir().unwrap();
        assert!(!LocalKey::in_folder(other.path()).unwrap().is(&text));
        assert!(!format!("{key:?}").contains(&text));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for wrong in ["", "hunter2hunter2", &"A".repeat(64)] {
            fs::write(folder.path().join(FILE_NAME), wrong).unwrap();
            let error = LocalKey::in_folder(folder.path()).unwrap_err().to_string();
            assert!(error.contains("remove it") && !error.contains("hunter2"), "{error}");
        }
        // Half of one from an interrupted start is in nobody's way.
        fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
        fs::write(folder.path().join("local.new"), "0123").unwrap();
        assert!(LocalKey::in_folder(folder.path()).is_ok());
    }
}
