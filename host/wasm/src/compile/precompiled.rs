//! Modules that were compiled when an image was built, so that a new installation need not compile them.
//!
//! A folder of them holds a list, `precompiled.json`, with the SHA-256 of each file, of the module that it was made
//! from, and what that module's bytes told. There is no secret: the folder counts because nobody but root and this user
//! can write to it, any more than to the program itself. The code is made for every processor of its kind from some ten
//! years ago on, and not for the one that the image was built on; the engine refuses what does not fit.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ta_bot_core::ModuleDigest;
use thiserror::Error;
use wasmtime::Engine;

use super::{Unfit, deserialize, here};
use crate::inspect::{InspectError, Inspection};

const LIST: &str = "precompiled.json";
/// More bytes than any list has.
const MOST_BYTES: u64 = 4 << 20;
const OTHERS_WRITE: u32 = 0o022;
const STICKY: u32 = 0o1000;

/// Why a folder of compiled modules is not used.
#[derive(Debug, Error)]
pub enum PrecompiledError {
    /// It can't be read.
    #[error("{path} can't be read: {reason}")]
    Read {
        /// What can't be read.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// Somebody else may change it, and so what this process runs.
    #[error(
        "{path} belongs to the user {owner} and has the mode {mode:o}: it has to belong to root or to this process's user, \
         and nobody else may write to it (chmod go-w)"
    )]
    OpenToOthers {
        /// The folder, a folder above it, or a file in it.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
    /// The list is none.
    #[error("{path} is no list of compiled modules: {reason}")]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The code was made for another engine or processor.
    #[error("its code was made by another version or for another processor: {0}")]
    OtherEngine(String),
}

/// Why modules can't be compiled into a folder.
#[derive(Debug, Error)]
pub enum PrecompileError {
    /// The folder can't be written.
    #[error("{path} can't be written: {reason}")]
    Write {
        /// What can't be written.
        path: PathBuf,
        /// The system's error.
        reason: io::Error,
    },
    /// A module is refused.
    #[error("the module {module} is refused: {reason}")]
    Refused {
        /// Which module.
        module: ModuleDigest,
        /// Why.
        reason: InspectError,
    },
    /// A module can't be compiled.
    #[error("the module {module} can't be compiled: {reason}")]
    NotCompiled {
        /// Which module.
        module: ModuleDigest,
        /// What the compiler says.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct List {
    /// The version of the program that made it, for people.
    made_by: String,
    modules: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    module: ModuleDigest,
    /// The SHA-256 of the file.
    sha256: String,
    inspection: Inspection,
}

/// The compiled modules of a folder that can be trusted.
#[derive(Debug, Clone)]
pub struct Precompiled {
    folder: PathBuf,
    entries: Arc<HashMap<ModuleDigest, Entry>>,
}

impl Precompiled {
    /// Reads the list of a folder, and tries the engine on one of its files: they were all made alike.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Result<Self, PrecompiledError> {
        let unread = |path: &Path| {
            let path = path.to_owned();
            move |reason| PrecompiledError::Read { path, reason }
        };
        let folder = folder.canonicalize().map_err(unread(folder))?;
        for above in folder.ancestors() {
            let metadata = fs::metadata(above).map_err(unread(above))?;
            // What is in a folder that others may write is safe from them if its sticky bit is set.
            closed_to_others(above, &metadata, above != folder && metadata.mode() & STICKY != 0)?;
        }
        let path = folder.join(LIST);
        let text = read(&path, MOST_BYTES)?;
        let list: List = serde_json::from_slice(&text)
            .map_err(|error| PrecompiledError::List { path, reason: error.to_string() })?;
        let entries: HashMap<_, _> = list.modules.into_iter().map(|entry| (entry.module, entry)).collect();
        let precompiled = Self { folder, entries: Arc::new(entries) };
        if let Some(module) = precompiled.entries.keys().min().copied()
            && let Some((_, code)) = precompiled.read(module)
            && let Err(error) = deserialize(engine, &code)
        {
            return Err(PrecompiledError::OtherEngine(format!("{error:#}")));
        }
        Ok(precompiled)
    }

    /// How many modules there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn has(&self, module: ModuleDigest) -> bool {
        self.entries.contains_key(&module)
    }

    /// The code of a module, and what its bytes told; `None` if it is not there, or not what the list says.
    pub(super) fn read(&self, module: ModuleDigest) -> Option<(Inspection, Vec<u8>)> {
        let entry = self.entries.get(&module)?;
        let path = self.folder.join(file_name(module));
        let code = match read(&path, u64::MAX) {
            Ok(code) => code,
            Err(error) => {
                tracing::warn!(%module, %error, "a compiled module of the image is not used: it is compiled here");
                return None;
            }
        };
        let is_whole = hex::encode(Sha256::digest(&code)) == entry.sha256 && entry.inspection.digest == module;
        if !is_whole {
            tracing::error!(path = %path.display(), "this is not the file that the list of the image names: it is not loaded");
            return None;
        }
        Some((entry.inspection.clone(), code))
    }
}

fn file_name(module: ModuleDigest) -> String {
    format!("{module}.cwasm")
}

/// Reads a file that nobody else may write.
fn read(path: &Path, most: u64) -> Result<Vec<u8>, PrecompiledError> {
    let unread = |reason| PrecompiledError::Read { path: path.to_owned(), reason };
    let file = File::open(path).map_err(unread)?;
    let metadata = file.metadata().map_err(unread)?;
    closed_to_others(path, &metadata, false)?;
    let mut bytes = Vec::with_capacity(metadata.len().min(most) as usize);
    file.take(most).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

fn closed_to_others(path: &Path, metadata: &Metadata, may_be_written: bool) -> Result<(), PrecompiledError> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    let is_ours = owner == 0 || owner == geteuid().as_raw();
    if is_ours && (may_be_written || mode & OTHERS_WRITE == 0) {
        Ok(())
    } else {
        Err(PrecompiledError::OpenToOthers { path: path.to_owned(), owner, mode })
    }
}

/// Compiles modules into a new folder. They are compiled in this process, which is for modules that are trusted.
pub(crate) fn precompile(
    engine: &Engine,
    made_by: &str,
    modules: &[Vec<u8>],
    folder: &Path,
) -> Result<(), PrecompileError> {
    let unwritten = |path: &Path| {
        let path = path.to_owned();
        move |reason| PrecompileError::Write { path, reason }
    };
    fs::DirBuilder::new().mode(0o755).create(folder).map_err(unwritten(folder))?;
    let mut entries = Vec::new();
    for bytes in modules {
        let module = ModuleDigest::of(bytes);
        let (inspection, code) = here(engine, bytes).map_err(|unfit| match unfit {
            Unfit::Refused(reason) => PrecompileError::Refused { module, reason },
            Unfit::NotCompiled(reason) => PrecompileError::NotCompiled { module, reason },
        })?;
        let path = folder.join(file_name(module));
        write(&path, &code).map_err(unwritten(&path))?;
        entries.push(Entry { module, sha256: hex::encode(Sha256::digest(&code)), inspection });
    }
    entries.sort_by_key(|entry| entry.module);
    let path = folder.join(LIST);
    let list = serde_json::to_vec_pretty(&List { made_by: made_by.to_owned(), modules: entries });
    let written = list.map_err(io::Error::from).and_then(|list| write(&path, &list));
    written.map_err(unwritten(&path))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(bytes)
}
