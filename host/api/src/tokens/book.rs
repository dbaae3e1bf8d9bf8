//! The file of tokens, which is read again when it changes.
//!
//! A token is given or taken away without a restart. A new version of the file that can't be used changes nothing: to
//! refuse everybody because of a slip of the pen would be as wrong as to let everybody in. It is said in the log and in
//! `/health` until it is mended.

use std::{
    fs::{self, File, Metadata},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use ta_bot_core::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{TokenFileError, Tokens};

/// How often the file is looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// More bytes than any file of tokens has.
const MOST_BYTES: u64 = 1024 * 1024;

/// The tokens of a file. Clones share them.
#[derive(Debug, Clone)]
pub struct TokenBook(Arc<Book>);

#[derive(Debug)]
struct Book {
    path: PathBuf,
    current: RwLock<Arc<Tokens>>,
    problem: Mutex<Option<TokensProblem>>,
}

/// Why the file as it is now is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensProblem {
    /// When this was first seen.
    pub since: Timestamp,
    /// What is wrong with it.
    pub error: String,
}

impl TokenBook {
    /// Reads the file, which must be sound.
    pub fn open(path: &Path) -> Result<Self, TokenFileError> {
        let current = RwLock::new(Arc::new(read(path)?));
        Ok(Self(Arc::new(Book { path: path.to_owned(), current, problem: Mutex::new(None) })))
    }

    /// The tokens that count now.
    pub fn current(&self) -> Arc<Tokens> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the file as it is now is not in use; `None` if it is.
    pub fn problem(&self) -> Option<TokensProblem> {
        self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again. If it can't be used, the tokens that were read before go on to count.
    pub fn refresh(&self) {
        let read = read(&self.0.path);
        let mut problem = self.0.problem.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(tokens) => {
                let is_mended = problem.take().is_some();
                if is_mended || *self.current() != tokens {
                    tracing::info!(?tokens, "API_TOKENS_FILE has changed; its tokens count from now on");
                    *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(tokens);
                }
            }
            Err(error) => {
                let error = error.to_string();
                let before = problem.take();
                if before.as_ref().is_none_or(|before| before.error != error) {
                    tracing::error!(
                        error,
                        "API_TOKENS_FILE has changed and can't be used: the tokens that were read before still count, \
                         also those that it was to take away"
                    );
                }
                let since = before.map_or_else(Timestamp::now, |before| before.since);
                *problem = Some(TokensProblem { since, error });
            }
        }
    }

    /// Keeps the tokens up to date until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_some() {
            let book = self.clone();
            // The file may be on a disk that does not answer.
            if tokio::task::spawn_blocking(move || book.refresh()).await.is_err() {
                tracing::error!("reading API_TOKENS_FILE panicked; it is tried again");
            }
        }
    }
}

/// Reads the file, unless others may write it. The whole text is compared rather than the time of the last change: an
/// editor, `cp -p` and a Secret of Kubernetes each change a file in their own way.
fn read(path: &Path) -> Result<Tokens, TokenFileError> {
    let file = File::open(path)?;
    ours_alone("the file", &file.metadata()?, false)?;
    // What is in a folder can be replaced by whoever may write the folder, unless its sticky bit is set.
    let folder = fs::canonicalize(path)?.parent().map(fs::metadata).transpose()?;
    folder.map_or(Ok(()), |folder| ours_alone("its folder", &folder, true))?;
    let mut text = String::new();
    if file.take(MOST_BYTES + 1).read_to_string(&mut text)? as u64 > MOST_BYTES {
        return Err(TokenFileError::TooLarge { most: MOST_BYTES });
    }
    text.parse()
}

fn ours_alone(what: &'static str, found: &Metadata, may_be_sticky: bool) -> Result<(), TokenFileError> {
    const OTHERS_WRITE: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    let mode = found.mode() & 0o7777;
    let is_safe = mode & OTHERS_WRITE == 0 || (may_be_sticky && mode & STICKY != 0);
    if is_safe { Ok(()) } else { Err(TokenFileError::Writable { what, mode }) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use sha2::{Digest as _, Sha256};
    use tempfile::TempDir;

    use super::*;
    use crate::tokens::{Found, Role};

    struct Kept {
        folder: TempDir,
        path: PathBuf,
    }

    impl Kept {
        fn new(text: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("tokens");
            let kept = Self { folder, path };
            kept.write(text);
            kept
        }

        fn write(&self, text: &str) {
            fs::write(&self.path, text).unwrap();
            set_mode(&self.path, 0o644);
        }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn line(token: &str) -> String {
        format!("trader:{}:{token}\n", hex::encode(Sha256::digest(token)))
    }

    fn knows(book: &TokenBook, token: &str) -> bool {
        let name = Some(token.into());
        book.current().find(token, Timestamp::now()) == Found::Valid { role: Role::Trader, name, per_minute: None }
    }

    #[test]
    fn a_change_of_the_file_counts_and_a_broken_one_does_not() {
        let kept = Kept::new(&line("a"));
        let book = TokenBook::open(&kept.path).unwrap();
        assert!(knows(&book, "a") && !knows(&book, "b"));
        kept.write(&line("b"));
        book.refresh();
        assert!(knows(&book, "b") && !knows(&book, "a") && book.problem().is_none());
        for (broken, says) in
            [("trader:x", "line 1"), ("", "no token"), ("#".repeat(2 << 20).as_str(), "no file of tokens")]
        {
            kept.write(broken);
            book.refresh();
            assert!(knows(&book, "b"), "{says}");
            let problem = book.problem().unwrap();
            assert!(problem.error.contains(says), "{problem:?}");
        }
        let since = book.problem().unwrap().since;
        fs::remove_file(&kept.path).unwrap();
        book.refresh();
        assert!(knows(&book, "b") && book.problem().unwrap().since == since, "it is the same trouble");
        // As it is replaced by a Secret of Kubernetes: a link to another file.
        let other = kept.folder.path().join("other");
        fs::write(&other, line("c")).unwrap();
        std::os::unix::fs::symlink(&other, &kept.path).unwrap();
        book.refresh();
        assert!(knows(&book, "c") && !knows(&book, "b") && book.problem().is_none());
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let kept = Kept::new(&line("a"));
        let book = TokenBook::open(&kept.path).unwrap();
        for mode in [0o666, 0o664, 0o646] {
            set_mode(&kept.path, mode);
            let error = TokenBook::open(&kept.path).unwrap_err().to_string();
            assert!(error.contains("the file") && error.contains(&format!("{mode:o}")), "{error}");
            assert!(error.contains("chmod go-w"), "{error}");
            book.refresh();
            assert!(knows(&book, "a") && book.problem().is_some());
        }
        set_mode(&kept.path, 0o640);
        book.refresh();
        assert_eq!(book.problem(), None);
        set_mode(kept.folder.path(), 0o777);
        let error = TokenBook::open(&kept.path).unwrap_err().to_string();
        assert!(error.contains("its folder"), "{error}");
        set_mode(kept.folder.path(), 0o1777);
        assert!(TokenBook::open(&kept.path).is_ok(), "in such a folder nobody replaces what is another's");
        set_mode(kept.folder.path(), 0o700);
    }
}
