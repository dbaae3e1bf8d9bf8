//! A stored signal, made again: the same module, parameters and candles have to give the same bytes.
//!
//! Everything that a signal was made of is found by its hash. Where one of these is not there any more, or is another
//! one, that is the answer; nothing is replayed with something else in its place and called equal.

use std::sync::Arc;

use ta_bot_core::{
    ApplicationSettings, EvaluationError, ModuleDigest, SignalId, StrategyId, Symbol, Timeframe, Timestamp,
};
use ta_bot_wasm::StrategyModule;

use crate::{
    evaluation::{EvaluationReport, Inputs, Outcome},
    market::candle_store::CandleStore,
    modules::loader::{LoadingError, ModuleLoader},
    pipeline::analysis::AnalysisError,
    signals::outbox::{Outbox, StoredSignal},
    support::store_error::StoreError,
};

mod cause;
mod difference;
mod recorded;
pub mod rerun;
mod windows;

pub use cause::Cause;
pub use difference::{Difference, Differences};
pub use windows::Seen;

use recorded::Recorded;
use windows::Windows;

/// What a replay needs.
pub struct Replayer {
    outbox: Arc<dyn Outbox>,
    candles: Arc<dyn CandleStore>,
    modules: Arc<ModuleLoader>,
    threads: Arc<rayon::ThreadPool>,
}

/// What a replay needs, from the parts of the service.
#[allow(missing_docs, reason = "the types say it")]
pub struct Sources {
    pub outbox: Arc<dyn Outbox>,
    /// The store itself: what a cache remembers may be gone.
    pub candles: Arc<dyn CandleStore>,
    pub modules: Arc<ModuleLoader>,
    /// The threads on which guests run.
    pub threads: Arc<rayon::ThreadPool>,
}

/// Whether a signal can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was, byte for byte.
    Equal,
    /// Of the same inputs came something else.
    Different,
    /// One of its inputs is not there any more.
    Impossible,
}

/// What came of a replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The signal.
    pub id: SignalId,
    /// Who decided.
    pub strategy: StrategyId,
    /// Whose candle.
    pub symbol: Symbol,
    /// How long the candle is.
    pub timeframe: Timeframe,
    /// When it closed, where the stored message can be read.
    pub candle_close: Option<Timestamp>,
    /// The code, where the stored message can be read.
    pub module: Option<ModuleDigest>,
    /// The version of the host that made the signal, where the stored message can be read.
    pub host_version: Option<String>,
    /// Why it can't be made again, if so.
    pub cause: Option<Cause>,
    /// The windows that the strategy was given now.
    pub windows: Vec<Seen>,
    /// Where the signal that was made now is another one.
    pub differences: Differences,
    /// What the strategy answered now.
    pub answer: Option<EvaluationReport>,
}

impl Verdict {
    /// The name in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Impossible => "impossible",
        }
    }
}

impl Replay {
    fn of(id: &SignalId, stored: &StoredSignal) -> Self {
        Self {
            id: id.clone(),
            strategy: stored.strategy.clone(),
            symbol: stored.symbol.clone(),
            timeframe: stored.timeframe,
            candle_close: None,
            module: None,
            host_version: None,
            cause: None,
            windows: Vec::new(),
            differences: Differences::default(),
            answer: None,
        }
    }

    /// Whether the signal can be made again.
    pub const fn verdict(&self) -> Verdict {
        if self.cause.is_some() {
            Verdict::Impossible
        } else if self.differences.is_empty() {
            Verdict::Equal
        } else {
            Verdict::Different
        }
    }
}

