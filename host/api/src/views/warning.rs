//! The JSON view of what to know of parameters that are taken.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value as Json};
use ta_bot_core::{SeedLeft, StrategyDescription};
use utoipa::ToSchema;

/// What to know of a value that is taken all the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct WarningView {
    parameter: String,
    /// A stable code for programs: `seed_left`, for the length of an average of which much is still its seed at the end
    /// of the strategy's window.
    code: &'static str,
    message: String,
}

impl WarningView {
    /// The warnings for the values of a level.
    pub fn list(description: &StrategyDescription, level: &Map<String, Json>) -> Vec<Self> {
        let view = |left: SeedLeft| Self { message: left.to_string(), code: "seed_left", parameter: left.parameter };
        SeedLeft::of(description, level).into_iter().map(view).collect()
    }
}

impl fmt::Display for WarningView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.parameter, self.message)
    }
}
