//! What comes of an evaluation.

use std::{fmt, time::Duration};

use ta_bot_core::{Decision, DropReason, EvaluationError, ModuleDigest, Signal, StrategyId};
use ta_bot_wasm::{LogLine, Usage};

/// A strategy's answer, after the host's checks.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A signal.
    Signal(Box<Signal>),
    /// Nothing to say.
    None,
    /// A decision that does not go out, and why.
    Dropped(Box<Decision>, DropReason),
    /// It was not asked, and why.
    Skipped(SkipReason),
    /// No answer, and why.
    Error(EvaluationError),
}

/// Why a strategy was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkipReason {
    /// It keeps failing on this series.
    Failing,
    /// It has taken its time of this minute.
    OverBudget,
}

impl SkipReason {
    /// The stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::OverBudget => "over_budget",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failing => "it keeps failing on this series",
            Self::OverBudget => "it has taken its time of this minute, STRATEGY_BUDGET_MS_PER_MINUTE",
        })
    }
}

/// What came of an evaluation.
#[derive(Debug, Clone)]
pub struct EvaluationReport {
    /// The strategy's answer.
    pub outcome: Outcome,
    /// The strategy's own words behind a signal, to which the host has added.
    pub decision: Option<Decision>,
    /// How long it took; nothing where it was not asked.
    pub duration: Duration,
    /// What else it took.
    pub usage: Usage,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl EvaluationReport {
    /// The answer of a strategy that was not asked, since it refuses its parameters.
    pub fn refused(error: EvaluationError) -> Self {
        let (duration, usage) = (Duration::ZERO, Usage::default());
        Self { outcome: Outcome::Error(error), decision: None, duration, usage, log: Vec::new() }
    }
}

/// What came of one strategy.
#[derive(Debug, Clone)]
pub struct StrategyOutcome {
    /// Which strategy.
    pub strategy: StrategyId,
    /// Which code.
    pub digest: ModuleDigest,
    /// What it answered.
    pub outcome: Outcome,
    /// How long it took; nothing where it was not asked.
    pub duration: Duration,
    /// What else it took.
    pub usage: Usage,
    /// What it logged.
    pub log: Vec<LogLine>,
}

impl StrategyOutcome {
    /// Of a strategy that was not asked.
    pub fn skipped(strategy: StrategyId, digest: ModuleDigest, reason: SkipReason) -> Self {
        let (duration, usage) = (Duration::ZERO, Usage::default());
        Self { strategy, digest, outcome: Outcome::Skipped(reason), duration, usage, log: Vec::new() }
    }
}
