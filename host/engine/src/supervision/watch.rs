//! Watches modules at work: keeps the bundle of each failure, uses the ladder and the budget to decide which candles a
//! module looks at, and hands costs to the ledger.
//!
//! Each replica has its own ladder for each module, and its own budget for each strategy. Only jobs are watched: an
//! evaluation that an HTTP request asks for always runs, and does not count here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::{Job, ModuleDigest, Step, StrategyId, Timestamp};

use crate::{
    evaluation::{EvaluationReport, Inputs, Outcome, SkipReason, StrategyOutcome},
    supervision::{
        budget::{Budget, Spent},
        ladders::Ladders,
        ledger::Ledger,
        recorder::Recorder,
    },
    support::metrics::Metrics,
};

const HOUR: Duration = Duration::from_hours(1);
/// How much of the others' time a strategy may take by slow evaluations in an hour: about the first of them.
const SLOW_IN_AN_HOUR: Duration = Duration::from_millis(100);

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
    ladders: Arc<Ladders>,
    recorder: Recorder,
    metrics: Arc<Metrics>,
    on_quarantine: OnQuarantine,
    ledger: Option<Arc<Ledger>>,
    budget: Option<Arc<Budget>>,
    slow: Option<Slow>,
}

/// The bound on slow evaluations: they keep the strategies waiting that share their threads.
struct Slow {
    /// An evaluation that the machine runs for longer is slow.
    beyond: Duration,
    /// What slow evaluations may take beyond that.
    budget: Budget,
}

impl Watch {
    /// Creates a watch that counts failures in `ladders`.
    pub fn new(ladders: Arc<Ladders>, recorder: Recorder, metrics: Arc<Metrics>, on_quarantine: OnQuarantine) -> Self {
        Self { ladders, recorder, metrics, on_quarantine, ledger: None, budget: None, slow: None }
    }

    /// Records costs in `ledger`, and holds strategies to the budget if there is one.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Arc<Ledger>, budget: Option<Arc<Budget>>) -> Self {
        (self.ledger, self.budget) = (Some(ledger), budget);
        self
    }

    /// Leaves out strategies whose evaluations run longer than `beyond`, once that has cost the others too much in an
    /// hour.
    #[must_use]
    pub fn with_slow_beyond(mut self, beyond: Option<Duration>) -> Self {
        self.slow = beyond.map(|beyond| Slow { beyond, budget: Budget::new(SLOW_IN_AN_HOUR, HOUR, Instant::now()) });
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
        // Budgets are checked first: a candle that they leave out does not count as one that the ladder leaves out.
        if !comes_again && let Some(reason) = self.over_budget(strategy) {
            tracing::debug!(strategy.id = %strategy, %job, %reason, "left out");
            self.metrics.costs.throttled(strategy);
            return Some(reason);
        }
        (!self.admits(strategy, module, job)).then_some(SkipReason::Failing)
    }

    /// Which of its budgets the strategy has used up.
    fn over_budget(&self, strategy: &StrategyId) -> Option<SkipReason> {
        let now = Instant::now();
        let over = |budget: &Budget| !budget.admits(strategy, now);
        if self.budget.as_deref().is_some_and(over) {
            return Some(SkipReason::OverBudget);
        }
        self.slow.as_ref().is_some_and(|slow| over(&slow.budget)).then_some(SkipReason::TooSlow)
    }

    /// Whether the ladder lets the module look at the candle. Each candle that is left out is counted.
    fn admits(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> bool {
        let admitted = self.ladders.admits(module, job);
        if !admitted {
            tracing::debug!(strategy.id = %strategy, %job, "left out: the strategy keeps failing on this series");
            self.metrics.failures.left_out(strategy);
        }
        admitted
    }

    /// Records the report of an evaluation.
    pub fn note(&self, inputs: &Inputs<'_>, answer: &EvaluationReport) {
        let module = inputs.module.digest();
        let strategy = &inputs.module.description().id;
        let job = inputs.job;
        self.note_time(inputs, answer);
        let error = match &answer.outcome {
            Outcome::Error(error) if error.is_failure() => error,
            // This is neither a success nor a failure: the module was not really evaluated.
            Outcome::Error(_) | Outcome::Skipped(_) | Outcome::Gap(_) => return,
            Outcome::Signal(_) | Outcome::None | Outcome::Dropped(..) => return self.ladders.succeeded(module, job),
        };
        self.recorder.take(inputs, error, &answer.log);
        let (since, step) = self.ladders.failed(strategy, module, job);
        self.metrics.failures.step(strategy, step.as_str());
        match step {
            Step::Skip => {}
            Step::BackOff { candles } => {
                tracing::warn!(strategy.id = %strategy, strategy.digest = %module.short(), %job, candles,
                    "the strategy keeps failing on this series and skips its next candles");
            }
            Step::Suspend { candles } => {
                tracing::error!(strategy.id = %strategy, strategy.digest = %module.short(), %job, %error, candles,
                    "the strategy is suspended on this series: it skips so many of its candles before each further try");
            }
            Step::Quarantine { reason } => {
                let strategy = strategy.clone();
                (self.on_quarantine)(Quarantine { strategy, module, since, job: job.clone(), reason });
            }
        }
    }

    /// Records how long the machine ran the evaluation. A pause of the process is not the strategy's time.
    fn note_time(&self, inputs: &Inputs<'_>, answer: &EvaluationReport) {
        let strategy = &inputs.module.description().id;
        if let Some(budget) = &self.budget {
            self.spend(budget, strategy, answer.ran);
        }
        // What fails is dealt with by the ladder.
        let has_failed = matches!(&answer.outcome, Outcome::Error(error) if error.is_failure());
        if let Some(slow) = self.slow.as_ref().filter(|_| !has_failed) {
            self.note_slow(slow, strategy, answer.ran);
        }
        let limit = inputs.module.limits().timeout;
        if answer.duration > limit && answer.ran < limit {
            let (took_ms, ran_ms) = (answer.duration.as_millis(), answer.ran.as_millis());
            tracing::warn!(strategy.id = %strategy, job = %inputs.job, took_ms, ran_ms,
                "an evaluation took longer than it may, because the machine did not run it");
            self.metrics.failures.starved(strategy);
        }
    }

    /// Takes what an evaluation took beyond a quick one from the time that its strategy may have of the others.
    fn note_slow(&self, slow: &Slow, strategy: &StrategyId, ran: Duration) {
        let excess = ran.saturating_sub(slow.beyond);
        if !excess.is_zero() && slow.budget.spend(strategy, excess, Instant::now()) == Spent::All {
            self.metrics.costs.warned(strategy);
            let (ran_ms, slow_ms) = (ran.as_millis(), slow.beyond.as_millis());
            tracing::warn!(strategy.id = %strategy, ran_ms, slow_ms,
                "the evaluations of the strategy are slow: it is left out for the rest of the hour, since the others \
                 wait for it; make it quicker, or raise STRATEGY_SLOW_MS");
        }
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
}
