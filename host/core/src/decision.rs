//! What came of one evaluation.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::Value;

/// What a strategy wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the field's own names")]
pub enum Action {
    Buy,
    Sell,
    Hold,
    Close,
}

impl Action {
    /// All of them, in the order of the WIT.
    pub const ALL: [Self; 4] = [Self::Buy, Self::Sell, Self::Hold, Self::Close];

    /// The name in messages and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
            Self::Hold => "hold",
            Self::Close => "close",
        }
    }
}

/// How strong a strategy holds its signal to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the field's own names")]
pub enum Strength {
    Weak,
    #[default]
    Medium,
    Strong,
    Extreme,
}

/// A strategy's answer on one window, before the host's own checks.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "the fields of the WIT record, where they are explained")]
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
    /// Refuses what no strategy may answer: a confidence outside [0, 1] or a price that is no number. What trading
    /// needs beyond that (stops on their sides) is for the signal's own check, which drops and does not fail.
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

/// Why an evaluation gave no answer. Each concerns one strategy on one window; the strategies beside it go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvaluationError {
    /// The strategy wants more candles than the market has.
    #[error("needs {needed} candles, {given} are there")]
    InsufficientData {
        /// How many it wants.
        needed: u32,
        /// How many it got.
        given: usize,
    },
    /// The strategy refused its parameters.
    #[error("the strategy refused its parameters: {0}")]
    InvalidParameters(String),
    /// The strategy gave up.
    #[error("the strategy failed: {0}")]
    Failed(String),
    /// The strategy answered what no strategy may answer.
    #[error("the strategy's answer is invalid: {0}")]
    InvalidDecision(String),
    /// The strategy's code stopped in the middle.
    #[error("the strategy trapped: {0}")]
    Trap(String),
    /// The strategy ran too long.
    #[error("the strategy was stopped after its {limit_ms} ms")]
    Timeout {
        /// How long it may run.
        limit_ms: u64,
    },
    /// The strategy wanted more than it may have.
    #[error("the strategy hit a limit: {0}")]
    Limit(String),
    /// The host had no room for an instance. It says nothing about the strategy, so the job is tried again.
    #[error("the host has no room for another instance: {0}")]
    NoRoom(String),
}

/// How an execution ended, as metrics tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the values of the status label, in the contract's words")]
pub enum ExecutionStatus {
    Success,
    Error,
    Trap,
    Timeout,
    Limit,
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
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl EvaluationError {
    /// Whether the strategy's code failed. A young market, parameters that it refuses, and a host without room for it are
    /// none of its failures.
    pub const fn is_failure(&self) -> bool {
        match self {
            Self::InsufficientData { .. } | Self::InvalidParameters(_) | Self::NoRoom(_) => false,
            Self::Failed(_) | Self::InvalidDecision(_) | Self::Trap(_) | Self::Timeout { .. } | Self::Limit(_) => true,
        }
    }

    /// How metrics count it. A young market is no failure of the strategy's.
    pub const fn status(&self) -> ExecutionStatus {
        match self {
            Self::InsufficientData { .. } => ExecutionStatus::Success,
            Self::InvalidParameters(_) | Self::Failed(_) | Self::InvalidDecision(_) | Self::NoRoom(_) => {
                ExecutionStatus::Error
            }
            Self::Trap(_) => ExecutionStatus::Trap,
            Self::Timeout { .. } => ExecutionStatus::Timeout,
            Self::Limit(_) => ExecutionStatus::Limit,
        }
    }

    /// A stable word for programs.
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
