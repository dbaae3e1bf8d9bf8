//! Watches modules at work: keeps the bundle of each failure, uses the ladder and the budget to decide which candles a
//! module looks at, and hands costs to the ledger.
//!
//! Each replica has its own ladder for each module, and its own budget for each strategy. Only jobs are watched: an
//! evaluation that an HTTP request asks for always runs, and does not count here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::{Job, Ladder, ModuleDigest, Step, StrategyId, Thresholds, Timestamp};

use crate::{
    evaluation::{EvaluationReport, Inputs, Outcome, SkipReason, StrategyOutcome},
    modules::registry::Registry,
    supervision::{
        budget::{Budget, Spent},
        ledger::Ledger,
        recorder::Recorder,
    },
    support::metrics::Metrics,
};

/// A module that has to be quarantined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// The strategy.
    pub strategy: StrategyId,
    /// The digest of its module.
    pub module: ModuleDigest,
    /// The revision of the deployments' log from which its failures count.
    pub since: i64,
    /// The job on which it failed last.
    pub job: Job,
    /// The reason, for people.
    pub reason: String,
}

/// The callback for modules that have to be quarantined. The guests' threads call it, so it must not block. It is
/// called again for each failure until the module stops looking at candles.
pub type OnQuarantine = Box<dyn Fn(Quarantine) + Send + Sync>;

/// The ladder of each failing module, with the revision of the deployments' log from which its failures count.
type Ladders = HashMap<ModuleDigest, (i64, Ladder)>;

/// A job that is watched.
#[derive(Clone)]
pub struct Watching {
    /// The watch.
    pub watch: Arc<Watch>,
    /// Whether strategies may already have looked at the job's candle.
    pub comes_again: bool,
}

impl Watching {
    /// Returns why the module does not look at the candle, or `None` if it does. Each candle that is left out is
    /// counted.
    pub fn leaves_out(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> Option<SkipReason> {
        self.watch.leaves_out(strategy, module, job, self.comes_again)
    }
}

/// Watches the failures and costs of modules.
pub struct Watch {
    ladders: Mutex<Ladders>,
    registry: Arc<Registry>,
    thresholds: Thresholds,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    on_quarantine: OnQuarantine,
    ledger: Option<Arc<Ledger>>,
    budget: Option<Arc<Budget>>,
}

impl Watch {
    /// Creates a watch that has seen no failures yet.
    pub fn new(
        thresholds: Thresholds,
        recorder: Recorder,
        registry: Arc<Registry>,
        metrics: Arc<Metrics>,
        on_quarantine: OnQuarantine,
    ) -> Self {
        Self {
            ladders: Mutex::default(),
            registry,
            thresholds,
            recorder,
            metrics,
            on_quarantine,
            ledger: None,
            budget: None,
        }
    }

    /// Records costs in `ledger`, and holds strategies to the budget if there is one.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<Ledger>, budget: Option<Arc<Budget>>) -> Self {
        (self.ledger, self.budget) = (Some(ledger), budget);
        self
    }

    /// Returns why the module does not look at the candle, or `None` if it does. Each candle that is left out is
    /// counted. A job that runs again is held to no budget: what its first run produced, or cost, must not affect which
    /// signals go out.
    fn leaves_out(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
        job: &Job,
        comes_again: bool,
    ) -> Option<SkipReason> {
        // The budget is checked first: a candle that it leaves out does not count as one that the ladder leaves out.
        let over = |budget: &Arc<Budget>| !budget.admits(strategy, Instant::now());
        if !comes_again && self.budget.as_ref().is_some_and(over) {
            tracing::debug!(strategy.id = %strategy, %job, "left out: the strategy used up its time for this minute");
            self.metrics.costs.throttled(strategy);
            return Some(SkipReason::OverBudget);
        }
        (!self.admits(strategy, module, job)).then_some(SkipReason::Failing)
    }

