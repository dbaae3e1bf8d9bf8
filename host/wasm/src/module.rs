//! A strategy's module: a component that was found fit to run, with its description of itself.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::{Columns, EvaluationError, ModuleDigest, StrategyDescription, Timestamp, cut};
use thiserror::Error;
use wasmtime::{Store, component::Linker};

use crate::{
    bindings::{StrategyModule as Bindings, StrategyModulePre},
    compile::{CompileCost, Compiled, MOST_WORDS, Unfit, deserialize},
    convert,
    engine::{Sandbox, refuel, stop_in_time},
    fault,
    guest::{GuestState, Seed},
    inspect::{InspectError, Inspection, WIT_VERSIONS, wasi_versions},
    limits::{DESCRIBE_TIMEOUT, Limits},
    virtual_wasi,
};

mod apart;

pub use apart::{attempt, load_and_attempt, serve_child};

/// The WIT version that modules speak.
pub const WIT_VERSION: &str = WIT_VERSIONS[0];

/// How long to wait for room in the pool, and how long to pause between two tries.
const ROOM_WITHIN: Duration = Duration::from_secs(30);
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// Why bytes can't be loaded as a strategy.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The bytes were refused before anything was compiled.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The compiler found that the bytes are not valid.
    #[error("this is no WebAssembly component: {0}")]
    NotAComponent(String),
    /// An export or import of the component has the right name but another type.
    #[error("it does not export ta-bot:strategy/strategy@{WIT_VERSION} as this host speaks it: {0}")]
    WrongExports(String),
    /// The component could not be asked for its description.
    #[error("it can't say what it is: {0}")]
    Describe(String),
    /// The host had no room for an instance. This says nothing about the component: try again.
    #[error("the host has no room for another instance: {0}")]
    NoRoom(String),
    /// The component's description of itself is not valid.
    #[error("its description is unusable: {0}")]
    Description(String),
}

impl LoadError {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Inspect(error) => error.code(),
            Self::NotAComponent(_) => "not_a_component",
            Self::WrongExports(_) => "wrong_exports",
            Self::NoRoom(_) => "no_room",
            Self::Describe(_) => "describe_failed",
            Self::Description(_) => "invalid_description",
        }
    }

    /// Whether this says nothing about the module, so that another try may end otherwise.
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::NoRoom(_) => true,
            Self::Inspect(error) => error.is_passing(),
            Self::NotAComponent(_) | Self::WrongExports(_) | Self::Describe(_) | Self::Description(_) => false,
        }
    }
}

impl From<Unfit> for LoadError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Refused(error) => Self::Inspect(error),
            Unfit::NotCompiled(words) => Self::NotAComponent(words),
        }
    }
}

/// What a guest or the compiler says, short enough to be stored and listed.
fn in_short(words: &str) -> String {
    cut(words, MOST_WORDS).into_owned()
}

/// A strategy that can be evaluated. Cheap to clone.
#[derive(Clone)]
pub struct StrategyModule {
    pub(crate) sandbox: Sandbox,
    pub(crate) pre: StrategyModulePre<GuestState>,
    inspection: Arc<Inspection>,
    description: Arc<StrategyDescription>,
    cost: CompileCost,
}

impl StrategyModule {
    /// Has `bytes` inspected and compiled (or finds them already compiled) and asks the component for its description.
    /// This may take seconds, and waits while other modules are being compiled: keep it off paths that others wait for.
    pub fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<Self, LoadError> {
        Self::of(sandbox, &sandbox.compiled(bytes)?)
    }

