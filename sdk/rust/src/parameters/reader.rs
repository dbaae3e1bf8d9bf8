//! Reads the values that the host passed. The host sends them in the order of the declaration, so the wanted value is
//! usually the next one. The rest of this file reports what is wrong.

use super::{Bounds, Kind, ParameterType};
use crate::{Fault, Value};

/// Reads values by name. Used by [`parameters!`](crate::parameters).
#[derive(Debug)]
pub struct Reader<'a> {
    values: &'a [(String, Value)],
    /// The index at which the next value is expected.
    next: usize,
    /// How many values have been read.
    read: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader of these values.
    pub const fn new(values: &'a [(String, Value)]) -> Self {
        Self { values, next: 0, read: 0 }
    }

    /// The value of this name, typed and checked; `None` if it was left out.
    pub fn read<T: ParameterType>(&mut self, name: &'static str, bounds: Bounds) -> Result<Option<T>, Fault> {
        let Some(value) = self.find(name) else { return Ok(None) };
        // A negative integer is of the right kind for a count, but out of range.
        let whole = T::KIND == Kind::Integer && matches!(value, Value::Integer(_));
        match T::from_value(value) {
            Some(typed) if within(value, bounds) => Ok(Some(typed)),
            None if !whole => Err(mistyped(name, value, T::KIND, T::CHOICES)),
            _ => Err(out_of_range(name, value, bounds)),
        }
    }

    /// Refuses values that no parameter has read.
    pub fn finish(self) -> Result<(), Fault> {
        if self.read == self.values.len() {
            return Ok(());
        }
        Err(Fault::InvalidParameters(format!(
            "{} of the {} parameters given are unknown to this strategy or given twice: {}",
            self.values.len() - self.read,
            self.values.len(),
            self.values.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        )))
    }

    fn find(&mut self, name: &str) -> Option<&'a Value> {
        let index = match self.values.get(self.next) {
            Some((next, _)) if next == name => self.next,
            _ => self.values.iter().position(|(given, _)| given == name)?,
        };
        self.next = index + 1;
        self.read += 1;
        self.values.get(index).map(|(_, value)| value)
    }
}

fn within(value: &Value, bounds: Bounds) -> bool {
    match value {
        Value::Integer(value) => bounds.allow(f64::from(*value)),
        Value::Number(value) => value.is_finite() && bounds.allow(*value),
        Value::Boolean(_) | Value::Text(_) => true,
    }
}

#[cold]
fn out_of_range(name: &str, value: &Value, bounds: Bounds) -> Fault {
    let range = match bounds {
        Bounds { min: Some(min), max: Some(max) } => format!("from {min} to {max}"),
        Bounds { min: Some(min), max: None } => format!("at least {min}"),
        Bounds { min: None, max: Some(max) } => format!("at most {max}"),
        Bounds { min: None, max: None } => "finite".into(),
    };
    Fault::InvalidParameters(format!("{name} = {} must be {range}", shown(value)))
}

#[cold]
fn mistyped(name: &str, value: &Value, kind: Kind, choices: &[&str]) -> Fault {
    let wanted = match kind {
        Kind::Boolean => "true or false".into(),
        Kind::Integer => "an integer".into(),
        Kind::Number => "a number".into(),
        Kind::Text if choices.is_empty() => "a text".into(),
        Kind::Text => format!("one of {}", choices.join(", ")),
    };
    Fault::InvalidParameters(format!("{name} = {} must be {wanted}", shown(value)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Boolean(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::Text(text) => format!("{text:?}"),
    }
}
