//! Evaluates one candle by every enabled strategy.
//!
//! Jobs from the queue and HTTP requests both use this module, so that both see the same.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::{
    CandleSlice, DeploymentLog, EvaluationError, ExecutionStatus, Job, MessageRules, Signal, SignalTimestamp,
    StrategyId, SwitchState, Symbol, Timeframe, Timestamp, millis,
};
use ta_bot_wasm::{LogLevel, LogLine, StrategyModule};

use crate::{
    deployments::rollout::Rollout,
    evaluation::{
        EvaluationReport, Inputs, Origin, Outcome, SeriesKey, SkipReason, StrategyOutcome, WindowRequest, extra_windows,
    },
    market::candles::Candles,
    modules::registry::{Beside, Deciding, Registry},
    settings::{
        application::SettingsBook,
        config_store::{ConfigKey, StoredSettings},
        parameters::{Edition, ParameterBook},
    },
    signals::actions::PublishedActions,
    supervision::watch::Watching,
    support::{
        abilities::{Abilities, Ability, Trouble},
        metrics::Metrics,
        store_error::StoreError,
        traces::{self, Begun, Span},
    },
};

mod awaited;
mod beside;
mod error;
mod windows;

pub use beside::ToCompare;
pub use error::AnalysisError;
pub use windows::RefusedCandles;

use windows::Windows;

/// How many of the newest candles of each window must be without a hole, by default.
pub const DEFAULT_GAP_WINDOW: u32 = 50;

/// The result of analysing a candle.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The analysed job.
    pub job: Job,
    /// The revision of the deployments' log that determined which modules decide.
    pub revision: i64,
    /// The number of candles read.
    pub candles: usize,
    /// The candles that were left out, for each series that has such.
    pub refused: Vec<RefusedCandles>,
    /// The outcome of each strategy, ordered by id.
    pub outcomes: Vec<StrategyOutcome>,
    /// How long the analysis took, including reading.
    pub duration: Duration,
    /// The candle for the shadows, if any shadow has to look at it.
    pub beside: Option<ToCompare>,
}

impl Analysis {
    /// The signals among the outcomes.
    pub fn signals(&self) -> impl Iterator<Item = &Signal> {
        self.outcomes.iter().filter_map(|outcome| match &outcome.outcome {
            Outcome::Signal(signal) => Some(signal.as_ref()),
            _ => None,
        })
    }

    /// Adds candles of the job's own series that are newer than its candle and were refused.
    pub fn add_refused(&mut self, newer: RefusedCandles) {
        match self.refused.iter_mut().find(|refused| refused.series == newer.series) {
            Some(refused) => refused.add(newer),
            None => self.refused.push(newer),
        }
    }
}

/// Analyses candles.
pub struct Analyst {
    /// Where candles are read.
    pub candles: Arc<Candles>,
    /// The known strategies.
    pub registry: Arc<Registry>,
    /// The deployments, which say which module of a strategy decides.
    pub rollout: Arc<Rollout>,
    /// The parameters of the strategies.
    pub parameters: Arc<ParameterBook>,
    /// The settings, which say which strategies run.
    pub settings: Arc<SettingsBook>,
    /// How many of the newest candles of each window must be without a hole; 0: holes keep no strategy from being
    /// asked.
    pub gap_window: u32,
    /// What the `timestamp` of signals says.
    pub timestamp: SignalTimestamp,
    /// The actions whose signals are published.
    pub actions: PublishedActions,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Takes whether candles can be read.
    pub abilities: Arc<Abilities>,
    /// The threads on which guests run.
    pub threads: Arc<rayon::ThreadPool>,
}

/// A job with everything that its strategies need.
pub struct Prepared {
    job: Job,
    log: Arc<DeploymentLog>,
    settings: Arc<StoredSettings>,
    turns: Vec<Turn>,
    beside: Vec<Beside>,
    edition: Edition,
    windows: Windows,
    candles: usize,
    started: Instant,
}

