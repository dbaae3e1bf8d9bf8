//! Ahead-of-time compilation, with the results kept on disk.
//!
//! The service has a [child](crate::Children) compile, and a child may be in the hands of the module that it compiles.
//! So its code is bound to that module: a [file](kept) names the digest of its module inside what this installation's
//! own key authenticates, and the child never sees the key. What a compiler says of one module is never the code of
//! another.
//!
//! What a child died of is kept in the same way, so that nothing tries the module again by itself.
//!
//! An image may bring modules that are [compiled](precompiled) already.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{Hash as _, Hasher as _},
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};
use ta_bot_core::{ModuleDigest, Timestamp, cut};
use wasmtime::{Engine, component::Component};

use crate::{
    child::{Answer, Children, Death, Request, Task, Told},
    inspect::{InspectError, Inspection, inspect},
    limits::Limits,
};

mod desk;
mod kept;
mod key;
mod precompiled;

use desk::Desk;
pub use kept::CompiledFile;
use kept::{Folder, Head};
pub(crate) use precompiled::precompile;
pub use precompiled::{PrecompileError, Precompiled, PrecompiledError};

/// How many modules this process compiles at once, if it has no children for that. Each compilation uses every core
/// and, for the largest modules, a gigabyte of memory. A second place keeps a small module from waiting behind a large
/// one.
pub(crate) const COMPILES_AT_ONCE: usize = 2;
/// How many bytes of the compiler's words are repeated.
pub(crate) const MOST_WORDS: usize = 1000;

/// What it cost to make a component ready.
#[derive(Debug, Clone, Copy)]
pub struct CompileCost {
    /// Whether it had been compiled before.
    pub cached: bool,
    /// How long it took.
    pub duration: Duration,
}

/// Why bytes are not compiled.
#[derive(Debug, Clone)]
pub(crate) enum Unfit {
    /// They were refused before.
    Refused(InspectError),
    /// The compiler refused them.
    NotCompiled(String),
}

impl From<InspectError> for Unfit {
    fn from(error: InspectError) -> Self {
        Self::Refused(error)
    }
}

impl From<Death> for Unfit {
    fn from(death: Death) -> Self {
        Self::Refused(death.into())
    }
}

/// The machine code of a module, and what its bytes told.
pub(crate) struct Compiled {
    pub(crate) inspection: Inspection,
    pub(crate) code: Vec<u8>,
    pub(crate) cost: CompileCost,
}

/// What decides about the code of a module besides its bytes.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) limits: &'a Limits,
    pub(crate) counts_fuel: bool,
    /// `None` to compile in this process.
    pub(crate) children: Option<&'a Children>,
}

/// The compiled modules.
#[derive(Debug, Clone)]
pub(crate) struct CompileCache {
    folder: Option<Folder>,
    /// What came with the image.
    precompiled: Option<Precompiled>,
    /// Differs between engines that can't run each other's code.
    engine_key: String,
    desk: Arc<Desk>,
    /// The modules that a child died of, for as long as this process lives.
    deaths: Arc<Mutex<HashMap<ModuleDigest, InspectError>>>,
}

impl CompileCache {
    pub(crate) fn open(dir: Option<&Path>, engine: &Engine) -> io::Result<Self> {
        Ok(Self {
            folder: dir.map(Folder::open).transpose()?,
            precompiled: None,
            engine_key: engine_key(engine),
            desk: Arc::new(Desk::new(COMPILES_AT_ONCE)),
            deaths: Arc::default(),
        })
    }

    /// The same cache, which takes what is compiled in an image from there.
    pub(crate) fn with_precompiled(self, precompiled: Precompiled) -> Self {
        Self { precompiled: Some(precompiled), ..self }
    }

    /// Whether the folder or the image holds the compiled module, or what became of it.
    pub(crate) fn has(&self, digest: ModuleDigest) -> bool {
        let is_precompiled = self.precompiled.as_ref().is_some_and(|precompiled| precompiled.has(digest));
        is_precompiled || self.folder.as_ref().is_some_and(|folder| folder.has(digest, &self.engine_key))
    }

    /// Forgets what became of a module, so that it is compiled anew.
    pub(crate) fn forget(&self, digest: ModuleDigest) {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
        if let Some(folder) = &self.folder {
            folder.remove(digest, &self.engine_key);
        }
    }

    /// The files of the folder.
    pub(crate) fn files(&self) -> io::Result<Vec<CompiledFile>> {
        let mut files = self.folder.as_ref().map_or_else(|| Ok(Vec::new()), Folder::files)?;
        for file in &mut files {
            file.is_of_this_engine = file.engine == self.engine_key;
        }
        Ok(files)
    }

    /// Removes files that are over, at most `most`, and returns how many.
    pub(crate) fn forget_old(
        &self,
        wanted: &BTreeSet<ModuleDigest>,
        before: Timestamp,
        most: usize,
    ) -> io::Result<u64> {
        let Some(folder) = &self.folder else { return Ok(0) };
        let over: Vec<_> = self.files()?.into_iter().filter(|file| file.is_over(wanted, before)).take(most).collect();
        for file in &over {
            folder.remove(file.module, &file.engine);
        }
        Ok(over.len() as u64)
    }

