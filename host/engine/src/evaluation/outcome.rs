//! The result of an evaluation.

use std::{fmt, time::Duration};

use ta_bot_core::{Decision, DropReason, EvaluationError, Level, ModuleDigest, Signal, StrategyId, WindowHoles};
use ta_bot_wasm::{LogLine, Usage};

use super::gap::Gap;

/// A strategy's answer, after the host's checks.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A signal.
    Signal(Box<Signal>),
    /// The strategy has nothing to say.
    None,
    /// A decision that does not go out, and why.
    Dropped(Box<Decision>, DropReason),
    /// The strategy was not asked, and why.
    Skipped(SkipReason),
    /// The strategy could not be asked, because candles are missing that should be there.
    Gap(Gap),
    /// The strategy gave no answer, and why.
    Error(EvaluationError),
}

impl Outcome {
    /// The kind of outcome: a stable word for programs.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Signal(_) => "signal",
            Self::None => "none",
            Self::Dropped(..) => "dropped",
            Self::Skipped(_) => "skipped",
            Self::Gap(_) => "gap",
            Self::Error(_) => "error",
        }
    }
}

/// Why a strategy was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It keeps failing on this series.
    Failing,
    /// It has used up its time for this minute.
    OverBudget,
    /// Its evaluations are slow, and have taken what the others can spare for them in this hour.
    TooSlow,
    /// An operator has paused it, on all symbols or on this one.
    Paused(Level),
}

impl SkipReason {
    /// A stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::OverBudget => "over_budget",
            Self::TooSlow => "too_slow",
            Self::Paused(_) => "paused",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failing => "it keeps failing on this series",
            Self::OverBudget => "it has taken its time of this minute, STRATEGY_BUDGET_MS_PER_MINUTE",
            Self::TooSlow => {
                "its evaluations run longer than STRATEGY_SLOW_MS, and it has had its time beyond that for this hour"
            }
            Self::Paused(Level::Symbol) => {
                "it is paused on this symbol: its level has the parameter enabled set to false"
            }
            Self::Paused(_) => "it is paused: its parameter enabled is false",
        })
    }
}

/// The result of an evaluation.
#[derive(Debug, Clone)]
pub struct EvaluationReport {
    /// The strategy's answer.
    pub outcome: Outcome,
    /// The strategy's own decision behind a signal, before the host added to it.
    pub decision: Option<Decision>,
    /// The holes of the windows, those that kept it from being asked included.
    pub holes: Vec<WindowHoles>,
    /// How long it took; zero if the strategy was not asked.
    pub duration: Duration,
    /// How long the machine ran it.
    pub ran: Duration,
    /// What else it used.
    pub usage: Usage,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl EvaluationReport {
    /// The report for a strategy that was not asked because it refuses its parameters.
    pub fn refused(error: EvaluationError) -> Self {
        Self::unasked(Outcome::Error(error), Vec::new())
    }

    /// The report for a strategy that could not be asked, with the holes of its windows.
    pub fn gap(gap: Gap, holes: Vec<WindowHoles>) -> Self {
        Self::unasked(Outcome::Gap(gap), holes)
    }

    fn unasked(outcome: Outcome, holes: Vec<WindowHoles>) -> Self {
        let (duration, ran, usage) = (Duration::ZERO, Duration::ZERO, Usage::default());
        Self { outcome, decision: None, holes, duration, ran, usage, log: Vec::new() }
    }
}

/// The result of one strategy.
#[derive(Debug, Clone)]
pub struct StrategyOutcome {
    /// Which strategy.
    pub strategy: StrategyId,
    /// Which module, by its digest.
    pub digest: ModuleDigest,
    /// What it answered.
    pub outcome: Outcome,
    /// The holes of the windows that it was given, or would have been given.
    pub holes: Vec<WindowHoles>,
    /// How long it took; zero if the strategy was not asked.
    pub duration: Duration,
    /// What else it used.
    pub usage: Usage,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl StrategyOutcome {
    /// The outcome of a strategy that was not asked.
    pub fn skipped(strategy: StrategyId, digest: ModuleDigest, reason: SkipReason) -> Self {
        let (duration, usage) = (Duration::ZERO, Usage::default());
        let (outcome, holes) = (Outcome::Skipped(reason), Vec::new());
        Self { strategy, digest, outcome, holes, duration, usage, log: Vec::new() }
    }
}
