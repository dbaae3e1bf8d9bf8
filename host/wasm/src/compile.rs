//! Ahead-of-time compilation, with the results kept on disk.
//!
//! A compiled module is machine code that this process will run, so only files that this host wrote are loaded: only
//! the owner has access to the folder, a file's name contains the module's digest and the engine's key, and its first
//! 32 bytes are the SHA-256 of the rest.
//!
//! The compiler can't be interrupted. [`inspect`](crate::inspect()) bounds its input, and the [`Desk`] bounds how many
//! modules are compiled at once; further callers wait.

use std::{
    fs,
    hash::{Hash as _, Hasher as _},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use ta_bot_core::ModuleDigest;
use wasmtime::{Engine, component::Component};

const CHECKSUM_BYTES: usize = 32;
/// How many modules are compiled at once. Each compilation uses every core and, for the largest modules, a gigabyte of
/// memory. A second place keeps a small module from waiting behind a large one.
pub(crate) const COMPILES_AT_ONCE: usize = 2;

/// What it cost to make a component ready.
#[derive(Debug, Clone, Copy)]
pub struct CompileCost {
    /// Whether it had been compiled before.
    pub cached: bool,
    /// How long it took.
    pub duration: Duration,
}

/// The folder of compiled modules.
#[derive(Debug, Clone)]
pub(crate) struct CompileCache {
    dir: Option<PathBuf>,
    /// Differs between engines that can't run each other's code.
    engine_key: String,
    desk: Arc<Desk>,
}

/// A limited number of places for callers that compile.
#[derive(Debug)]
struct Desk {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Desk {
    const fn new(places: usize) -> Self {
        Self { free: Mutex::new(places), freed: Condvar::new() }
    }

    /// Waits for a place, which is taken until the returned value is dropped.
    fn place(&self) -> Place<'_> {
        // A poisoned lock is fine: the number is changed in one step.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

struct Place<'a>(&'a Desk);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl CompileCache {
    pub(crate) fn open(dir: Option<PathBuf>, engine: &Engine) -> io::Result<Self> {
        if let Some(path) = &dir {
            make_private_dir(path)?;
        }
        Ok(Self { dir, engine_key: engine_key(engine), desk: Arc::new(Desk::new(COMPILES_AT_ONCE)) })
    }

    fn path(&self, digest: ModuleDigest) -> Option<PathBuf> {
        self.dir.as_ref().map(|dir| dir.join(format!("{digest}-{}.cwasm", self.engine_key)))
    }

    /// Whether the folder holds the compiled module.
    pub(crate) fn has(&self, digest: ModuleDigest) -> bool {
        self.path(digest).is_some_and(|path| path.exists())
    }

    /// Returns the compiled component of `bytes`, from the folder if it is there.
    pub(crate) fn compile(
        &self,
        engine: &Engine,
        digest: ModuleDigest,
        bytes: &[u8],
    ) -> wasmtime::Result<(Component, CompileCost)> {
        let started = Instant::now();
        let path = self.path(digest);
        let kept = || {
            let component = read(engine, path.as_deref()?)?;
            Some((component, CompileCost { cached: true, duration: started.elapsed() }))
        };
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        let _place = self.desk.place();
        // The previous holder of the place may have compiled the same module.
        if let Some(kept) = kept() {
            return Ok(kept);
        }
        let compiled = engine.precompile_component(bytes)?;
        if let Some(path) = &path {
            // Without the file the next start compiles again, which is slower but does no other harm.
            if let Err(error) = write(path, &compiled) {
                tracing::warn!(path = %path.display(), %error, "a compiled module can't be written to the cache");
            }
        }
        let component = deserialize(engine, &compiled)?;
        Ok((component, CompileCost { cached: false, duration: started.elapsed() }))
    }
}

fn engine_key(engine: &Engine) -> String {
    struct Sha(Sha256);
    impl std::hash::Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let hash = self.0.clone().finalize();
            hash[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn make_private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // An existing folder may be open to other users, who could put code there. Only its owner can close it.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The component in the file, or `None` if the file is absent, damaged or from another engine.
fn read(engine: &Engine, path: &Path) -> Option<Component> {
    let file = fs::read(path).ok()?;
    let (checksum, compiled) = file.split_at_checked(CHECKSUM_BYTES)?;
    if Sha256::digest(compiled).as_slice() != checksum {
        tracing::warn!(path = %path.display(), "a compiled module is damaged; it is compiled again");
        return None;
    }
    deserialize(engine, compiled).ok()
}

/// Writes a temporary file in the same folder and moves it into place, so that a reader never sees half a file.
fn write(path: &Path, compiled: &[u8]) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(&Sha256::digest(compiled))?;
    file.write_all(compiled)?;
    file.persist(path)?;
    Ok(())
}

#[allow(unsafe_code, reason = "loading compiled code is unsafe by nature; see the safety comment")]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: this process made the bytes, or they come from a file that matches its checksum in a folder that only the
    // owner has access to. So they are what `precompile_component` made. The engine refuses code of another version or
    // of other settings.
    unsafe { Component::deserialize(engine, compiled) }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_compile_at_once_than_there_are_places() {
        let desk = Desk::new(2);
        let at_once = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let compile = || {
            let _place = desk.place();
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            at_once.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| compile()));
            }
        });
        assert_eq!(at_once.into_inner(), 0);
        assert!((1..=2).contains(&most.into_inner()));
        // A compile that panicked gives its place back.
        for _ in 0..3 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _place = desk.place();
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(panicked.is_err());
        }
        assert_eq!(*desk.free.lock().unwrap(), 2);
    }
}
