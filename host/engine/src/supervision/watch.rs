//! Watches modules work: keeps the bundle of each failure, decides by the ladder and the budget which candles a module looks
//! at, and hands what evaluations cost to the ledger.
//!
//! Each replica has a ladder of its own for each module, and a budget of its own for each strategy. Only jobs are watched: what somebody asks for by a request is
//! looked at in any case, and counts for nothing here.

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

/// A module that is to be quarantined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// The strategy.
    pub strategy: StrategyId,
    /// Its code.
    pub module: ModuleDigest,
    /// The revision of the deployments' log since which its failures count.
    pub since: i64,
    /// The candle on which it failed last.
    pub job: Job,
    /// Why, for people.
    pub reason: String,
}

/// What is told of modules that are to be quarantined. It is called by the threads of guests, so it must not wait; and it
/// is called again with each failure until the module looks at no candles any more.
pub type OnQuarantine = Box<dyn Fn(Quarantine) + Send + Sync>;

/// The ladder of each module that fails, with the revision of the deployments' log since which its failures count.
type Ladders = HashMap<ModuleDigest, (i64, Ladder)>;

/// One job under watch.
#[derive(Clone)]
pub struct Watching {
    /// What watches.
    pub watch: Arc<Watch>,
    /// Whether strategies may have looked at the job's candle before.
    pub comes_again: bool,
}

impl Watching {
    /// Why the module does not look at the candle, if it does not; that is counted.
    pub fn leaves_out(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> Option<SkipReason> {
        self.watch.leaves_out(strategy, module, job, self.comes_again)
    }
}

/// Watches modules fail.
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
    /// A watch that has seen nothing yet.
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

    /// Has what evaluations cost kept in `ledger`, and strategies held to a budget, if there is one.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<Ledger>, budget: Option<Arc<Budget>>) -> Self {
        (self.ledger, self.budget) = (Some(ledger), budget);
        self
    }

    /// Why the module does not look at the candle, if it does not; that is counted. A job that comes again is held to no
    /// budget: what its first run had said, or cost, must not decide what goes out.
    fn leaves_out(
        &self,
        strategy: &StrategyId,
        module: ModuleDigest,
        job: &Job,
        comes_again: bool,
    ) -> Option<SkipReason> {
        // The budget first: what is left out for it uses up nothing of what the ladder leaves out.
        let over = |budget: &Arc<Budget>| !budget.admits(strategy, Instant::now());
        if !comes_again && self.budget.as_ref().is_some_and(over) {
            tracing::debug!(strategy.id = %strategy, %job, "left out, since the strategy has taken its time of this minute");
            self.metrics.costs.throttled(strategy);
            return Some(SkipReason::OverBudget);
        }
        (!self.admits(strategy, module, job)).then_some(SkipReason::Failing)
    }

    /// Whether the ladder has the module look at the candle; where it does not that is counted.
    fn admits(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> bool {
        let admitted = match self.ladders().get_mut(&module) {
            Some((since, ladder)) if *since >= self.begun(strategy) => ladder.admits(job),
            _ => true,
        };
        if !admitted {
            tracing::debug!(strategy.id = %strategy, %job, "left out, since the strategy keeps failing on this series");
            self.metrics.failures.left_out(strategy);
        }
        admitted
    }

    /// Takes note of what a module answered.
    pub fn note(&self, inputs: &Inputs<'_>, answer: &EvaluationReport) {
        let (module, job) = (inputs.module.digest(), inputs.job);
        if let Some(budget) = &self.budget {
            self.spend(budget, &inputs.module.description().id, answer.duration);
        }
        let error = match &answer.outcome {
            Outcome::Error(error) if error.is_failure() => error,
            // Neither a success nor a failure: it could not be asked in earnest.
            Outcome::Error(_) | Outcome::Skipped(_) => return,
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
                    "the strategy keeps failing on this series and looks at none of its next candles");
            }
            Step::Quarantine { reason } => {
                let strategy = strategy.clone();
                (self.on_quarantine)(Quarantine { strategy, module, since, job: job.clone(), reason });
            }
        }
    }

    /// What follows, and since which revision failures count.
    fn failed(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> (i64, Step) {
        let begun = self.begun(strategy);
        let mut ladders = self.ladders();
        let (since, ladder) = ladders.entry(module).or_default();
        // Whoever read an older log does not set back what began since.
        if *since < begun || ladder.is_empty() {
            (*since, *ladder) = (begun, Ladder::new(self.thresholds));
        }
        (*since, ladder.failed(job))
    }

    /// Since which revision the strategy's failures count.
    fn begun(&self, strategy: &StrategyId) -> i64 {
        self.registry.log().begun(strategy)
    }

    /// Takes an evaluation's time from the budget of its strategy.
    fn spend(&self, budget: &Budget, strategy: &StrategyId, took: Duration) {
        let remedy = match budget.spend(strategy, took, Instant::now()) {
            Spent::Quietly => return,
            Spent::NearlyAll => "it will be left out when all of it is used up",
            Spent::All => "it is left out for the rest of the minute",
        };
        self.metrics.costs.warned(strategy);
        let allowed_ms = budget.allowed().as_millis();
        tracing::warn!(strategy.id = %strategy, allowed_ms, remedy, "the strategy uses up its time of this minute");
    }

    /// Takes note of what a candle's evaluations cost.
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

    /// A ladder is sound after each of its steps, also where somebody panicked who held it.
    fn ladders(&self) -> MutexGuard<'_, Ladders> {
        self.ladders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
