//! Runs a bundle again: the same module on the same windows under the same limits has to fail in the same way.

use ta_bot_core::{EvaluationError, ModuleDigest};
use ta_bot_wasm::{Children, LoadError, Sandbox, SandboxError, StrategyModule};
use thiserror::Error;

use super::{Verdict, everything_goes_out};
use crate::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    supervision::failure::Failure,
};

/// Why a failure can't be run again.
#[derive(Debug, Error)]
pub enum RerunCause {
    /// The module was not found.
    #[error(
        "the module {0} is not here: give its file with --module, or put it into STRATEGIES_DIR; the service that wrote the \
         bundle gives it to an operator at GET /api/v1/modules/{0}/wasm"
    )]
    UnknownModule(ModuleDigest),
    /// The module can't be loaded.
    #[error("the module {module} can't be loaded by this version: {reason}")]
    UnusableModule {
        /// The module.
        module: ModuleDigest,
        /// The reason.
        reason: LoadError,
    },
    /// The number of windows does not match the module.
    #[error(
        "the bundle has {given} windows, and the module {module} takes {wanted}: it was changed after it was written"
    )]
    OtherWindows {
        /// The module.
        module: ModuleDigest,
        /// The number of windows in the bundle.
        given: usize,
        /// The number of windows that the module takes.
        wanted: usize,
    },
    /// The strategy took too long, which may be the machine's fault.
    #[error(
        "the strategy was stopped after its {limit_ms} ms, which it was not then: try again when the machine is less busy"
    )]
    Timeout {
        /// The time limit of an evaluation.
        limit_ms: u64,
    },
    /// The host had no room for an instance.
    #[error("the machine has no room for an instance: {0}")]
    NoRoom(String),
}

impl RerunCause {
    /// A stable code for programs.
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

/// The result of a rerun.
#[derive(Debug)]
pub struct Rerun {
    /// The failure that was run again.
    pub failure: Failure,
    /// The report of the new evaluation, or why there is none.
    pub answer: Result<EvaluationReport, RerunCause>,
}

impl Rerun {
    /// Runs a failure again with `module`: the bytes of the module with the failure's digest, if they were found. It
    /// uses a sandbox of its own, with the limits of the original evaluation; one of `children` compiles for it.
    pub fn new(failure: Failure, module: Option<&[u8]>, children: Children) -> Result<Self, SandboxError> {
        let answer = match module {
            None => Err(RerunCause::UnknownModule(failure.module)),
            Some(bytes) => {
                let sandbox = Sandbox::new(failure.limits, None)?.with_children(children);
                let loaded = StrategyModule::load(&sandbox, bytes);
                let unusable = |reason| RerunCause::UnusableModule { module: failure.module, reason };
                loaded.map_err(unusable).and_then(|module| evaluate(&failure, &module))
            }
        };
        Ok(Self { failure, answer })
    }

    /// Returns whether the module failed in the same way.
    pub fn verdict(&self) -> Verdict {
        match &self.answer {
            Err(_) => Verdict::Impossible,
            Ok(answer) if code_of(&answer.outcome) == Some(self.failure.error.code.as_str()) => Verdict::Equal,
            Ok(_) => Verdict::Different,
        }
    }
}

fn evaluate(failure: &Failure, module: &StrategyModule) -> Result<EvaluationReport, RerunCause> {
    let given = failure.windows.len();
    let wanted = 1 + module.description().extra.len();
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
    // The parameters are checked as in the service, because the strategy's check of its parameters may be what fails.
    let refused = module.check(&failure.parameters.values).err();
    let answer = refused.map_or_else(|| inputs.evaluate(), EvaluationReport::refused);
    match &answer.outcome {
        Outcome::Error(EvaluationError::NoRoom(reason)) => Err(RerunCause::NoRoom(reason.clone())),
        // A timeout only shows how busy this machine is, unless the original evaluation timed out too.
        Outcome::Error(error @ EvaluationError::Timeout { limit_ms, .. }) if error.code() != failure.error.code => {
            Err(RerunCause::Timeout { limit_ms: *limit_ms })
        }
        _ => Ok(answer),
    }
}

fn code_of(outcome: &Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Error(error) => Some(error.code()),
        Outcome::Signal(_) | Outcome::None | Outcome::Dropped(..) | Outcome::Skipped(_) | Outcome::Gap(_) => None,
    }
}
