//! A strategy's module: a component that was found fit to run, with what it says of itself.

use ta_bot_core::{ModuleDigest, StrategyDescription, Timestamp};
use thiserror::Error;
use wasmtime::{Store, component::Linker};

use crate::{
    bindings::{StrategyModule as Bindings, StrategyModulePre},
    compile::CompileCost,
    convert,
    engine::Sandbox,
    fault,
    guest::GuestState,
    imports,
    limits::{DESCRIBE_TIMEOUT, Limits},
    virtual_wasi,
};

/// The WIT version that modules speak.
pub const WIT_VERSION: &str = "1.0.0";

/// The first bytes of all WebAssembly.
const MAGIC: &[u8] = b"\0asm";
/// The first bytes of a core WebAssembly module; a component differs in the second four.
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\0\0\0";

/// Why bytes make no strategy.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The bytes are no WebAssembly at all.
    #[error("this is no WebAssembly component: {0}")]
    NotAComponent(String),
    /// The bytes are a core module.
    #[error(
        "this is a core WebAssembly module, not a component: link it with wasm-component-ld, or make a component of it \
         with `wasm-tools component new`"
    )]
    CoreModule,
    /// The component wants what no strategy gets.
    #[error("it imports {}: a strategy may import ta-bot:strategy/log and the virtualised part of WASI 0.2 (cli, clocks, filesystem, io, random), nothing else", .0.join(", "))]
    ForbiddenImports(Vec<String>),
    /// The component does not have the strategy interface, or has another version's.
    #[error("it does not export ta-bot:strategy/strategy@{WIT_VERSION} as this host speaks it: {0}")]
    WrongExports(String),
    /// The component could not be asked what it is.
    #[error("it can't say what it is: {0}")]
    Describe(String),
    /// What the component says of itself does not hold.
    #[error("its description is unusable: {0}")]
    Description(String),
}

/// A strategy that can be evaluated. Cheap to clone.
#[derive(Clone)]
pub struct StrategyModule {
    pub(crate) sandbox: Sandbox,
    pub(crate) pre: StrategyModulePre<GuestState>,
    digest: ModuleDigest,
    description: std::sync::Arc<StrategyDescription>,
    cost: CompileCost,
}

impl StrategyModule {
    /// Compiles `bytes` (or finds them compiled), checks what they import and export, and asks what they are. This may
    /// take seconds: keep it off the paths that others wait for.
    pub fn load(sandbox: &Sandbox, bytes: &[u8]) -> Result<Self, LoadError> {
        if !bytes.starts_with(MAGIC) {
            return Err(LoadError::NotAComponent(format!(
                "its {} bytes do not begin as WebAssembly does, with \\0asm",
                bytes.len()
            )));
        }
        if bytes.starts_with(&CORE_MODULE) {
            return Err(LoadError::CoreModule);
        }
        let digest = ModuleDigest::of(bytes);
        let engine = &sandbox.engine;
        let (component, cost) = sandbox
            .cache
            .compile(engine, digest, bytes)
            .map_err(|error| LoadError::NotAComponent(format!("{error:#}")))?;
        let forbidden = imports::forbidden(&component, engine);
        if !forbidden.is_empty() {
            return Err(LoadError::ForbiddenImports(forbidden));
        }
        let wrong = |error: wasmtime::Error| LoadError::WrongExports(format!("{error:#}"));
        let mut linker = Linker::new(engine);
        Bindings::add_to_linker::<_, wasmtime::component::HasSelf<_>>(&mut linker, |state| state).map_err(wrong)?;
        if !imports::wasi_versions(&component, engine).is_empty() {
            virtual_wasi::link(&mut linker, &component, engine).map_err(wrong)?;
        }
        let pre = linker.instantiate_pre(&component).and_then(StrategyModulePre::new).map_err(wrong)?;
        let description = std::sync::Arc::new(describe(sandbox, &pre)?);
        let module = Self { sandbox: sandbox.clone(), pre, digest, description, cost };
        module.check_defaults()?;
        Ok(module)
    }

    /// A strategy must at least run as it comes.
    fn check_defaults(&self) -> Result<(), LoadError> {
        self.check_within(&patient(self.limits()), &self.description.schema.defaults())
            .map_err(|error| LoadError::Description(format!("its default parameters do not pass: {error}")))
    }

    /// The identity of the code.
    pub const fn digest(&self) -> ModuleDigest {
        self.digest
    }

    /// What the strategy says of itself.
    pub fn description(&self) -> &StrategyDescription {
        &self.description
    }

    /// What the component imports, each allowed.
    pub fn imports(&self) -> Vec<String> {
        let component_type = self.pre.instance_pre().component().component_type();
        component_type.imports(&self.sandbox.engine).map(|(name, _)| name.to_owned()).collect()
    }

    /// What it took to compile.
    pub const fn compile_cost(&self) -> CompileCost {
        self.cost
    }

    /// The limits of an evaluation.
    pub const fn limits(&self) -> &Limits {
        self.sandbox.limits()
    }
}

/// The limits of what happens once for a module, while no candle waits.
fn patient(limits: &Limits) -> Limits {
    Limits { timeout: limits.timeout.max(DESCRIBE_TIMEOUT), ..*limits }
}

/// Asks a fresh instance what it is.
fn describe(sandbox: &Sandbox, pre: &StrategyModulePre<GuestState>) -> Result<StrategyDescription, LoadError> {
    let limits = patient(sandbox.limits());
    let state = GuestState::new(&limits, Timestamp::from_millis(0), [0; 32]);
    let mut store = new_store(sandbox, state, &limits);
    let answer = pre
        .instantiate(&mut store)
        .and_then(|instance| instance.ta_bot_strategy_strategy().call_describe(&mut store))
        .map_err(|error| LoadError::Describe(fault::classify(&error, store.data(), &limits).to_string()))?;
    convert::description(answer).map_err(LoadError::Description)
}

/// A store for one instance, with the limits set.
pub(crate) fn new_store(sandbox: &Sandbox, state: GuestState, limits: &Limits) -> Store<GuestState> {
    let mut store = Store::new(&sandbox.engine, state);
    store.limiter(|state| &mut state.watch);
    store.set_epoch_deadline(Sandbox::ticks(limits.timeout));
    store.set_hostcall_fuel(limits.result_bytes);
    store
}
