//! What a strategy declares about itself.

use std::{collections::HashSet, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{ParameterSchema, Symbol, Timeframe};

/// The largest window that a strategy may ask for, in candles.
pub const MAX_LOOKBACK: u32 = 10_000;
/// The most extra series that a strategy may ask for.
const MAX_EXTRA: usize = 8;

/// A strategy's name in URLs, metrics and messages: up to 64 lower-case letters, digits and underscores, starting with
/// a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StrategyId(Arc<str>);

/// Why a text is not a valid strategy id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no strategy id: give up to 64 lower case letters, digits and underscores, a letter first")]
pub struct StrategyIdError(String);

impl StrategyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether `text` is a valid name for a strategy or a parameter.
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

/// Which columns of a window a strategy reads; the others are passed empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, clippy::struct_excessive_bools, reason = "one flag for each column, named after it")]
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

    /// How many columns are read.
    pub const fn count(self) -> usize {
        let Self { open_time, open, high, low, close, volume } = self;
        open_time as usize + open as usize + high as usize + low as usize + close as usize + volume as usize
    }
}

/// The symbol whose candles an extra input holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputSymbol {
    /// The symbol under evaluation.
    Own,
    /// Always this one.
    Fixed(Symbol),
}

/// The timeframe of the candles of an extra input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputTimeframe {
    /// The next timeframe above the one under evaluation, see [`Timeframe::next_higher`].
    NextHigher,
    /// Always this one.
    Fixed(Timeframe),
}

/// An additional series that a strategy reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtraInput {
    /// The symbol.
    pub symbol: InputSymbol,
    /// The timeframe.
    pub timeframe: InputTimeframe,
    /// How many candles.
    pub lookback: u32,
    /// Which columns it reads.
    pub columns: Columns,
}

/// What a strategy declares about itself, as returned by its module's `describe`.
#[derive(Debug, Clone, PartialEq)]
pub struct StrategyDescription {
    /// The name in URLs, metrics and messages.
    pub id: StrategyId,
    /// The display name.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// What the strategy does.
    pub description: String,
    /// How many candles of the base series it gets.
    pub lookback: u32,
    /// Which columns of the base series it reads.
    pub columns: Columns,
    /// The timeframes it may run on; empty means all.
    pub timeframes: Vec<Timeframe>,
    /// The extra series it reads.
    pub extra: Vec<ExtraInput>,
    /// The parameters that can be set.
    pub schema: ParameterSchema,
}

/// Why a description can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DescriptionError {
    /// The id is not a valid strategy id.
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
        /// How many candles were asked for.
        given: u32,
    },
    /// There are too many extra inputs.
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
    /// Checks that the strategy can run with this description.
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