    /// Makes a module ready from its machine code.
    fn of(sandbox: &Sandbox, compiled: &Compiled) -> Result<Self, LoadError> {
        let started = Instant::now();
        let Compiled { inspection, code, cost } = compiled;
        let mut cost = *cost;
        let engine = &sandbox.engine;
        let component =
            deserialize(engine, code).map_err(|error| LoadError::NotAComponent(in_short(&format!("{error:#}"))))?;
        cost.duration += started.elapsed();
        let wrong = |error: wasmtime::Error| LoadError::WrongExports(in_short(&format!("{error:#}")));
        let mut linker = Linker::new(engine);
        Bindings::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state).map_err(wrong)?;
        let wasi = wasi_versions(&inspection.imports);
        if !wasi.is_empty() {
            virtual_wasi::link(&mut linker, &component, &wasi).map_err(wrong)?;
        }
        let pre = linker.instantiate_pre(&component).and_then(StrategyModulePre::new).map_err(wrong)?;
        let description = Arc::new(describe(sandbox, &pre)?);
        let module =
            Self { sandbox: sandbox.clone(), pre, inspection: Arc::new(inspection.clone()), description, cost };
        module.check_defaults()?;
        Ok(module)
    }

    /// A strategy must at least accept its own default parameters.
    fn check_defaults(&self) -> Result<(), LoadError> {
        let defaults = self.description.schema.defaults();
        with_room(|| self.check_within(&patient(self.limits()), &defaults)).map_err(|error| match error {
            EvaluationError::NoRoom(reason) => LoadError::NoRoom(reason),
            error => LoadError::Description(in_short(&format!("its default parameters do not pass: {error}"))),
        })
    }

    /// The identity of the code.
    pub fn digest(&self) -> ModuleDigest {
        self.inspection.digest
    }

    /// What its bytes tell about it.
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// The strategy's description of itself.
    pub fn description(&self) -> &StrategyDescription {
        &self.description
    }

    /// The same module, which is given these columns of the base series, whatever it asks for. The service never does
    /// this; it shows whether a strategy reads a column that it did not ask for.
    #[must_use]
    pub fn with_columns(&self, columns: Columns) -> Self {
        let description = StrategyDescription { columns, ..self.description().clone() };
        Self { description: Arc::new(description), ..self.clone() }
    }

    /// What the compilation cost.
    pub const fn compile_cost(&self) -> CompileCost {
        self.cost
    }

    /// Asks one instance twice for the module's description, with `now` on its clocks and its own `seed`. This shows
    /// whether the description is always the same.
    pub fn describe_again(&self, now: Timestamp, seed: [u8; 32]) -> Result<Vec<StrategyDescription>, LoadError> {
        describe_times(&self.sandbox, &self.pre, 2, (now, seed))
    }

    /// The limits of an evaluation.
    pub const fn limits(&self) -> &Limits {
        self.sandbox.limits()
    }
}

/// The limits of what is done once for each module, while no candle waits.
fn patient(limits: &Limits) -> Limits {
    Limits { timeout: limits.timeout.max(DESCRIBE_TIMEOUT), ..*limits }
}

/// Asks a fresh instance for its description.
fn describe(sandbox: &Sandbox, pre: &StrategyModulePre<GuestState>) -> Result<StrategyDescription, LoadError> {
    let mut answers = describe_times(sandbox, pre, 1, (Timestamp::from_millis(0), [0; 32]))?;
    answers.pop().ok_or_else(|| LoadError::Describe("it was not asked".to_owned()))
}

/// Asks one instance `times` times for its description, with the given clock and seed.
fn describe_times(
    sandbox: &Sandbox,
    pre: &StrategyModulePre<GuestState>,
    times: usize,
    (now, seed): (Timestamp, [u8; 32]),
) -> Result<Vec<StrategyDescription>, LoadError> {
    let limits = patient(sandbox.limits());
    let ask = || {
        let mut store = new_store(sandbox, GuestState::new(&limits, now, Seed::Given(seed)), &limits);
        let answers = pre.instantiate(&mut store).and_then(|instance| {
            let call = |_| instance.ta_bot_strategy_strategy().call_describe(&mut store);
            (0..times).map(call).collect::<wasmtime::Result<Vec<_>>>()
        });
        answers.map_err(|error| fault::classify(&error, store.data(), &limits))
    };
    let answers = with_room(ask).map_err(|error| match error {
        EvaluationError::NoRoom(reason) => LoadError::NoRoom(reason),
        error => LoadError::Describe(in_short(&error.to_string())),
    })?;
    let unusable = |problem: String| LoadError::Description(in_short(&problem));
    answers.into_iter().map(|answer| convert::description(answer).map_err(unusable)).collect()
}

/// Repeats `call` while the pool has no room for an instance, for as long as a pool full of guests may take to empty. A
/// failure for lack of room says nothing about the guest.
pub fn with_room<T>(mut call: impl FnMut() -> Result<T, EvaluationError>) -> Result<T, EvaluationError> {
    let begun = Instant::now();
    loop {
        match call() {
            Err(EvaluationError::NoRoom(_)) if begun.elapsed() < ROOM_WITHIN => std::thread::sleep(ROOM_PAUSE),
            done => return done,
        }
    }
}

/// A store for one instance, with the limits set.
pub(crate) fn new_store(sandbox: &Sandbox, state: GuestState, limits: &Limits) -> Store<GuestState> {
    let mut store = Store::new(&sandbox.engine, state);
    store.limiter(|state| &mut state.watch);
    stop_in_time(&mut store);
    refuel(&mut store, sandbox);
    store.set_hostcall_fuel(limits.result_bytes);
    store
}