/// A strategy that is about to be evaluated, with the extra windows that it needs and the log of deployments, which
/// says what it makes of the strategy's parameters.
struct Turn {
    module: Arc<StrategyModule>,
    extra: Vec<WindowRequest>,
    log: Arc<DeploymentLog>,
}

impl Analyst {
    /// Evaluates the candle of `job` by every enabled strategy. The newest candles are read from the store, whatever is
    /// in memory: somebody asks what is right now. It belongs to the span that the caller runs in, if there is one.
    pub async fn analyse(self: &Arc<Self>, job: &Job) -> Result<Analysis, AnalysisError> {
        let strategies = self.registry.strategies();
        let extra = strategies.values().flat_map(|module| extra_windows(module.description(), job));
        let symbols = extra.filter_map(|(series, _)| Some(series?.0)).chain([job.symbol.clone()]);
        symbols.collect::<BTreeSet<Symbol>>().iter().for_each(|symbol| self.candles.expire(symbol));
        let prepared = self.prepare(job).await?;
        self.look(prepared, &Span::current(), None).await
    }

    /// Reads the windows that the enabled strategies need.
    pub async fn prepare(&self, job: &Job) -> Result<Prepared, AnalysisError> {
        let started = Instant::now();
        self.parameters.known()?;
        self.settings.known()?;
        self.rollout.known()?;
        let settings = self.settings.current();
        let edition = self.parameters.edition();
        let Deciding { log, modules, shadows, missing_shadows } = self.deciding(job, &settings).await?;
        for digest in missing_shadows {
            self.rollout.install_later(digest);
        }
        let turns = turns(modules, job, &log);
        let beside = beside::of_interest(shadows, &turns, job);
        let windows = self.windows(job, &turns).await;
        self.note_read(&windows);
        let windows = windows?;
        let candles = windows.candles(&(job.symbol.clone(), job.timeframe));
        tracing::info!("Fetched {candles} candles for {job}");
        let job = job.clone();
        Ok(Prepared { job, log, settings, turns, beside, edition, windows, candles, started })
    }

    /// Evaluates a prepared job. If it is watched, its costs are recorded, and strategies that keep failing or take too
    /// much time are left out.
    pub async fn look(
        self: &Arc<Self>,
        prepared: Prepared,
        trace: &Span,
        watch: Option<&Watching>,
    ) -> Result<Analysis, AnalysisError> {
        let Prepared { job, log, settings, turns, beside, edition, windows, candles, started } = prepared;
        let analyst = Arc::clone(self);
        let job_of_pool = job.clone();
        let rules = Arc::clone(&settings);
        let trace = trace.child(|| Begun::internal("analyse", traces::candle(&job)));
        let watch = watch.cloned();
        let (done, outcomes) = tokio::sync::oneshot::channel();
        self.threads.spawn(move || {
            // The caller has gone.
            if done.is_closed() {
                return;
            }
            let _logged_in = trace.enter();
            let traced = (&trace, trace.traceparent());
            let watch = watch.as_ref();
            let evaluate = |turn| analyst.evaluate(turn, &job_of_pool, &windows, &rules, &traced, watch);
            let outcomes = turns.iter().map(evaluate).collect::<Vec<_>>();
            if let Some(watch) = watch {
                watch.watch.settle(&job_of_pool, &outcomes);
            }
            // The receiver is gone if the process is stopping.
            let _ = done.send((outcomes, windows));
        });
        let (outcomes, windows) = outcomes.await.map_err(|_| AnalysisError::GivenUp)?;
        for outcome in &outcomes {
            if let Outcome::Error(error @ EvaluationError::NoRoom(_)) = &outcome.outcome {
                return Err(AnalysisError::NoRoom(outcome.strategy.clone(), error.clone()));
            }
        }
        let duration = started.elapsed();
        let refused = windows.refused.clone();
        let revision = log.revision();
        let beside = ToCompare::new(&job, (&settings, edition, log), beside, &outcomes, windows);
        let analysis = Analysis { job, revision, candles, refused, outcomes, duration, beside };
        self.count(&analysis, &settings);
        Ok(analysis)
    }

