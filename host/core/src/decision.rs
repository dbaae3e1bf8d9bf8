//! The result of one evaluation.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
};

use serde::Serialize;
use thiserror::Error;

use crate::{Value, cut};

/// How many bytes of a rationale are kept: a sentence with its numbers has a few hundred.
pub const MAX_RATIONALE: usize = 4 << 10;
/// How many bytes of the name of a reading are kept, of a reading that is a text, and of all readings together, with
/// their names. A reading that is no text counts as eight.
pub const MAX_READING_NAME: usize = 200;
/// See [`MAX_READING_NAME`].
pub const MAX_READING_TEXT: usize = 2 << 10;
/// See [`MAX_READING_NAME`].
pub const MAX_READINGS: usize = 16 << 10;
/// The name of the entry that says how many readings were left out.
const LEFT_OUT: &str = "…";
/// Room for that entry.
const LEFT_OUT_BYTES: usize = 40;

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

/// A word that names no action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no action: buy, sell, hold or close")]
pub struct UnknownAction(String);

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(text: &str) -> Result<Self, UnknownAction> {
        let known = Self::ALL.into_iter().find(|action| action.as_str() == text);
        known.ok_or_else(|| UnknownAction(cut(text, 100).into_owned()))
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

/// How many bytes a reading counts for.
const fn reading_bytes(name: &str, text: Option<&str>) -> usize {
    name.len() + if let Some(text) = text { text.len() } else { size_of::<f64>() }
}

/// Whether readings are within their bounds. They are given with their texts, if they are texts.
pub fn readings_fit<'a>(readings: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> bool {
    let mut together = 0;
    readings.into_iter().all(|(name, text)| {
        together += reading_bytes(name, text);
        name.len() <= MAX_READING_NAME
            && text.is_none_or(|text| text.len() <= MAX_READING_TEXT)
            && together <= MAX_READINGS
    })
}

/// The text of a value, if it is one.
fn text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text) } else { None }
}

impl Decision {
    /// The same decision with its texts cut to their bounds. This changes nothing in a decision that is within them.
    #[must_use]
    pub fn within_bounds(mut self) -> Self {
        self.rationale = self.rationale.map(|rationale| cut(&rationale, MAX_RATIONALE).into_owned());
        if !readings_fit(self.metadata.iter().map(|(name, value)| (name.as_str(), text(value)))) {
            self.metadata = cut_readings(self.metadata);
        }
        self
    }

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

/// The first readings that have room, and how many had none. Of readings with the same name the last counts, as in a
/// message.
fn cut_readings(readings: Vec<(String, Value)>) -> Vec<(String, Value)> {
    let last: HashMap<&str, usize> =
        readings.iter().enumerate().map(|(place, (name, _))| (name.as_str(), place)).collect();
    let counts: HashSet<usize> = last.into_values().collect();
    let (mut kept, mut together, mut left_out) = (Vec::new(), 0, 0);
    for (_, (name, value)) in readings.into_iter().enumerate().filter(|(place, _)| counts.contains(place)) {
        let name = cut(&name, MAX_READING_NAME).into_owned();
        let value = match value {
            Value::Text(text) => Value::Text(cut(&text, MAX_READING_TEXT).into_owned()),
            value => value,
        };
        together += reading_bytes(&name, text(&value));
        if together <= MAX_READINGS - LEFT_OUT_BYTES {
            kept.push((name, value));
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        kept.push((LEFT_OUT.to_owned(), Value::Text(format!("{left_out} more readings"))));
    }
    kept
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

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(rationale: &str, metadata: Vec<(String, Value)>) -> Decision {
        Decision {
            action: Action::Buy,
            confidence: 0.5,
            price: None,
            stop_loss: None,
            take_profit: None,
            strength: Strength::Medium,
            rationale: Some(rationale.to_owned()),
            metadata,
        }
    }

    fn bytes(decision: &Decision) -> usize {
        decision.metadata.iter().map(|(name, value)| reading_bytes(name, text(value))).sum()
    }

    #[test]
    fn a_decision_within_its_bounds_stays_as_it_is() {
        let reading = |index: usize| (format!("reading {index}"), Value::Number(index as f64));
        let readings: Vec<_> = (0..500).map(reading).collect();
        let given = decision(&"x".repeat(MAX_RATIONALE), readings);
        assert_eq!(given.clone().within_bounds(), given);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let long = |index: usize| (format!("{index}{}", "n".repeat(999)), Value::Text("t".repeat(1 << 20)));
        let cut = decision(&"ä".repeat(1 << 19), (0..50).map(long).collect()).within_bounds();
        let rationale = cut.rationale.as_ref().unwrap();
        assert!(rationale.len() <= MAX_RATIONALE && rationale.ends_with('…'));
        assert!(bytes(&cut) <= MAX_READINGS, "{}", bytes(&cut));
        assert!(cut.metadata.len() > 5, "{}", cut.metadata.len());
        let (name, told) = cut.metadata.last().unwrap();
        assert_eq!(
            (name.as_str(), told),
            (LEFT_OUT, &Value::Text(format!("{} more readings", 51 - cut.metadata.len())))
        );
        assert_eq!(cut.clone().within_bounds(), cut, "cut once is cut for good");
    }

    #[test]
    fn of_readings_with_the_same_name_the_last_counts_as_in_a_message() {
        let many = (0..10_000).map(|index| ("same".to_owned(), Value::Integer(index))).collect();
        let cut = decision("", many).within_bounds();
        assert_eq!(cut.metadata, [("same".to_owned(), Value::Integer(9999))]);
    }
}
