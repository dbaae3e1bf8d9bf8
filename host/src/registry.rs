//! The strategies that are ready to run.
//!
//! Modules of the folder are trusted as part of the image: they need no signature and no admission. Whoever can put a file
//! there can replace the service itself.
//!
//! Readers take a snapshot and keep it for as long as they look at one candle, so that a change never falls in the
//! middle of an evaluation.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use arc_swap::ArcSwap;
use ta_bot_core::StrategyId;
use ta_bot_wasm::{LoadError, Sandbox, StrategyModule};
use thiserror::Error;

use crate::modules;

/// The strategies by id.
pub type Strategies = BTreeMap<StrategyId, Arc<StrategyModule>>;

/// Why a module of the folder is not ready.
#[derive(Debug, Error)]
pub enum ModuleFileError {
    /// The folder can't be read.
    #[error("STRATEGIES_DIR {path} can't be read: {reason}")]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A file can't be read.
    #[error("{path} can't be read: {reason}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A file is no strategy.
    #[error("{path} is no strategy: {reason}")]
    Load {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: LoadError,
    },
    /// Two files hold a strategy of the same id.
    #[error("{path} holds {id}, as another file of the folder does: remove one")]
    Twice {
        /// The second file.
        path: PathBuf,
        /// The id.
        id: StrategyId,
    },
}

/// How far loading has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Modules are being compiled.
    Loading,
    /// Every module of the folder is ready.
    Ready,
    /// These are not, each with its reason; the others run.
    Incomplete(Vec<String>),
}

/// The strategies that are ready to run, as a snapshot that can be replaced.
pub struct Registry {
    strategies: ArcSwap<Strategies>,
    progress: ArcSwap<Progress>,
}

impl Registry {
    /// A registry that is still empty.
    pub fn new() -> Self {
        Self { strategies: ArcSwap::default(), progress: ArcSwap::from_pointee(Progress::Loading) }
    }

    /// The strategies as they are now.
    pub fn strategies(&self) -> Arc<Strategies> {
        self.strategies.load_full()
    }

    /// One strategy.
    pub fn get(&self, id: &StrategyId) -> Option<Arc<StrategyModule>> {
        self.strategies.load().get(id).cloned()
    }

    /// How far loading has come.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.load_full()
    }

    /// Compiles and registers every `*.wasm` of the folder. A file that is no strategy does not keep the others from running,
    /// but the service does not call itself ready.
    pub fn load_folder(&self, sandbox: &Sandbox, folder: &Path) {
        let mut strategies = Strategies::new();
        let mut failed = Vec::new();
        for loaded in load_files(sandbox, folder) {
            let fresh = loaded.and_then(|(path, module)| match strategies.get(&module.description().id) {
                Some(_) => Err(ModuleFileError::Twice { path, id: module.description().id.clone() }),
                None => Ok(module),
            });
            match fresh {
                Ok(module) => {
                    strategies.insert(module.description().id.clone(), Arc::new(module));
                }
                Err(error) => {
                    tracing::error!(%error, "a strategy is not available");
                    failed.push(error.to_string());
                }
            }
        }
        self.strategies.store(Arc::new(strategies));
        let progress = if failed.is_empty() { Progress::Ready } else { Progress::Incomplete(failed) };
        self.progress.store(Arc::new(progress));
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

fn load_files(sandbox: &Sandbox, folder: &Path) -> Vec<Result<(PathBuf, StrategyModule), ModuleFileError>> {
    let mut files = match wasm_files(folder) {
        Ok(files) => files,
        Err(reason) => return vec![Err(ModuleFileError::Folder { path: folder.to_owned(), reason })],
    };
    files.sort();
    files.into_iter().map(|path| load_file(sandbox, path)).collect()
}

/// The files of modules in a folder.
pub(crate) fn wasm_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect())
}

fn load_file(sandbox: &Sandbox, path: PathBuf) -> Result<(PathBuf, StrategyModule), ModuleFileError> {
    let started = Instant::now();
    let bytes = modules::read_file(&path).map_err(|reason| ModuleFileError::File { path: path.clone(), reason })?;
    match StrategyModule::load(sandbox, &bytes) {
        Ok(module) => {
            tracing::info!(
                strategy.id = %module.description().id,
                strategy.version = %module.description().version,
                strategy.digest = %module.digest().short(),
                cached = module.compile_cost().cached,
                duration_ms = started.elapsed().as_secs_f64() * 1000.0,
                "strategy ready"
            );
            Ok((path, module))
        }
        Err(reason) => Err(ModuleFileError::Load { path, reason }),
    }
}
