//! Replays stored signals: the same module, parameters and candles have to produce the same bytes.
//!
//! Every input of a signal is found by its hash. If an input is missing or has changed, that is the result; a replay
//! never substitutes another input and calls the result equal.

use std::sync::Arc;

use ta_bot_core::{
    ApplicationSettings, EvaluationError, ModuleDigest, SignalId, StrategyId, Symbol, Timeframe, Timestamp,
};
use ta_bot_wasm::StrategyModule;

use crate::{
    evaluation::{EvaluationReport, FIRST_HOST_VERSION, Inputs, Outcome},
    market::candles::Candles,
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
use windows::{Rows, Windows};

/// Replays signals.
pub struct Replayer {
    outbox: Arc<dyn Outbox>,
    candles: Arc<Candles>,
    modules: Arc<ModuleLoader>,
    threads: Arc<rayon::ThreadPool>,
}

/// The parts of the service that a replay needs.
#[allow(missing_docs, reason = "the types explain the fields")]
pub struct Sources {
    pub outbox: Arc<dyn Outbox>,
    /// Read without a cache, which may remember candles that are gone.
    pub candles: Arc<Candles>,
    pub modules: Arc<ModuleLoader>,
    /// The threads on which guests run.
    pub threads: Arc<rayon::ThreadPool>,
}

/// Whether a signal could be reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same signal was produced, byte for byte.
    Equal,
    /// The same inputs produced something else.
    Different,
    /// An input of the signal is no longer available.
    Impossible,
}

/// The result of a replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The id of the signal.
    pub id: SignalId,
    /// The strategy that decided.
    pub strategy: StrategyId,
    /// The symbol of the candle.
    pub symbol: Symbol,
    /// The timeframe of the candle.
    pub timeframe: Timeframe,
    /// When the candle closed, if the stored message can be read.
    pub candle_close: Option<Timestamp>,
    /// The digest of the module, if the stored message can be read.
    pub module: Option<ModuleDigest>,
    /// The version of the host that made the signal, if the stored message can be read.
    pub host_version: Option<String>,
    /// Why the signal can't be replayed, if so.
    pub cause: Option<Cause>,
    /// The windows that the strategy was given in the replay.
    pub windows: Vec<Seen>,
    /// The differences between the stored signal and the replayed one.
    pub differences: Differences,
    /// The report of the replayed evaluation.
    pub answer: Option<EvaluationReport>,
}

impl Verdict {
    /// The name in responses and metrics.
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

    /// Returns the verdict of the replay.
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

/// Why a replay stopped early.
enum Stop {
    /// The replay is impossible: the cause is its result.
    Cause(Cause),
    /// The replay failed and has no result. Trying again may help.
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
    /// A permanent error is a result of the replay, and a temporary one is a failure.
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

/// The result of the evaluation.
struct Made {
    /// Whether the windows are those of the original evaluation.
    are_the_same: bool,
    answer: EvaluationReport,
    seen: Vec<Seen>,
}

impl Replayer {
    /// Creates a replayer from these parts.
    pub fn new(sources: Sources) -> Self {
        let Sources { outbox, candles, modules, threads } = sources;
        Self { outbox, candles, modules, threads }
    }

    /// Replays a stored signal and compares it; `None` if there is no such signal. Nothing is stored, sent or counted
    /// as an execution.
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
        let windows = Windows::read(self.rows(&recorded), module.description(), &recorded).await?;
        let Made { are_the_same, answer, seen } = self.make(module, recorded.clone(), windows).await?;
        replay.windows = seen;
        let outcome = answer.outcome.clone();
        replay.answer = Some(answer);
        match outcome {
            Outcome::Error(error @ EvaluationError::NoRoom(_)) => {
                return Err(AnalysisError::NoRoom(replay.strategy.clone(), error).into());
            }
            // A timeout only shows how busy this machine is.
            Outcome::Error(EvaluationError::Timeout { limit_ms, .. }) => return Err(Cause::Timeout { limit_ms }.into()),
            Outcome::Signal(signal) => {
                let again = signal.message_at(stored.created_at);
                replay.differences = Differences::between(&stored.message, &again);
            }
            Outcome::None => replay.differences = Differences::of_outcome("none"),
            Outcome::Dropped(..) => replay.differences = Differences::of_outcome("dropped"),
            Outcome::Skipped(_) => replay.differences = Differences::of_outcome("skipped"),
            Outcome::Gap(_) => replay.differences = Differences::of_outcome("gap"),
            Outcome::Error(_) => replay.differences = Differences::of_outcome("error"),
        }
        if !are_the_same {
            return Err(Cause::CandlesChanged { recorded: recorded.window_hash }.into());
        }
        Ok(())
    }

    /// The candles by the rules of the host that made the signal.
    fn rows(&self, recorded: &Recorded) -> Rows<'_> {
        match recorded.host_version.as_str() {
            FIRST_HOST_VERSION => Rows::AsStored(&self.candles),
            _ => Rows::Checked(&self.candles),
        }
    }

    /// Finds the windows and evaluates them, on the guests' threads.
    async fn make(&self, module: Arc<StrategyModule>, recorded: Recorded, windows: Windows) -> Result<Made, Stop> {
        let parameters = recorded.parameters(&module.description().schema)?;
        let (sender, made) = tokio::sync::oneshot::channel();
        self.threads.spawn(move || {
            if sender.is_closed() {
                return;
            }
            let found = windows.find(recorded.window_hash);
            let are_the_same = found.is_some();
            // If they are not found, the result with the current candles is still useful.
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
            // The receiver is gone if the process is stopping.
            let _ = sender.send(Made { are_the_same, answer, seen });
        });
        made.await.map_err(|_| AnalysisError::GivenUp.into())
    }
}

/// Settings that let every signal pass. The bounds of confidence are not part of a signal, and a stored signal has
/// passed those of its time.
pub(crate) const fn everything_goes_out() -> ApplicationSettings {
    ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.0,
        max_confidence: 1.0,
        accepted_holes: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
