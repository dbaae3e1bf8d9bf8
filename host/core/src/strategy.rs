//! What a strategy says of itself.

use std::{collections::HashSet, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ParameterSchema, Symbol, Timeframe};

/// The largest window that a strategy may ask for, in candles.
const MAX_LOOKBACK: u32 = 10_000;
/// The most extra series that a strategy may ask for.
const MAX_EXTRA: usize = 8;

/// A strategy's name in URLs, metrics and messages: up to 64 lower case letters, digits and underscores, a letter first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StrategyId(Arc<str>);

/// Why a text is no strategy id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no strategy id: give up to 64 lower case letters, digits and underscores, a letter first")]
pub struct StrategyIdError(String);

impl StrategyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` may name a strategy or a parameter.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

impl FromStr for StrategyId {
    type Err = StrategyIdError;

    fn from_str(text: &str) -> Result<Self, StrategyIdError> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(StrategyIdError(text.chars().take(80).collect())) }
    }
}
impl TryFrom<String> for StrategyId {
    type Error = StrategyIdError;

    fn try_from(text: String) -> Result<Self, StrategyIdError> {
        text.parse()
    }
}
impl From<StrategyId> for String {
    fn from(id: StrategyId) -> Self {
        id.0.to_string()
    }
}
impl fmt::Display for StrategyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Which columns of a window a strategy reads; the others come empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_excessive_bools, reason = "one flag for each column, under the column's name")]
pub struct Columns {
    pub open_time: bool,
    pub open: bool,
    pub high: bool,
    pub low: bool,
    pub close: bool,
    pub volume: bool,
}

impl Columns {
    /// Every column.
    pub const ALL: Self = Self { open_time: true, open: true, high: true, low: true, close: true, volume: true };

    /// How many there are.
    pub const fn count(self) -> usize {
        let Self { open_time, open, high, low, close, volume } = self;
        open_time as usize + open as usize + high as usize + low as usize + close as usize + volume as usize
    }
}

/// Whose candles an extra input has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSymbol {
    /// The symbol under evaluation.
    Own,
    /// Always this one.
    Fixed(Symbol),
}

/// How long the candles of an extra input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputTimeframe {
    /// The rung above the timeframe under evaluation, see [`Timeframe::next_higher`].
    NextHigher,
    /// Always this one.
    Fixed(Timeframe),
}

/// A further series that a strategy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraInput {
    /// Whose candles.
    pub symbol: InputSymbol,
    /// How long they are.
    pub timeframe: InputTimeframe,
    /// How many.
    pub lookback: u32,
    /// Which columns.
    pub columns: Columns,
}

/// What a strategy says of itself, as its module's `describe` answered it.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyDescription {
    /// The name in URLs, metrics and messages.
    pub id: StrategyId,
    /// The name for people.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// What it does.
    pub description: String,
    /// How many base candles it gets.
    pub lookback: u32,
    /// Which base columns it reads.
    pub columns: Columns,
    /// Where it may run; empty means on any timeframe.
    pub timeframes: Vec<Timeframe>,
    /// What else it reads.
    pub extra: Vec<ExtraInput>,
    /// What can be set.
    pub schema: ParameterSchema,
}

/// Why a description can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// The id is not one.
    #[error(transparent)]
    Id(#[from] StrategyIdError),
    /// A field is empty or too long.
    #[error("{field} has {length} bytes: give 1 to {max}")]
    Text {
        /// Which field.
        field: &'static str,
        /// How long it was.
        length: usize,
        /// How long it may be.
        max: usize,
    },
    /// A lookback is out of range.
    #[error("{what} asks for {given} candles: give 1 to {MAX_LOOKBACK}")]
    Lookback {
        /// The base series or an extra input.
        what: String,
        /// What was asked for.
        given: u32,
    },
    /// Too many extra inputs.
    #[error("{0} extra inputs: give {MAX_EXTRA} at most")]
    TooManyInputs(usize),
    /// A parameter's declaration contradicts itself.
    #[error("parameter {name:?}: {problem}")]
    Parameter {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

impl StrategyDescription {
    /// Whether the strategy can run by this description.
    pub fn check(&self) -> Result<(), DescriptionError> {
        for (field, text, max) in
            [("name", &self.name, 100), ("version", &self.version, 64), ("description", &self.description, 4000)]
        {
            if text.is_empty() || text.len() > max {
                return Err(DescriptionError::Text { field, length: text.len(), max });
            }
        }
        check_lookback("the base series", self.lookback)?;
        if self.extra.len() > MAX_EXTRA {
            return Err(DescriptionError::TooManyInputs(self.extra.len()));
        }
        for (index, input) in self.extra.iter().enumerate() {
            check_lookback(&format!("extra input {index}"), input.lookback)?;
        }
        let mut seen = HashSet::new();
        for spec in self.schema.specs() {
            let problem = if seen.insert(&spec.name) { spec.check() } else { Err("it is declared twice".to_owned()) };
            problem.map_err(|problem| DescriptionError::Parameter { name: spec.name.clone(), problem })?;
        }
        Ok(())
    }

    /// Whether the strategy may run on `timeframe`.
    pub fn runs_on(&self, timeframe: Timeframe) -> bool {
        self.timeframes.is_empty() || self.timeframes.contains(&timeframe)
    }
}

fn check_lookback(what: &str, given: u32) -> Result<(), DescriptionError> {
    if (1..=MAX_LOOKBACK).contains(&given) {
        Ok(())
    } else {
        Err(DescriptionError::Lookback { what: what.to_owned(), given })
    }
}
