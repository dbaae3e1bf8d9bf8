//! The Rust types that a parameter may have.

use core::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

use super::Kind;
use crate::Value;

/// A type that a parameter may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no type for a parameter",
    note = "use bool, i32, usize, f64, String, an enum made by `choices!`, or an Option of one of these"
)]
pub trait ParameterType: Sized {
    /// The kind of value, as described to the host.
    const KIND: Kind;
    /// The allowed texts; empty allows any.
    const CHOICES: &'static [&'static str] = &[];
    /// The bounds of the type itself, if no `#[range(..)]` is written.
    const BOUNDS: Bounds = Bounds::NONE;

    /// The typed value, or `None` if it is of another kind or not one of the choices.
    fn from_value(value: &Value) -> Option<Self>;

    /// The value to pass to the host; `None` for an optional parameter that is not set.
    fn into_value(self) -> Option<Value>;
}

/// A type whose values an author can bound with `#[range(..)]`.
#[diagnostic::on_unimplemented(message = "`#[range(..)]` bounds an i32, a usize or an f64, not `{Self}`")]
pub trait Ranged {
    /// The type of the bounds.
    type Number;

    /// The bounds, as described to the host.
    fn bounds(range: impl InclusiveRange<Self::Number>) -> Bounds;
}

/// A type that a parameter without a default may have.
#[diagnostic::on_unimplemented(
    message = "a parameter of type `{Self}` needs a default",
    note = "write `= value` after the type, or make the type an Option"
)]
pub trait Optional {
    /// The value of a parameter that nobody has set.
    const NONE: Self;
}

impl<T> Optional for Option<T> {
    const NONE: Self = None;
}

/// Inclusive bounds of a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// The least value allowed.
    pub min: Option<f64>,
    /// The greatest value allowed.
    pub max: Option<f64>,
}

impl Bounds {
    /// Any value.
    pub const NONE: Self = Self { min: None, max: None };

    /// Whether the number is within the bounds. NaN is not, if there is any bound.
    pub fn allow(self, number: f64) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}

/// A range that includes its ends.
#[diagnostic::on_unimplemented(message = "the bounds of a parameter are inclusive: write `a..=b`, `a..` or `..=b`")]
pub trait InclusiveRange<T> {
    /// The least and the greatest value, each if there is one.
    fn ends(self) -> (Option<T>, Option<T>);
}

impl<T> InclusiveRange<T> for RangeInclusive<T> {
    fn ends(self) -> (Option<T>, Option<T>) {
        let (min, max) = self.into_inner();
        (Some(min), Some(max))
    }
}

impl<T> InclusiveRange<T> for RangeFrom<T> {
    fn ends(self) -> (Option<T>, Option<T>) {
        (Some(self.start), None)
    }
}

impl<T> InclusiveRange<T> for RangeToInclusive<T> {
    fn ends(self) -> (Option<T>, Option<T>) {
        (None, Some(self.end))
    }
}

impl Ranged for i32 {
    type Number = Self;

    fn bounds(range: impl InclusiveRange<Self>) -> Bounds {
        let (min, max) = range.ends();
        Bounds { min: min.map(f64::from), max: max.map(f64::from) }
    }
}

/// The host has only 32-bit integers, so a bound beyond them can never be reached.
impl Ranged for usize {
    type Number = Self;

    fn bounds(range: impl InclusiveRange<Self>) -> Bounds {
        let (min, max) = range.ends();
        Bounds { min: Some(min.unwrap_or(0) as f64), max: max.map(|max| max as f64) }
    }
}

impl Ranged for f64 {
    type Number = Self;

    fn bounds(range: impl InclusiveRange<Self>) -> Bounds {
        let (min, max) = range.ends();
        Bounds { min, max }
    }
}

impl<T: Ranged> Ranged for Option<T> {
    type Number = T::Number;

    fn bounds(range: impl InclusiveRange<T::Number>) -> Bounds {
        T::bounds(range)
    }
}

impl ParameterType for bool {
    const KIND: Kind = Kind::Boolean;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Boolean(self))
    }
}

impl ParameterType for i32 {
    const KIND: Kind = Kind::Integer;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Integer(self))
    }
}

/// A count: an integer that is not negative.
impl ParameterType for usize {
    const KIND: Kind = Kind::Integer;
    const BOUNDS: Bounds = Bounds { min: Some(0.0), max: None };

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(value) => Self::try_from(*value).ok(),
            _ => None,
        }
    }

    fn into_value(self) -> Option<Value> {
        i32::try_from(self).ok().map(Value::Integer)
    }
}

/// An integer is a number, too.
impl ParameterType for f64 {
    const KIND: Kind = Kind::Number;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Number(value) => Some(*value),
            Value::Integer(value) => Some(Self::from(*value)),
            _ => None,
        }
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Number(self))
    }
}

impl ParameterType for String {
    const KIND: Kind = Kind::Text;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn into_value(self) -> Option<Value> {
        Some(Value::Text(self))
    }
}

impl<T: ParameterType> ParameterType for Option<T> {
    const KIND: Kind = T::KIND;
    const CHOICES: &'static [&'static str] = T::CHOICES;
    const BOUNDS: Bounds = T::BOUNDS;

    fn from_value(value: &Value) -> Option<Self> {
        T::from_value(value).map(Some)
    }

    fn into_value(self) -> Option<Value> {
        self.and_then(T::into_value)
    }
}