    /// Returns the compiled module of `bytes`, from the folder if it is there.
    pub(crate) fn compile(&self, wanted: Wanted<'_>, bytes: &[u8]) -> Result<Compiled, Unfit> {
        let started = Instant::now();
        let digest = ModuleDigest::of(bytes);
        let memory_bytes = wanted.children.map_or(0, |children| children.memory_to_compile(bytes.len(), wanted.limits));
        if let Some(kept) = self.kept(digest, memory_bytes, started) {
            return kept;
        }
        let _place = wanted.children.is_none().then(|| self.desk.place());
        // The previous holder of the place may have compiled the same module.
        if let Some(kept) = self.kept(digest, memory_bytes, started) {
            return kept;
        }
        let made = match wanted.children {
            None => here(wanted.engine, bytes),
            Some(children) => self.apart(children, wanted, digest, bytes),
        };
        let head = |inspection| Head { module: digest, engine: self.engine_key.clone(), inspection, memory_bytes };
        match made {
            Ok((inspection, code)) => {
                self.keep(&head(Ok(inspection.clone())), &code);
                Ok(Compiled { inspection, code, cost: CompileCost { cached: false, duration: started.elapsed() } })
            }
            Err(Unfit::Refused(death)) if death.is_a_death() => {
                self.deaths.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, death.clone());
                self.keep(&head(Err(death.clone())), &[]);
                Err(Unfit::Refused(death))
            }
            Err(unfit) => Err(unfit),
        }
    }

    /// What is known of a module already. A death counts as long as a child might use no more than then.
    fn kept(&self, digest: ModuleDigest, memory_bytes: u64, started: Instant) -> Option<Result<Compiled, Unfit>> {
        if let Some(death) = self.deaths.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Some(Err(Unfit::Refused(death.clone())));
        }
        if let Some((inspection, code)) = self.precompiled.as_ref().and_then(|precompiled| precompiled.read(digest)) {
            let cost = CompileCost { cached: true, duration: started.elapsed() };
            return Some(Ok(Compiled { inspection, code, cost }));
        }
        let (head, code) = self.folder.as_ref()?.read(digest, &self.engine_key)?;
        match head.inspection {
            Ok(inspection) => {
                let cost = CompileCost { cached: true, duration: started.elapsed() };
                Some(Ok(Compiled { inspection, code, cost }))
            }
            Err(death) => (head.memory_bytes >= memory_bytes).then_some(Err(Unfit::Refused(death))),
        }
    }

    /// Keeps what became of a module. Without the file the next start compiles again, which is slower but does no other
    /// harm.
    fn keep(&self, head: &Head, code: &[u8]) {
        let Some(folder) = &self.folder else { return };
        if let Err(error) = folder.write(head, code) {
            tracing::warn!(module = %head.module, %error, "a compiled module can't be written to the cache");
        }
    }

    /// Has a child compile.
    fn apart(
        &self,
        children: &Children,
        wanted: Wanted<'_>,
        digest: ModuleDigest,
        bytes: &[u8],
    ) -> Result<(Inspection, Vec<u8>), Unfit> {
        let Wanted { limits, counts_fuel, .. } = wanted;
        let request = Request { task: Task::Compile, limits: *limits, counts_fuel, inspection: None };
        let (Answer { engine, told, .. }, code) = children.ask(&request, &mut &*bytes, bytes.len() as u64)?;
        match told {
            Told::Read(inspection) if inspection.digest == digest && engine.as_ref() == Some(&self.engine_key) => {
                Ok((*inspection, code))
            }
            Told::Read(_) | Told::Tried(_) => Err(Death::no_answer().into()),
            Told::Refused(refusal) => Err(refusal.into()),
            Told::NotCompiled(words) => Err(Unfit::NotCompiled(words)),
        }
    }
}

/// Inspects and compiles in this process.
pub(crate) fn here(engine: &Engine, bytes: &[u8]) -> Result<(Inspection, Vec<u8>), Unfit> {
    let inspection = inspect(bytes)?;
    let code = engine.precompile_component(bytes);
    let words = |error: wasmtime::Error| Unfit::NotCompiled(cut(&format!("{error:#}"), MOST_WORDS).into_owned());
    Ok((inspection, code.map_err(words)?))
}

pub(crate) fn engine_key(engine: &Engine) -> String {
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

#[allow(unsafe_code, reason = "loading compiled code is unsafe by nature; see the safety comment")]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: a child of this process, or this process itself, made the code from the module that it is loaded for; if
    // it lay in a file meanwhile, the key of this installation has authenticated both together. Or it came with the
    // image, in files that nobody but root and this user can write, any more than this program. So the code is what
    // `precompile_component` made. The engine refuses code of another version or of other settings. docs/security.md
    // says what holds if a module has taken the compiler over.
    unsafe { Component::deserialize(engine, code) }
}
