//! Parameters, declared once. [`parameters!`](crate::parameters) makes a struct of typed fields. The description for
//! the host and the reading and checking of values all come from that one declaration, so they cannot disagree.

mod macros;
mod reader;
mod types;

pub use reader::Reader;
pub use types::{Bounds, Optional, ParameterType, Ranged};

use core::fmt::Display;

pub use crate::bindings::ta_bot::strategy::types::ValueKind as Kind;
use crate::{Fault, Value};

/// One declared parameter, as described to the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The field's name.
    pub name: &'static str,
    /// The field's doc comment.
    pub description: String,
    /// The kind of value it takes.
    pub kind: Kind,
    /// The default; `None` makes the parameter optional.
    pub default: Option<Value>,
    /// Inclusive bounds; for integers and numbers only.
    pub bounds: Bounds,
    /// The allowed texts; empty allows any.
    pub choices: &'static [&'static str],
}

/// A struct of parameters. Implemented by [`parameters!`](crate::parameters).
pub trait ParameterSet: Default {
    /// The parameters, as described to the host.
    fn declare() -> Vec<Parameter>;

    /// Reads and checks the values that the host passed. A parameter that is left out takes its default.
    fn parse(values: &[(String, Value)]) -> Result<Self, Fault>;
}

/// Used by [`in_order!`](crate::in_order): refuses a parameter that is not below the other.
#[doc(hidden)]
pub fn below<T: PartialOrd + Display>((low_name, low): (&str, T), (high_name, high): (&str, T)) -> Result<(), String> {
    if low < high { Ok(()) } else { Err(format!("{low_name} = {low} must be below {high_name} = {high}")) }
}

/// Used by [`in_order!`](crate::in_order): refuses a parameter that is above the other.
#[doc(hidden)]
pub fn not_above<T: PartialOrd + Display>(
    (low_name, low): (&str, T),
    (high_name, high): (&str, T),
) -> Result<(), String> {
    if low <= high { Ok(()) } else { Err(format!("{low_name} = {low} must not be above {high_name} = {high}")) }
}

/// No parameters.
impl ParameterSet for () {
    fn declare() -> Vec<Parameter> {
        Vec::new()
    }

    fn parse(values: &[(String, Value)]) -> Result<Self, Fault> {
        Reader::new(values).finish()
    }
}

#[cfg(test)]
mod tests;
