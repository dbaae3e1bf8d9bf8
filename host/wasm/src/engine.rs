//! The engine that all modules share, its pool of instances, and the clock that stops guests which run too long.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ta_bot_core::ModuleDigest;
use thiserror::Error;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Store, UpdateDeadline,
};

use crate::{
    compile::CompileCache,
    limits::{CORE_INSTANCES, Limits, MEMORIES, STACK_BYTES, TABLE_ELEMENTS, TABLES},
};

/// How often the clock ticks. A guest is stopped at the first tick after its time is up.
const TICK: Duration = Duration::from_millis(5);
/// How many components may be running at once, and what they may consist of in all: enough for a guest on each of a hundred
/// threads.
const COMPONENT_INSTANCES: u32 = 128;
const CORE_INSTANCES_IN_ALL: u32 = 4096;
const MEMORIES_IN_ALL: u32 = 256;
const TABLES_IN_ALL: u32 = 2048;
/// How many bytes of a memory slot stay in place between two guests and are wiped instead of unmapped. What a small
/// guest touches is cheaper to wipe than to fault in again.
const KEEP_RESIDENT: usize = 2 << 20;
/// The host's records of one instance, in bytes. Components of `CPython` need about a megabyte.
const INSTANCE_RECORD: usize = 4 << 20;

/// Why there is no sandbox.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The engine does not run on this machine.
    #[error("the WebAssembly engine can't start: {0}")]
    Engine(String),
    /// The clock's thread can't start.
    #[error("the thread that stops guests can't start: {0}")]
    Clock(#[source] std::io::Error),
    /// The folder of compiled modules can't be used.
    #[error("the folder of compiled modules, {path}, can't be used: {reason}")]
    Cache {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        reason: std::io::Error,
    },
}

/// Everything that modules share. Cheap to clone; the clock stops with the last clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) limits: Limits,
    pub(crate) cache: CompileCache,
    /// Whether what guests execute is counted.
    pub(crate) counts_fuel: bool,
    _clock: Arc<Clock>,
}

impl Sandbox {
    /// A sandbox whose guests have `limits`. Compiled modules are kept in `cache_dir`, if given.
    pub fn new(limits: Limits, cache_dir: Option<PathBuf>) -> Result<Self, SandboxError> {
        Self::with(&config(&limits), limits, cache_dir)
    }

    /// A sandbox that counts what its guests execute, as [`Usage::fuel`](crate::Usage::fuel). They run slower in it, and are
    /// compiled anew.
    pub fn counting_fuel(limits: Limits) -> Result<Self, SandboxError> {
        let mut config = config(&limits);
        config.consume_fuel(true);
        Ok(Self { counts_fuel: true, ..Self::with(&config, limits, None)? })
    }

    fn with(config: &Config, limits: Limits, cache_dir: Option<PathBuf>) -> Result<Self, SandboxError> {
        let engine = Engine::new(config).map_err(|error| SandboxError::Engine(format!("{error:#}")))?;
        let cache = CompileCache::open(cache_dir, &engine)?;
        let clock = Clock::start(engine.clone()).map_err(SandboxError::Clock)?;
        Ok(Self { engine, limits, cache, counts_fuel: false, _clock: Arc::new(clock) })
    }

    /// Whether a module was compiled before, so that loading it takes milliseconds.
    pub fn has_compiled(&self, module: ModuleDigest) -> bool {
        self.cache.has(module)
    }

    /// What guests may use.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Stops a guest that starts now when it has had its time, and not before: where the clock's thread was kept from ticking
/// it makes up for that, and ticks come faster than time passes.
pub(crate) fn stop_after<T: 'static>(store: &mut Store<T>, time: Duration) {
    let started = Instant::now();
    // One more, since the tick under way has begun already.
    store.set_epoch_deadline((time.as_micros().div_ceil(TICK.as_micros()) as u64).saturating_add(1));
    store.epoch_deadline_callback(move |_| {
        let is_up = started.elapsed() >= time;
        Ok(if is_up { UpdateDeadline::Interrupt } else { UpdateDeadline::Continue(1) })
    });
}

/// Fills the tank of a guest where it has one. None of them runs dry before its time is up.
pub(crate) fn refuel<T>(store: &mut Store<T>, sandbox: &Sandbox) {
    if sandbox.counts_fuel {
        // It fails only where the engine has no tanks.
        store.set_fuel(u64::MAX).ok();
    }
}

/// How much fuel a guest has burnt since then, where it has a tank.
pub(crate) fn burnt<T>(store: &Store<T>, sandbox: &Sandbox) -> Option<u64> {
    sandbox.counts_fuel.then(|| store.get_fuel().map_or(0, |left| u64::MAX - left))
}

/// Deterministic, interruptible, pooled. See the notes in `docs/decisions.md` for what was measured.
fn config(limits: &Limits) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(COMPONENT_INSTANCES)
        .total_core_instances(CORE_INSTANCES_IN_ALL)
        .total_memories(MEMORIES_IN_ALL)
        .total_tables(TABLES_IN_ALL)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(limits.memory_bytes)
        .table_elements(TABLE_ELEMENTS)
        .max_core_instance_size(INSTANCE_RECORD)
        .max_component_instance_size(INSTANCE_RECORD)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        .cranelift_opt_level(OptLevel::Speed)
        // What a NaN's bits are would otherwise depend on the machine.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false);
    config
}

/// Ticks the engine's epoch from a thread of its own, so that a guest that holds every other thread is still stopped.
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
                // By the time that has passed: on a busy machine a sleep takes longer, and ticks would be lost.
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
            // It has nothing to say but that it ended.
            let _ = thread.join();
        }
    }
}
