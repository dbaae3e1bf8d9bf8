//! A bundle, run again: the same module on the same windows under the same limits has to fail in the same way.

use ta_bot_core::{EvaluationError, ModuleDigest};
use ta_bot_wasm::{LoadError, Sandbox, SandboxError, StrategyModule};
use thiserror::Error;

use super::{Verdict, everything_goes_out};
use crate::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    supervision::failure::Failure,
};

/// Why a failure can't be made again.
#[derive(Debug, Error)]
pub enum RerunCause {
    /// The module is nowhere to be found.
    #[error(
        "the module {0} is not here: give its file with --module, or put it into STRATEGIES_DIR; the service that wrote the \
         bundle gives it to an operator at GET /api/v1/modules/{0}/wasm"
    )]
    UnknownModule(ModuleDigest),
    /// The module can't be loaded.
    #[error("the module {module} can't be loaded by this version: {reason}")]
    UnusableModule {
        /// Which.
        module: ModuleDigest,
        /// Why.
        reason: LoadError,
    },
    /// The windows are none of this module's.
    #[error(
        "the bundle has {given} windows, and the module {module} takes {wanted}: it was changed after it was written"
    )]
    OtherWindows {
        /// Which module.
        module: ModuleDigest,
        /// How many windows the bundle has.
        given: usize,
        /// How many the module takes.
        wanted: usize,
    },
    /// The strategy took too long, which may be the machine's fault.
    #[error(
        "the strategy was stopped after its {limit_ms} ms, which it was not then: try again when the machine is less busy"
    )]
    Timeout {
        /// How long it may run.
        limit_ms: u64,
    },
    /// The host had no room for an instance.
    #[error("the machine has no room for an instance: {0}")]
    NoRoom(String),
}

impl RerunCause {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownModule(_) => "unknown_module",
            Self::UnusableModule { .. } => "unusable_module",
            Self::OtherWindows { .. } => "other_windows",
            Self::Timeout { .. } => "timeout",
            Self::NoRoom(_) => "no_room",
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Rerun {
    /// What was run again.
    pub failure: Failure,
    /// What the strategy answered now, or why it could not be asked.
    pub answer: Result<EvaluationReport, RerunCause>,
}

impl Rerun {
    /// Runs a failure again by `module`: the bytes of the module that its digest names, where they were found. The sandbox
    /// is its own, since it has the limits of then.
    pub fn new(failure: Failure, module: Option<&[u8]>) -> Result<Self, SandboxError> {
        let answer = match module {
            None => Err(RerunCause::UnknownModule(failure.module)),
            Some(bytes) => {
                let sandbox = Sandbox::new(failure.limits, None)?;
                let loaded = StrategyModule::load(&sandbox, bytes);
                let unusable = |reason| RerunCause::UnusableModule { module: failure.module, reason };
                loaded.map_err(unusable).and_then(|module| evaluate(&failure, &module))
            }
        };
        Ok(Self { failure, answer })
    }

    /// Whether it failed in the same way.
    pub fn verdict(&self) -> Verdict {
        match &self.answer {
            Err(_) => Verdict::Impossible,
            Ok(answer) if code_of(&answer.outcome) == Some(self.failure.error.code.as_str()) => Verdict::Equal,
            Ok(_) => Verdict::Different,
        }
    }
}

fn evaluate(failure: &Failure, module: &StrategyModule) -> Result<EvaluationReport, RerunCause> {
    let (given, wanted) = (failure.windows.len(), 1 + module.description().extra.len());
    if given != wanted {
        return Err(RerunCause::OtherWindows { module: module.digest(), given, wanted });
    }
    let slices = failure.slices();
    let inputs = Inputs {
        module,
        parameters: &failure.parameters,
        job: &failure.job,
        base: slices[0],
        extra: &slices[1..],
        settings: &everything_goes_out(),
        origin: Origin::NONE,
    };
    // As the service does: what fails may be the strategy's check of its parameters.
    let refused = module.check(&failure.parameters.values).err();
    let answer = refused.map_or_else(|| inputs.evaluate(), EvaluationReport::refused);
    match &answer.outcome {
        Outcome::Error(EvaluationError::NoRoom(reason)) => Err(RerunCause::NoRoom(reason.clone())),
        // It says how busy this machine is, unless it ran as long then.
        Outcome::Error(error @ EvaluationError::Timeout { limit_ms }) if error.code() != failure.error.code => {
            Err(RerunCause::Timeout { limit_ms: *limit_ms })
        }
        _ => Ok(answer),
    }
}

fn code_of(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Error(error) => Some(error.code()),
        Outcome::Signal(_) | Outcome::None | Outcome::Dropped(..) | Outcome::Skipped(_) => None,
    }
}
