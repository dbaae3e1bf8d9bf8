//! Why parameters are refused.

use std::fmt;

use serde::Serialize;
use serde_json::Value as Json;

/// In which way a parameter is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// There is no parameter of this name.
    Unknown,
    /// The value is of another kind.
    WrongType,
    /// The value is of the right kind, and not one of the allowed values.
    OutOfRange,
}

/// Why one parameter is refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterProblem {
    /// Which parameter.
    pub parameter: String,
    /// What was given.
    pub given: Json,
    /// What is allowed.
    pub allowed: String,
    /// In which way it is wrong.
    pub kind: ProblemKind,
    /// A value that would be taken, if one can be guessed.
    pub suggested: Option<Json>,
}

impl ParameterProblem {
    pub(super) fn new(parameter: &str, given: &Json, allowed: String, kind: ProblemKind) -> Self {
        let parameter = parameter.chars().take(100).collect();
        Self { parameter, given: in_short(given), allowed, kind, suggested: None }
    }
}

impl fmt::Display for ParameterProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameter, given, allowed, kind, .. } = self;
        match kind {
            ProblemKind::Unknown => write!(f, "{parameter} = {given}: {allowed}"),
            ProblemKind::WrongType | ProblemKind::OutOfRange => {
                write!(f, "{parameter} = {given}: allowed is {allowed}")
            }
        }
    }
}

/// The value itself or, if it is long, the beginning of its JSON text. A hostile value may be of any size, and a
/// response that repeats it must stay small.
pub fn in_short(given: &Json) -> Json {
    let text = given.to_string();
    match text.char_indices().nth(200) {
        Some((end, _)) => Json::String(format!("{}…", &text[..end])),
        None => given.clone(),
    }
}
