//! The engine that all modules share, its pool of instances, and the clock that stops guests which run too long.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ta_bot_core::{ModuleDigest, Timestamp};
use thiserror::Error;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store, UpdateDeadline,
};

use crate::{
    child::Children,
    compile::{
        CompileCache, Compiled, CompiledFile, PrecompileError, Precompiled, PrecompiledError, Unfit, Wanted, precompile,
    },
    guest::GuestState,
    inspect::{InspectError, Inspection, LARGEST_MODULE, inspect},
    limits::{CORE_INSTANCES, Limits, MEMORIES, STACK_BYTES, TABLE_ELEMENTS, TABLES},
};

mod pages;

pub use pages::PageScan;

/// How often the clock ticks. A guest is stopped at the first tick after its time is up.
const TICK: Duration = Duration::from_millis(5);
/// How many components may run at once, and how many parts they may have in total.
#[derive(Debug, Clone, Copy)]
struct PoolSize {
    components: u32,
    core_instances: u32,
    memories: u32,
    tables: u32,
}

/// Enough for a guest on each of a hundred threads.
const SERVICE: PoolSize = PoolSize { components: 128, core_instances: 4096, memories: 256, tables: 2048 };
/// Enough for a module that is tried, which three threads do. What is reserved counts as the child's.
const CHILD: PoolSize =
    PoolSize { components: 4, core_instances: 4 * CORE_INSTANCES, memories: 4 * MEMORIES, tables: 4 * TABLES };
/// How many bytes of a memory slot stay mapped between two guests and are wiped instead of unmapped. Wiping the memory
/// that a small guest touches is cheaper than faulting it in again.
const KEEP_RESIDENT: usize = 2 << 20;
/// How large the host's records of one instance may be, in bytes. `CPython` components need about a megabyte.
const INSTANCE_RECORD: usize = 4 << 20;

/// Why a sandbox can't be made.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The engine does not run on this machine.
    #[error("the WebAssembly engine can't start: {0}")]
    Engine(String),
    /// The clock's thread can't start.
    #[error("the thread that stops guests can't start: {0}")]
    Clock(#[source] std::io::Error),
    /// Modules can't be compiled for an image.
    #[error(transparent)]
    Precompile(#[from] PrecompileError),
    /// The folder of compiled modules can't be used.
    #[error("the folder of compiled modules, {path}, can't be used: {reason}")]
    Cache {
        /// Which folder.
        path: PathBuf,
        /// The system's error.
        reason: std::io::Error,
    },
}

/// Everything that modules share. Cheap to clone. The clock stops when the last clone is dropped.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    cache: CompileCache,
    /// `None` if modules are read and compiled in this process.
    children: Option<Children>,
    /// Whether the fuel of guests is counted.
    pub(crate) counts_fuel: bool,
    page_scan: PageScan,
    _clock: Arc<Clock>,
}

impl Sandbox {
    /// Makes a sandbox whose guests have `limits`. Compiled modules are kept in `cache_dir`, if it is given. It reads
    /// and compiles in this process, which is for modules that are trusted; see [`with_children`](Self::with_children).
    pub fn new(limits: Limits, cache_dir: Option<PathBuf>) -> Result<Self, SandboxError> {
        let page_scan = PageScan::of_this_process();
        Self::with(&config(&limits, SERVICE, page_scan), page_scan, limits, cache_dir)
    }

    /// Makes a sandbox that counts what its guests execute, as [`Usage::fuel`](crate::Usage::fuel). Guests run slower
    /// in it and are compiled anew.
    pub fn counting_fuel(limits: Limits) -> Result<Self, SandboxError> {
        let page_scan = PageScan::of_this_process();
        let mut config = config(&limits, SERVICE, page_scan);
        config.consume_fuel(true);
        Ok(Self { counts_fuel: true, ..Self::with(&config, page_scan, limits, None)? })
    }