/// Why a replay did not come to its end.
enum Stop {
    /// That is its answer.
    Cause(Cause),
    /// It has none; trying again may help.
    Failed(AnalysisError),
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

impl From<AnalysisError> for Stop {
    fn from(error: AnalysisError) -> Self {
        Self::Failed(error)
    }
}

impl From<LoadingError> for Stop {
    /// What lasts is an answer.
    fn from(error: LoadingError) -> Self {
        match error {
            LoadingError::Unknown(digest) => Cause::UnknownModule(digest).into(),
            LoadingError::Damaged(digest) => Cause::DamagedModule(digest).into(),
            LoadingError::Unusable { module, reason } => Cause::UnusableModule { module, reason }.into(),
            passing => Self::Failed(passing.into()),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// What came of the evaluation.
struct Made {
    /// Whether its windows are those of then.
    are_the_same: bool,
    answer: EvaluationReport,
    seen: Vec<Seen>,
}

impl Replayer {
    /// A replayer on these parts.
    pub fn new(sources: Sources) -> Self {
        let Sources { outbox, candles, modules, threads } = sources;
        Self { outbox, candles, modules, threads }
    }

    /// Makes a stored signal again and compares; none where there is no such signal. Nothing is stored, sent or counted
    /// of it.
    pub async fn replay(&self, id: &SignalId) -> Result<Option<Replay>, AnalysisError> {
        let Some(stored) = self.outbox.signal(id).await? else { return Ok(None) };
        let mut replay = Replay::of(id, &stored);
        match self.fill(&mut replay, &stored).await {
            Ok(()) => {}
            Err(Stop::Cause(cause)) => replay.cause = Some(cause),
            Err(Stop::Failed(error)) => return Err(error),
        }
        tracing::info!(signal.id = %id, verdict = replay.verdict().as_str(), "signal replayed");
        Ok(Some(replay))
    }

    async fn fill(&self, replay: &mut Replay, stored: &StoredSignal) -> Result<(), Stop> {
        let recorded = Recorded::read(stored)?;
        replay.candle_close = Some(recorded.job.candle_close);
        replay.module = Some(recorded.module);
        replay.host_version = Some(recorded.host_version.clone());
        recorded.check_identity(&replay.id)?;
        let module = self.modules.get(recorded.module).await?;
        let windows = Windows::read(&*self.candles, module.description(), &recorded.job).await?;
        let Made { are_the_same, answer, seen } = self.make(module, recorded.clone(), windows).await?;
        replay.windows = seen;
        let outcome = answer.outcome.clone();
        replay.answer = Some(answer);
        match outcome {
            Outcome::Error(error @ EvaluationError::NoRoom(_)) => {
                return Err(AnalysisError::NoRoom(replay.strategy.clone(), error).into());
            }
            // It says how busy this machine is.
            Outcome::Error(EvaluationError::Timeout { limit_ms }) => return Err(Cause::Timeout { limit_ms }.into()),
            Outcome::Signal(signal) => replay.differences = Differences::between(&stored.message, &signal.message),
            Outcome::None => replay.differences = Differences::of_outcome("none"),
            Outcome::Dropped(..) => replay.differences = Differences::of_outcome("dropped"),
            Outcome::Skipped(_) => replay.differences = Differences::of_outcome("skipped"),
            Outcome::Error(_) => replay.differences = Differences::of_outcome("error"),
        }
        if !are_the_same {
            return Err(Cause::CandlesChanged { recorded: recorded.window_hash }.into());
        }
        Ok(())
    }

    /// Finds the windows and evaluates, on the threads of guests.
    async fn make(&self, module: Arc<StrategyModule>, recorded: Recorded, windows: Windows) -> Result<Made, Stop> {
        let parameters = recorded.parameters(&module.description().schema)?;
        let (sender, made) = tokio::sync::oneshot::channel();
        self.threads.spawn(move || {
            if sender.is_closed() {
                return;
            }
            let found = windows.find(recorded.window_hash);
            let are_the_same = found.is_some();
            // Where they are not found, what the present candles give is at least worth knowing.
            let place = found.unwrap_or_else(|| windows.present());
            let slices = windows.slices(&place);
            let inputs = Inputs {
                module: &module,
                parameters: &parameters,
                job: &recorded.job,
                base: slices[0],
                extra: &slices[1..],
                settings: &everything_goes_out(),
                origin: recorded.origin(),
            };
            let answer = inputs.evaluate();
            let seen = windows.seen(&place);
            // Nobody waits any more where the process is ending.
            let _ = sender.send(Made { are_the_same, answer, seen });
        });
        made.await.map_err(|_| AnalysisError::GivenUp.into())
    }
}

/// The bounds of confidence are not part of a signal, and one that is stored went through those of its time.
pub(crate) const fn everything_goes_out() -> ApplicationSettings {
    ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.0,
        max_confidence: 1.0,
    }
}
