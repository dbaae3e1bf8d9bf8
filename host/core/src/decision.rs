//! The result of one evaluation.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::Value;

/// What a strategy wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "common trading terms")]
pub enum Action {
    Buy,
    Sell,
    Hold,
    Close,
}

impl Action {
    /// All actions, in the order of the WIT.
    pub const ALL: [Self; 4] = [Self::Buy, Self::Sell, Self::Hold, Self::Close];

    /// The name used in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Hold => "hold",
            Self::Close => "close",
        }
    }
}

/// How strong a strategy considers its signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "common trading terms")]
pub enum Strength {
    Weak,
    #[default]
    Medium,
    Strong,
    Extreme,
}

/// A strategy's answer for one window, before the host's own checks.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields of the WIT record, which documents them")]
pub struct Decision {
    pub action: Action,
    pub confidence: f64,
    pub price: Option<f64>,
    pub stop_loss: Option<f64>,
    pub take_profit: Option<f64>,
    pub strength: Strength,
    pub rationale: Option<String>,
    pub metadata: Vec<(String, Value)>,
}

impl Decision {
    /// Rejects answers that no strategy may give: a confidence outside [0, 1], or a price that is not a finite number.
    /// Further trading rules (each stop on its side of the price) belong to the signal's own check, which drops a
    /// decision instead of failing.
    pub fn check(&self) -> Result<(), EvaluationError> {
        if !(0.0..=1.0).contains(&self.confidence) {
            return Err(EvaluationError::InvalidDecision(format!(
                "confidence is {}: it must lie in [0, 1]",
                self.confidence
            )));
        }
        let numbers = [("price", self.price), ("stop-loss", self.stop_loss), ("take-profit", self.take_profit)];
        for (field, value) in numbers {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Err(EvaluationError::InvalidDecision(format!(
                    "{field} is {value}: it must be a finite number"
                )));
            }
        }
        Ok(())
    }
}

/// Why an evaluation gave no answer. Each error concerns one strategy on one window; the other strategies are not
/// affected.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvaluationError {
    /// The strategy needs more candles than the market has.
    #[error("needs {needed} candles, {given} are there")]
    InsufficientData {
        /// How many it needs.
        needed: u32,
        /// How many it got.
        given: usize,
    },
    /// The strategy rejected its parameters.
    #[error("the strategy refused its parameters: {0}")]
    InvalidParameters(String),
    /// The strategy reported a failure.
    #[error("the strategy failed: {0}")]
    Failed(String),
    /// The strategy gave an answer that no strategy may give.
    #[error("the strategy's answer is invalid: {0}")]
    InvalidDecision(String),
    /// The strategy's code trapped.
    #[error("the strategy trapped: {0}")]
    Trap(String),
    /// The strategy ran too long, or the machine did not run it.
    #[error("{}", stopped(*limit_ms, *ran_ms))]
    Timeout {
        /// How long it may run, in milliseconds.
        limit_ms: u64,
        /// How long the machine ran it, in milliseconds, if it did not run it for all of that. `None` if it did.
        ran_ms: Option<u64>,
    },
    /// The strategy exceeded a resource limit.
    #[error("the strategy hit a limit: {0}")]
    Limit(String),
    /// The host had no room for an instance. This says nothing about the strategy, so the job is tried again.
    #[error("the host has no room for another instance: {0}")]
    NoRoom(String),
}

/// Why a strategy was stopped, in words.
fn stopped(limit_ms: u64, ran_ms: Option<u64>) -> String {
    match ran_ms {
        None => format!("the strategy was stopped after its {limit_ms} ms"),
        Some(ran_ms) => format!(
            "the strategy was stopped because the machine ran it for {ran_ms} of its {limit_ms} ms only: give the service \
             more CPU"
        ),
    }
}

/// How an execution ended, as reported in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the values of the status label, as the contract names them")]
pub enum ExecutionStatus {
    Success,
    Error,
    Trap,
    Timeout,
    Limit,
    Gap,
    Misconfigured,
}

impl ExecutionStatus {
    /// The value of the status label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Trap => "trap",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Gap => "gap",
            Self::Misconfigured => "misconfigured",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EvaluationError {
    /// Whether the strategy's code failed. Too few candles, rejected parameters and a host without room do not count as
    /// its failures.
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::InsufficientData { .. } | Self::InvalidParameters(_) | Self::NoRoom(_) => false,
            Self::Failed(_) | Self::InvalidDecision(_) | Self::Trap(_) | Self::Timeout { .. } | Self::Limit(_) => true,
        }
    }

    /// The status under which metrics count it. Too few candles are not a failure of the strategy.
    pub const fn status(&self) -> ExecutionStatus {
        match self {
            Self::InsufficientData { .. } => ExecutionStatus::Success,
            Self::InvalidParameters(_) => ExecutionStatus::Misconfigured,
            Self::Failed(_) | Self::InvalidDecision(_) | Self::NoRoom(_) => ExecutionStatus::Error,
            Self::Trap(_) => ExecutionStatus::Trap,
            Self::Timeout { .. } => ExecutionStatus::Timeout,
            Self::Limit(_) => ExecutionStatus::Limit,
        }
    }

    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InsufficientData { .. } => "insufficient_data",
            Self::InvalidParameters(_) => "invalid_parameters",
            Self::Failed(_) => "failed",
            Self::InvalidDecision(_) => "invalid_decision",
            Self::Trap(_) => "trap",
            Self::Timeout { .. } => "timeout",
            Self::Limit(_) => "limit",
            Self::NoRoom(_) => "no_room",
        }
    }
}