    /// Whether the ladder lets the module look at the candle. Each candle that is left out is counted.
    fn admits(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> bool {
        let admitted = match self.ladders().get_mut(&module) {
            Some((since, ladder)) if *since >= self.begun(strategy) => ladder.admits(job),
            _ => true,
        };
        if !admitted {
            tracing::debug!(strategy.id = %strategy, %job, "left out: the strategy keeps failing on this series");
            self.metrics.failures.left_out(strategy);
        }
        admitted
    }

    /// Records the report of an evaluation.
    pub fn note(&self, inputs: &Inputs<'_>, answer: &EvaluationReport) {
        let module = inputs.module.digest();
        let job = inputs.job;
        if let Some(budget) = &self.budget {
            self.spend(budget, &inputs.module.description().id, answer.duration);
        }
        let error = match &answer.outcome {
            Outcome::Error(error) if error.is_failure() => error,
            // This is neither a success nor a failure: the module was not really evaluated.
            Outcome::Error(_) | Outcome::Skipped(_) | Outcome::Gap(_) => return,
            Outcome::Signal(_) | Outcome::None | Outcome::Dropped(..) => return self.succeeded(module, job),
        };
        self.recorder.take(inputs, error, &answer.log);
        let strategy = &inputs.module.description().id;
        let (since, step) = self.failed(strategy, module, job);
        self.metrics.failures.step(strategy, step.as_str());
        match step {
            Step::Skip => {}
            Step::BackOff { candles } => {
                tracing::warn!(strategy.id = %strategy, strategy.digest = %module.short(), %job, candles,
                    "the strategy keeps failing on this series and skips its next candles");
            }
            Step::Quarantine { reason } => {
                let strategy = strategy.clone();
                (self.on_quarantine)(Quarantine { strategy, module, since, job: job.clone(), reason });
            }
        }
    }

    /// Records a failure. Returns the revision from which failures count, and the next step.
    fn failed(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> (i64, Step) {
        let begun = self.begun(strategy);
        let mut ladders = self.ladders();
        let (since, ladder) = ladders.entry(module).or_default();
        // A caller that read an older log does not reset a ladder that began later.
        if *since < begun || ladder.is_empty() {
            (*since, *ladder) = (begun, Ladder::new(self.thresholds));
        }
        (*since, ladder.failed(job))
    }

    /// The revision from which the strategy's failures count.
    fn begun(&self, strategy: &StrategyId) -> i64 {
        self.registry.log().begun(strategy)
    }

    /// Takes the time of an evaluation from the budget of its strategy.
    fn spend(&self, budget: &Budget, strategy: &StrategyId, took: Duration) {
        let remedy = match budget.spend(strategy, took, Instant::now()) {
            Spent::Quietly => return,
            Spent::NearlyAll => "it will be left out when all of it is used up",
            Spent::All => "it is left out for the rest of the minute",
        };
        self.metrics.costs.warned(strategy);
        let allowed_ms = budget.allowed().as_millis();
        tracing::warn!(strategy.id = %strategy, allowed_ms, remedy, "the strategy uses up its time for this minute");
    }

    /// Records what the evaluations of a candle cost.
    pub fn settle(&self, job: &Job, outcomes: &[StrategyOutcome]) {
        for StrategyOutcome { strategy, duration, .. } in outcomes {
            self.metrics.costs.took(strategy, *duration);
        }
        if let Some(ledger) = &self.ledger {
            ledger.record(&job.symbol, outcomes, Timestamp::now());
        }
    }

    fn succeeded(&self, module: ModuleDigest, job: &Job) {
        let mut ladders = self.ladders();
        if let Some((_, ladder)) = ladders.get_mut(&module) {
            ladder.succeeded(job);
            if ladder.is_empty() {
                ladders.remove(&module);
            }
        }
    }

    /// A poisoned lock is fine: a ladder is consistent after each of its steps.
    fn ladders(&self) -> MutexGuard<'_, Ladders> {
        self.ladders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