    /// Makes the sandbox of a child, which compiles or tries one module.
    pub(crate) fn in_child(limits: Limits, counts_fuel: bool) -> Result<Self, SandboxError> {
        let page_scan = PageScan::Off;
        let mut config = config(&limits, CHILD, page_scan);
        config.consume_fuel(counts_fuel);
        Ok(Self { counts_fuel, ..Self::with(&config, page_scan, limits, None)? })
    }

    /// The same sandbox, which has children read and compile modules. None of their bytes is parsed in this process.
    #[must_use]
    pub fn with_children(self, children: Children) -> Self {
        Self { children: Some(children), ..self }
    }

    /// The compiled modules that an image brings in a folder, if they can be trusted and run here.
    pub fn precompiled(&self, folder: &Path) -> Result<Precompiled, PrecompiledError> {
        Precompiled::open(folder, &self.engine)
    }

    /// The same sandbox, which need not compile these modules.
    #[must_use]
    pub fn with_precompiled(self, precompiled: Precompiled) -> Self {
        Self { cache: self.cache.with_precompiled(precompiled), ..self }
    }

    /// Compiles trusted modules into a new folder, for [`precompiled`](Self::precompiled) on other machines of this
    /// kind. `made_by` is the version that the list names.
    pub fn precompile(modules: &[Vec<u8>], made_by: &str, folder: &Path) -> Result<(), SandboxError> {
        let engine = portable().map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        Ok(precompile(&engine, made_by, modules, folder)?)
    }

    fn with(
        config: &Config,
        page_scan: PageScan,
        limits: Limits,
        cache_dir: Option<PathBuf>,
    ) -> Result<Self, SandboxError> {
        let engine = Engine::new(config).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let cache = CompileCache::open(cache_dir.as_deref(), &engine);
        let cache = cache.map_err(|reason| SandboxError::Cache { path: cache_dir.unwrap_or_default(), reason })?;
        let clock = Clock::start(engine.clone()).map_err(SandboxError::Clock)?;
        Ok(Self { engine, limits, cache, children: None, counts_fuel: false, page_scan, _clock: Arc::new(clock) })
    }

    /// What the bytes of a module are, or why they are none. They are read from `bytes`, and are `length` of them.
    pub fn inspect(&self, bytes: &mut (impl Read + Send), length: u64) -> Result<Inspection, InspectError> {
        if let Some(children) = &self.children {
            return children.inspect(bytes, length);
        }
        if length > LARGEST_MODULE as u64 {
            return Err(InspectError::TooLarge);
        }
        let mut whole = Vec::new();
        let read = bytes.take(length).read_to_end(&mut whole);
        read.map_err(|error| InspectError::Unanswered(format!("its bytes can't be read: {error}")))?;
        inspect(&whole)
    }

    /// The code of a module, compiled or found.
    pub(crate) fn compiled(&self, bytes: &[u8]) -> Result<Compiled, Unfit> {
        let Self { engine, limits, counts_fuel, children, .. } = self;
        let wanted = Wanted { engine, limits, counts_fuel: *counts_fuel, children: children.as_ref() };
        self.cache.compile(wanted, bytes)
    }

    /// Which children read and compile modules; `None` if this process does.
    pub const fn children(&self) -> Option<&Children> {
        self.children.as_ref()
    }

    /// Forgets what a module was compiled to, and whether a child died of it.
    pub fn forget(&self, module: ModuleDigest) {
        self.cache.forget(module);
    }

    /// The files of compiled modules.
    pub fn compiled_files(&self) -> io::Result<Vec<CompiledFile>> {
        self.cache.files()
    }

    /// Removes files of compiled modules that were written before a moment and are not of a wanted module or not for
    /// this engine, at most `most`. Returns how many it removed.
    pub fn forget_compiled(&self, wanted: &BTreeSet<ModuleDigest>, before: Timestamp, most: usize) -> io::Result<u64> {
        self.cache.forget_old(wanted, before, most)
    }

