//! The folder of compiled modules.
//!
//! A file is a mark, a tag and what the tag authenticates: a head that names the module and the engine, and the code. A
//! file that says something else than its name, or that another key has tagged, counts as absent. Only this user has
//! access to the folder.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use ring::hmac;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use ta_bot_core::{ModuleDigest, Timestamp};

use super::key;
use crate::inspect::{InspectError, Inspection};

/// How a file begins.
const MARK: &[u8; 16] = b"ta-bot compiled\n";
const TAG_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// What a file says of its code.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) module: ModuleDigest,
    pub(super) engine: String,
    /// What the module's bytes told, or what a child died of. Then there is no code.
    pub(super) inspection: Result<Inspection, InspectError>,
    /// How much memory the child might use.
    pub(super) memory_bytes: u64,
}

/// A file of a compiled module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompiledFile {
    /// The module.
    pub module: ModuleDigest,
    /// How many bytes the file has.
    pub bytes: u64,
    /// When it was written.
    pub written_at: Timestamp,
    /// Whether the engine of this process can run it.
    pub is_of_this_engine: bool,
    pub(super) engine: String,
}

impl CompiledFile {
    /// Whether the file can go: it was written before a moment, and is of none of the wanted modules or for another
    /// engine.
    pub fn is_over(&self, wanted: &BTreeSet<ModuleDigest>, before: Timestamp) -> bool {
        self.written_at < before && !(self.is_of_this_engine && wanted.contains(&self.module))
    }
}

/// The folder, and the key that belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    key: hmac::Key,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        make_private(path)?;
        // The key belongs to the folder, by whatever way that is reached.
        let path = path.canonicalize()?;
        let key = key::open(&path.with_extension("key"))?;
        Ok(Self { path, key })
    }

    fn file(&self, module: ModuleDigest, engine: &str) -> PathBuf {
        self.path.join(format!("{module}-{engine}.cwasm"))
    }

    /// Whether there is a file, which may be damaged.
    pub(super) fn has(&self, module: ModuleDigest, engine: &str) -> bool {
        self.file(module, engine).exists()
    }

    /// What the file of a module says, and its code; `None` if it is absent or not to be trusted.
    pub(super) fn read(&self, module: ModuleDigest, engine: &str) -> Option<(Head, Vec<u8>)> {
        let path = self.file(module, engine);
        let mut file = fs::read(&path).ok()?;
        let Some((head, code_at)) = self.authentic(&file) else {
            tracing::warn!(path = %path.display(), "this compiled module is damaged or not from here: it is compiled again");
            return None;
        };
        if head.module != module || head.engine != engine {
            tracing::error!(
                path = %path.display(),
                of = %head.module,
                "the code of another module lies under this one's name: it is not loaded, and this one is compiled again"
            );
            return None;
        }
        file.drain(..code_at);
        Some((head, file))
    }

    /// What a file says, if this installation wrote it, and where its code begins.
    fn authentic(&self, file: &[u8]) -> Option<(Head, usize)> {
        let rest = file.strip_prefix(MARK)?;
        let (tag, rest) = rest.split_at_checked(TAG_BYTES)?;
        hmac::verify(&self.key, rest, tag).ok()?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        let (head, code) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some((serde_json::from_slice(head).ok()?, file.len() - code.len()))
    }

    /// Writes a temporary file in the same folder and moves it into place, so that a reader never sees half a file.
    pub(super) fn write(&self, head: &Head, code: &[u8]) -> io::Result<()> {
        let json = serde_json::to_vec(head)?;
        let length = (json.len() as u32).to_le_bytes();
        let mut tag = hmac::Context::with_key(&self.key);
        for part in [&length[..], &json, code] {
            tag.update(part);
        }
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        for part in [&MARK[..], tag.sign().as_ref(), &length, &json, code] {
            file.write_all(part)?;
        }
        file.persist(self.file(head.module, &head.engine))?;
        Ok(())
    }

    /// The files of the folder. Others that lie there are not ours.
    pub(super) fn files(&self) -> io::Result<Vec<CompiledFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".cwasm"));
            let Some((module, engine)) = name.and_then(|name| name.split_once('-')) else { continue };
            let Ok(module) = module.parse() else { continue };
            let engine = engine.to_owned();
            // Another process may have removed it meanwhile.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            let written_at = Timestamp::from_millis(i64::try_from(written.as_millis()).unwrap_or(i64::MAX));
            files.push(CompiledFile { module, engine, bytes: metadata.len(), written_at, is_of_this_engine: false });
        }
        Ok(files)
    }

    pub(super) fn remove(&self, module: ModuleDigest, engine: &str) {
        let path = self.file(module, engine);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "a compiled module can't be removed");
            }
            _ => {}
        }
    }
}

/// Makes the folder, or closes it to others. A folder of somebody else is refused, also if this process may do
/// everything: its owner could open it again.
fn make_private(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let (owner, this) = (fs::metadata(path)?.uid(), geteuid().as_raw());
    if owner != this {
        return Err(io::Error::other(format!(
            "it belongs to the user {owner}, and this process runs as {this}: remove it, or give a DATA_DIR of its own"
        )));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests;
