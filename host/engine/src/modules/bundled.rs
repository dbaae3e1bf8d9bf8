//! The modules that come with the service, in the folder `STRATEGIES_DIR`.
//!
//! They are trusted as part of the image, so they need no signature and no admission. Anybody who can put a file there
//! can replace the service itself.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ta_bot_core::{ModuleDigest, StrategyId, millis};
use ta_bot_wasm::{LARGEST_MODULE, LoadError, Sandbox, StrategyModule};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::{
    modules::{
        module_store::{KeepError, ModuleStore},
        registry::{Registry, Strategies},
    },
    support::{backoff::Backoff, store_error::StoreError},
};

/// Pauses between tries to keep the bundled modules.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));

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
    /// A file is not a strategy.
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

/// Reads the file of a module. If the file is larger than a module may be, only as much is read as it takes to see
/// that.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST_MODULE as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Compiles and registers every `*.wasm` of the folder, on all cores. A file that is not a strategy does not keep the
/// others from running, but the service does not report itself ready.
pub fn load_folder(registry: &Registry, sandbox: &Sandbox, folder: &Path) {
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
    registry.set_bundled(strategies, failed);
}

fn load_files(sandbox: &Sandbox, folder: &Path) -> Vec<Result<(PathBuf, StrategyModule), ModuleFileError>> {
    let mut files = match wasm_files(folder) {
        Ok(files) => files,
        Err(reason) => return vec![Err(ModuleFileError::Folder { path: folder.to_owned(), reason })],
    };
    files.sort();
    on_all_cores(&files, |path| load_file(sandbox, path.clone()))
}

/// Does the work for each item, as many at once as there are cores, and returns the results in order.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(index)
        {
            done.push((index, work(item)));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..cores.min(items.len())).map(|_| scope.spawn(take)).collect();
        let mut done = take();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The module files in a folder.
pub fn wasm_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let paths = entries.into_iter().map(|entry| entry.path());
    Ok(paths.filter(|path| path.extension().is_some_and(|extension| extension == "wasm")).collect())
}

fn load_file(sandbox: &Sandbox, path: PathBuf) -> Result<(PathBuf, StrategyModule), ModuleFileError> {
    let started = Instant::now();
    let bytes = read_file(&path).map_err(|reason| ModuleFileError::File { path: path.clone(), reason })?;
    match StrategyModule::load(sandbox, &bytes) {
        Ok(module) => {
            tracing::info!(
                strategy.id = %module.description().id,
                strategy.version = %module.description().version,
                strategy.digest = %module.digest().short(),
                cached = module.compile_cost().cached,
                duration_ms = millis(started.elapsed()),
                "strategy ready"
            );
            Ok((path, module))
        }
        Err(reason) => Err(ModuleFileError::Load { path, reason }),
    }
}

/// Keeps every module of `folder` that `registry` has loaded. If the store is away it is asked again, until `stop` is
/// cancelled.
pub async fn keep_bundled(store: &dyn ModuleStore, folder: &Path, registry: &Registry, stop: &CancellationToken) {
    // The code that loads the folder reports what is wrong with it.
    let Ok(files) = wasm_files(folder) else { return };
    let loaded = registry.bundled_digests();
    let mut kept = 0;
    for file in files {
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || read_file(&path)).await;
        let Ok(Ok(bytes)) = read else { continue };
        // A file that is not a strategy, or was replaced since it was loaded, makes no signals.
        if !loaded.contains(&ModuleDigest::of(&bytes)) {
            continue;
        }
        let Some(done) = stop.run_until_cancelled(keep(store, &file, &bytes)).await else { return };
        kept += usize::from(done);
    }
    tracing::info!(kept, loaded = loaded.len(), "bundled modules are kept");
}

/// Keeps one module. Returns `false` if trying again would not help.
async fn keep(store: &dyn ModuleStore, file: &Path, bytes: &[u8]) -> bool {
    let mut pauses = PAUSES;
    loop {
        match store.put(bytes).await {
            Ok(_) => return true,
            Err(KeepError::Store(error @ (StoreError::Unavailable { .. } | StoreError::CannotWrite { .. }))) => {
                tracing::warn!(file = %file.display(), %error, "a bundled module can't be kept yet; trying again");
                tokio::time::sleep(pauses.pause()).await;
            }
            Err(error) => {
                tracing::error!(file = %file.display(), %error, "a bundled module is not kept");
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_on_all_cores_gives_its_results_in_order() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(on_all_cores(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert_eq!(on_all_cores(&[0; 0], |item| *item), [0; 0]);
    }
}