    /// Notes whether the candles could be read. A candle that is missing or unusable is no fault of the store.
    fn note_read(&self, windows: &Result<Windows, AnalysisError>) {
        match windows {
            Err(AnalysisError::Store(StoreError::Corrupt { .. })) => {}
            Err(AnalysisError::Store(error)) => {
                let trouble = Trouble::of_store(Ability::ReadCandles, error);
                self.abilities.failed(Ability::ReadCandles, trouble);
            }
            _ => self.abilities.worked(Ability::ReadCandles),
        }
    }

    /// Returns the modules that look at the job's candle. Installs those that are missing and waits for them.
    async fn deciding(&self, job: &Job, settings: &StoredSettings) -> Result<Deciding, AnalysisError> {
        loop {
            match self.registry.deciding_on(job.candle_close, |id| settings.settings.enables(id)) {
                Ok(deciding) => return Ok(deciding),
                Err(missing) => {
                    for digest in missing {
                        self.rollout.install(digest).await?;
                    }
                }
            }
        }
    }

    fn evaluate(
        &self,
        turn: &Turn,
        job: &Job,
        windows: &Windows,
        settings: &StoredSettings,
        (trace, traceparent): &(&Span, Option<String>),
        watch: Option<&Watching>,
    ) -> StrategyOutcome {
        let description = turn.module.description();
        let strategy = description.id.clone();
        let digest = turn.module.digest();
        let switch =
            self.parameters.switch(&ConfigKey { strategy: strategy.clone(), symbol: Some(job.symbol.clone()) });
        // First: a candle on which the strategy is paused counts neither for the budget nor for the ladder.
        if switch.state == SwitchState::Off {
            return StrategyOutcome::skipped(strategy, digest, SkipReason::Paused(switch.level));
        }
        if let Some(reason) = watch.and_then(|watch| watch.leaves_out(&strategy, digest, job)) {
            return StrategyOutcome::skipped(strategy, digest, reason);
        }
        let levels = turn.log.levels_at(&strategy, job.candle_close);
        let resolution = self.parameters.resolve(&turn.module, &job.symbol, &levels);
        let extra: Vec<CandleSlice<'_>> =
            turn.extra.iter().map(|(series, count)| windows.newest(series.as_ref(), *count)).collect();
        let inputs = Inputs {
            module: &turn.module,
            parameters: &resolution.parameters,
            job,
            base: windows.newest(Some(&(job.symbol.clone(), job.timeframe)), description.lookback),
            extra: &extra,
            settings: &settings.settings,
            origin: Origin {
                parameter_store: self.parameters.store_name(),
                traceparent: traceparent.as_deref(),
                rules: self.rules(),
                ..Origin::NONE
            },
        };
        let unreadable = switch.state.problem().map(EvaluationError::InvalidParameters);
        let answer = match unreadable.or(resolution.refused) {
            Some(refused) => EvaluationReport::refused(refused),
            None => inputs.ask(self.gap_window),
        };
        if let Some(watch) = watch {
            watch.watch.note(&inputs, &answer);
        }
        let EvaluationReport { mut outcome, holes, duration, usage, log, .. } = answer;
        if let Outcome::Signal(signal) = &mut outcome {
            signal.is_withheld = !self.actions.includes(signal.action.as_str());
        }
        let outcome = StrategyOutcome { strategy, digest, outcome, holes, duration, usage, log };
        outcome.record(trace, job);
        outcome
    }

    /// The rules by which signals are written.
    fn rules(&self) -> MessageRules {
        let is_simulated = self.candles.clock().is_simulated();
        MessageRules { timestamp: self.timestamp, is_simulated, ..MessageRules::default() }
    }