    /// How the memory of an instance is reset for the next one.
    pub const fn page_scan(&self) -> PageScan {
        self.page_scan
    }

    /// Whether a module has been compiled before, so that loading it takes milliseconds.
    pub fn has_compiled(&self, module: ModuleDigest) -> bool {
        self.cache.has(module)
    }

    /// What guests may use.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Stops the guest once its time is up, and not before. Ticks alone are not enough: if the clock's thread was kept from
/// ticking, it catches up, and ticks come faster than time passes.
pub(crate) fn stop_in_time(store: &mut Store<GuestState>) {
    let limit = store.data().time.limit;
    // One more, since the current tick has already begun.
    store.set_epoch_deadline((limit.as_micros().div_ceil(TICK.as_micros()) as u64).saturating_add(1));
    store.epoch_deadline_callback(|mut store| {
        let is_up = store.data_mut().time.is_up();
        Ok(if is_up { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
    });
}

/// Fills the guest's tank, if the sandbox counts fuel. No tank runs dry before the guest's time is up.
pub(crate) fn refuel<T>(store: &mut Store<T>, sandbox: &Sandbox) {
    if sandbox.counts_fuel {
        // This fails only if the engine has no tanks.
        store.set_fuel(u64::MAX).ok();
    }
}

/// How much fuel the guest has burnt since [`refuel`], or `None` if the sandbox does not count it.
pub(crate) fn burnt<T>(store: &Store<T>, sandbox: &Sandbox) -> Option<u64> {
    sandbox.counts_fuel.then(|| store.get_fuel().map_or(0, |left| u64::MAX - left))
}

/// The engine's configuration: deterministic, interruptible, pooled. `docs/decisions.md` says what was measured.
fn config(limits: &Limits, size: PoolSize, page_scan: PageScan) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.components)
        .total_core_instances(size.core_instances)
        .total_memories(size.memories)
        .total_tables(size.tables)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(limits.memory_bytes)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instance_size(INSTANCE_RECORD)
        .max_component_instance_size(INSTANCE_RECORD)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(if page_scan == PageScan::On { Enabled::Yes } else { Enabled::No });
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // Otherwise the bits of a NaN would depend on the machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false);
    config
}

/// What x86 processors have had since 2013, and clouds run nothing older (x86-64-v3). Other kinds have no such levels.
const X86_64_V3: [&str; 11] = [
    "has_sse3",
    "has_ssse3",
    "has_sse41",
    "has_sse42",
    "has_popcnt",
    "has_avx",
    "has_avx2",
    "has_bmi1",
    "has_bmi2",
    "has_lzcnt",
    "has_fma",
];

/// An engine that only compiles: for all processors of this machine's kind, whatever this one can do besides.
#[allow(unsafe_code, reason = "settings of the compiler are unsafe by nature; see the safety comment")]
fn portable() -> wasmtime::Result<Engine> {
    let mut config = config(&Limits::default(), SERVICE, PageScan::Off);
    config.target(&format!("{}-unknown-linux-gnu", std::env::consts::ARCH))?;
    if cfg!(target_arch = "x86_64") {
        for feature in X86_64_V3 {
            // SAFETY: the code uses these features, and the engine that loads it refuses it if its machine lacks one.
            unsafe { config.cranelift_flag_enable(feature) };
        }
    }
    Engine::new(&config)
}

/// Ticks the engine's epoch from its own thread, so that a guest is stopped even if guests hold every other thread.
struct Clock {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    fn start(engine: Engine) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("guest-clock".to_owned()).spawn(move || {
            let started = Instant::now();
            let mut ticks = 0;
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                // Ticks follow the elapsed time: on a busy machine a sleep takes longer, and ticks would be lost.
                let due = started.elapsed().as_micros() / TICK.as_micros();
                (ticks..due).for_each(|_| engine.increment_epoch());
                ticks = due;
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // The thread has nothing to report but that it has ended.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
