//! A bundle, run again: the same module on the same windows under the same limits has to fail in the same way.

use serde::Serialize;
use ta_bot_core::{EvaluationError, ModuleDigest, Timestamp};
use ta_bot_wasm::{LoadError, Sandbox, SandboxError, StrategyModule};
use thiserror::Error;

use super::{FailedWindow, Failure, RecordedError};
use crate::{
    evaluation::{Answer, HOST_VERSION, Inputs, Origin, Outcome},
    outcome_view::OutcomeView,
    replay::{Verdict, everything_goes_out},
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
    pub answer: Result<Answer, RerunCause>,
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

fn evaluate(failure: &Failure, module: &StrategyModule) -> Result<Answer, RerunCause> {
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
    let answer = refused.map_or_else(|| inputs.evaluate(), Answer::refused);
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

/// A rerun in the words of JSON.
#[derive(Debug, Serialize)]
pub(crate) struct RerunView {
    pub(crate) failure_id: String,
    /// `equal`: it failed with the same code. `different`: something else came of the same inputs. `impossible`: it could not
    /// be run.
    pub(crate) verdict: &'static str,
    /// Why it is impossible; else null.
    pub(crate) cause: Option<RerunCauseView>,
    pub(crate) strategy: String,
    pub(crate) symbol: String,
    pub(crate) timeframe: String,
    pub(crate) candle_close: String,
    /// When it failed first.
    pub(crate) at: String,
    pub(crate) module_digest: String,
    /// The version in which it failed.
    pub(crate) host_version: String,
    /// The version that runs it again.
    pub(crate) replayed_by: &'static str,
    pub(crate) timeout_ms: u64,
    pub(crate) memory_bytes: usize,
    /// What the strategy is given: its own series first, then its extra inputs.
    pub(crate) windows: Vec<RerunWindowView>,
    /// How it failed then.
    pub(crate) recorded: RecordedView,
    /// What the strategy answered now; null where it was not asked.
    pub(crate) outcome: Option<OutcomeView>,
}

/// Why a failure can't be made again.
#[derive(Debug, Serialize)]
pub(crate) struct RerunCauseView {
    /// A stable word for programs.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// How it failed then.
#[derive(Debug, Serialize)]
pub(crate) struct RecordedView {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A window that the strategy is given.
#[derive(Debug, Serialize)]
pub(crate) struct RerunWindowView {
    /// Null for an input that is empty since there is no higher timeframe.
    pub(crate) symbol: Option<String>,
    pub(crate) timeframe: Option<String>,
    pub(crate) candles: usize,
    pub(crate) first_open: Option<String>,
    pub(crate) last_open: Option<String>,
}

impl RerunView {
    pub(crate) fn new(rerun: &Rerun) -> Self {
        let Rerun { failure, answer } = rerun;
        let RecordedError { code, message } = failure.error.clone();
        let cause = answer.as_ref().err();
        Self {
            failure_id: failure.id().to_string(),
            verdict: rerun.verdict().as_str(),
            cause: cause.map(|cause| RerunCauseView { code: cause.code(), message: cause.to_string() }),
            strategy: failure.strategy.to_string(),
            symbol: failure.job.symbol.to_string(),
            timeframe: failure.job.timeframe.as_str().to_owned(),
            candle_close: failure.job.candle_close.to_string(),
            at: failure.at.to_string(),
            module_digest: failure.module.to_string(),
            host_version: failure.host_version.clone(),
            replayed_by: HOST_VERSION,
            timeout_ms: failure.limits.timeout.as_millis() as u64,
            memory_bytes: failure.limits.memory_bytes,
            windows: failure.windows.iter().map(window).collect(),
            recorded: RecordedView { code, message },
            outcome: answer.as_ref().ok().map(|it| OutcomeView::new(&it.outcome, it.duration, &it.log)),
        }
    }
}

fn window(window: &FailedWindow) -> RerunWindowView {
    let series = window.series.as_ref();
    let open_times = window.candles.newest(usize::MAX).open_time;
    let moment = |millis: Option<&f64>| millis.map(|millis| Timestamp::from_millis(*millis as i64).to_string());
    RerunWindowView {
        symbol: series.map(|(symbol, _)| symbol.to_string()),
        timeframe: series.map(|(_, timeframe)| timeframe.as_str().to_owned()),
        candles: open_times.len(),
        first_open: moment(open_times.first()),
        last_open: moment(open_times.last()),
    }
}