    fn count(&self, analysis: &Analysis, settings: &StoredSettings) {
        let place = self.metrics.place(&analysis.job, &settings.settings);
        let mut evaluated = 0;
        for outcome in &analysis.outcomes {
            let strategy = &outcome.strategy;
            let (status, action) = match &outcome.outcome {
                Outcome::Signal(signal) => (ExecutionStatus::Success, Some(signal.action)),
                // The strategy did not run.
                Outcome::Skipped(_) => continue,
                Outcome::Gap(_) => (ExecutionStatus::Gap, None),
                Outcome::None => (ExecutionStatus::Success, None),
                Outcome::Dropped(_, reason) => {
                    self.metrics.dropped(strategy, *reason);
                    (ExecutionStatus::Success, None)
                }
                Outcome::Error(error) => (error.status(), None),
            };
            if let Outcome::Gap(gap) = &outcome.outcome {
                tracing::debug!(strategy.id = %strategy, job = %analysis.job, %gap, "the strategy could not be asked");
            }
            if status != ExecutionStatus::Success
                && let Outcome::Error(error) = &outcome.outcome
            {
                tracing::warn!(strategy.id = %strategy, job = %analysis.job, %error, "evaluation failed");
            }
            if let Outcome::Error(error) = &outcome.outcome
                && error.is_failure()
            {
                self.metrics.failures.failed(strategy, error.code());
            }
            evaluated += 1;
            self.metrics.executed(&place, strategy, status, action, millis(outcome.duration));
            outcome.log.iter().for_each(|line| relate(strategy, line));
        }
        self.metrics.analysed(&place, evaluated, millis(analysis.duration));
    }
}

/// Returns a turn for each strategy that runs on the job's timeframe.
fn turns(modules: Vec<Arc<StrategyModule>>, job: &Job, log: &Arc<DeploymentLog>) -> Vec<Turn> {
    let runs = modules.into_iter().filter(|module| module.description().runs_on(job.timeframe));
    runs.map(|module| Turn::of(&module, job, log)).collect()
}

impl Turn {
    fn of(module: &Arc<StrategyModule>, job: &Job, log: &Arc<DeploymentLog>) -> Self {
        Self { module: Arc::clone(module), extra: extra_windows(module.description(), job), log: Arc::clone(log) }
    }

    /// The series of the strategy's windows, with the number of candles of each.
    fn wanted(&self, job: &Job) -> Vec<(SeriesKey, u32)> {
        let base = (Some((job.symbol.clone(), job.timeframe)), self.module.description().lookback);
        let series = self.extra.iter().cloned().chain([base]);
        series.filter_map(|(series, count)| Some((series?, count))).collect()
    }
}

/// Writes a guest's log line to the host's log.
fn relate(strategy: &StrategyId, line: &LogLine) {
    let message = line.message.as_str();
    match line.level {
        LogLevel::Debug => tracing::debug!(strategy.id = %strategy, "guest: {message}"),
        LogLevel::Info => tracing::info!(strategy.id = %strategy, "guest: {message}"),
        LogLevel::Warn => tracing::warn!(strategy.id = %strategy, "guest: {message}"),
        LogLevel::Error => tracing::error!(strategy.id = %strategy, "guest: {message}"),
    }
}

/// The newest closed candle of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Newest {
    /// The job of the candle.
    pub job: Job,
    /// The candles that are newer and were refused, if there are such.
    pub refused: Option<RefusedCandles>,
}

/// Returns the newest closed candle of a series.
pub async fn newest(
    candles: &Candles,
    symbol: &Symbol,
    timeframe: Timeframe,
    now: Timestamp,
) -> Result<Option<Newest>, StoreError> {
    let closed = candles.newest(symbol, timeframe, now, 1).await?;
    let Some(newest) = closed.candles.last() else { return Ok(None) };
    let candle_close = timeframe.close_of(newest.open_time);
    let refused = RefusedCandles::since(&(symbol.clone(), timeframe), closed.refused, Some(candle_close));
    Ok(Some(Newest { job: Job { symbol: symbol.clone(), timeframe, candle_close }, refused }))
}

#[cfg(test)]
mod tests;
