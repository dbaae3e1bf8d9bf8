//! Parameters: what a strategy lets an operator set, and the validation of the given values.
//!
//! A configuration is accepted or refused as a whole, with one entry for each invalid parameter, so that an operator
//! can fix all of them at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use crate::{ParameterHash, strategy::is_name};

mod problem;

pub use problem::{ParameterProblem, ProblemKind, in_short};

/// The host's own parameter of every strategy: false pauses the strategy. It is stored with the strategy's parameters
/// and is none of them, so no strategy may declare a parameter of this name.
pub const ENABLED: &str = "enabled";
/// The most bytes that a text value may have. Parameters are held in memory, passed to every evaluation and included in
/// every signal.
const MAX_TEXT: usize = 1000;
/// For how many unknown names the error lists the known ones. A hostile body may hold a hundred thousand unknown names.
const MOST_TOLD: usize = 100;

/// The value of a parameter or of a metadata entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i32),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

impl Value {
    /// Which kind of value this is.
    pub const fn kind(&self) -> ValueKind {
        match self {
            Self::Boolean(_) => ValueKind::Boolean,
            Self::Integer(_) => ValueKind::Integer,
            Self::Number(_) => ValueKind::Number,
            Self::Text(_) => ValueKind::Text,
        }
    }

    /// As JSON; a number that is not finite becomes null.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Boolean(value) => Json::from(*value),
            Self::Integer(value) => Json::from(*value),
            Self::Number(value) => Json::from(*value),
            Self::Text(value) => Json::from(value.as_str()),
        }
    }

    fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(f64::from(*value)),
            Self::Number(value) => Some(*value),
            Self::Boolean(_) | Self::Text(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "see Value")]
pub enum ValueKind {
    Boolean,
    Integer,
    Number,
    Text,
}

impl ValueKind {
    /// The kind in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }

    /// Reads JSON as this kind. A whole number may be written with a zero fraction, such as `14.0`. Nothing else is
    /// converted, because `"14"` is as likely a mistake as it is a 14.
    pub fn read(self, given: &Json) -> Option<Value> {
        match self {
            Self::Boolean => given.as_bool().map(Value::Boolean),
            Self::Integer => {
                let number = given.as_f64().filter(|number| number.fract() == 0.0)?;
                let fits = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
                fits.then_some(Value::Integer(number as i32))
            }
            Self::Number => given.as_f64().map(Value::Number),
            Self::Text => given.as_str().map(|text| Value::Text(text.to_owned())),
        }
    }
}

/// One parameter's declaration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterSpec {
    /// Lower-case letters, digits and underscores.
    pub name: String,
    /// The description for operators, with the unit.
    pub description: String,
    /// The kind of value it takes.
    #[serde(rename = "type")]
    pub kind: ValueKind,
    /// The default; `None` makes the parameter optional.
    pub default: Option<Value>,
    /// The smallest value allowed.
    pub min: Option<f64>,
    /// The largest value allowed.
    pub max: Option<f64>,
    /// The allowed texts; empty allows any.
    pub choices: Vec<String>,
}

impl ParameterSpec {
    /// What values are allowed, in words.
    pub fn allowed(&self) -> String {
        if !self.choices.is_empty() {
            return format!("one of {}", self.choices.join(", "));
        }
        let kind = self.kind.as_str();
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{kind} from {min} to {max}"),
            (Some(min), None) => format!("{kind} of at least {min}"),
            (None, Some(max)) => format!("{kind} of at most {max}"),
            (None, None) if self.kind == ValueKind::Text => format!("{kind} of at most {MAX_TEXT} bytes"),
            (None, None) => kind.to_owned(),
        }
    }

    /// The declaration of the host's own parameter.
    fn enabled() -> Self {
        Self {
            name: ENABLED.to_owned(),
            description: "Whether the strategy runs.".to_owned(),
            kind: ValueKind::Boolean,
            default: None,
            min: None,
            max: None,
            choices: Vec::new(),
        }
    }

    /// Reads and checks a value.
    fn read(&self, given: &Json) -> Result<Value, ParameterProblem> {
        let kind = match self.kind.read(given) {
            Some(value) if self.holds(&value) => return Ok(value),
            Some(_) => ProblemKind::OutOfRange,
            // A whole number that is too large for an integer is a number all the same.
            None if self.kind == ValueKind::Integer && given.as_f64().is_some_and(|number| number.fract() == 0.0) => {
                ProblemKind::OutOfRange
            }
            None => ProblemKind::WrongType,
        };
        let suggested = self.suggested(given).map(|value| value.to_json());
        Err(ParameterProblem { suggested, ..ParameterProblem::new(&self.name, given, self.allowed(), kind) })
    }

    /// A value that would be taken instead: what was probably meant, the nearest one in range, or the default.
    fn suggested(&self, given: &Json) -> Option<Value> {
        let text = given.as_str().map(str::trim);
        let meant = match self.kind {
            ValueKind::Boolean => text.and_then(|text| text.to_ascii_lowercase().parse().ok()).map(Value::Boolean),
            ValueKind::Integer => self.nearest(given).map(|number| Value::Integer(number.round() as i32)),
            ValueKind::Number => self.nearest(given).map(Value::Number),
            ValueKind::Text => None,
        };
        meant.filter(|value| self.holds(value)).or_else(|| self.default.clone())
    }

    /// The number in range that is nearest to a given one, which may be written as a text.
    fn nearest(&self, given: &Json) -> Option<f64> {
        let number = given.as_f64().or_else(|| given.as_str()?.trim().parse().ok())?;
        let (min, max) = (self.min.unwrap_or(f64::MIN), self.max.unwrap_or(f64::MAX));
        number.is_finite().then(|| number.max(min).min(max))
    }

    /// Whether a value of the right kind is in the declared range.
    fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => text.len() <= MAX_TEXT && (self.choices.is_empty() || self.choices.contains(text)),
            _ => value.as_number().is_none_or(|number| {
                number.is_finite()
                    && self.min.is_none_or(|min| number >= min)
                    && self.max.is_none_or(|max| number <= max)
            }),
        }
    }

    /// Checks that the declaration is consistent.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !is_name(&self.name) {
            return Err("give a name of up to 64 lower case letters, digits and underscores, a letter first".to_owned());
        }
        if self.name == ENABLED {
            return Err("the host has a parameter of this name for every strategy: give it another name".to_owned());
        }
        let numeric = matches!(self.kind, ValueKind::Integer | ValueKind::Number);
        if !numeric && (self.min.is_some() || self.max.is_some()) {
            return Err("a range is for integers and numbers only".to_owned());
        }
        if self.kind != ValueKind::Text && !self.choices.is_empty() {
            return Err("choices are for texts only".to_owned());
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && (min > max || min.is_nan() || max.is_nan())
        {
            return Err(format!("its range from {min} to {max} is empty"));
        }
        match &self.default {
            Some(default) if default.kind() != self.kind || !self.holds(default) => {
                Err(format!("its default {} is not {}", default.to_json(), self.allowed()))
            }
            _ => Ok(()),
        }
    }
}

/// Values by name, sorted, so that equal values always have the same bytes.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Parameters(BTreeMap<String, Value>);

impl Parameters {
    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets the value of `name`.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        self.0.insert(name.into(), value);
    }

    /// Unsets `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// As a JSON object.
    pub fn to_json(&self) -> Json {
        Json::Object(self.0.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
    }

    /// The SHA-256 of the canonical JSON: sorted names, no whitespace, the shortest digits that parse back to the same
    /// number.
    pub fn hash(&self) -> ParameterHash {
        ParameterHash::of(self.to_json().to_string().as_bytes())
    }
}

impl FromIterator<(String, Value)> for Parameters {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// The parameters that a strategy lets an operator set, in the order of its description.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct ParameterSchema(Vec<ParameterSpec>);

impl ParameterSchema {
    /// Creates a schema from parameter declarations.
    pub const fn new(specs: Vec<ParameterSpec>) -> Self {
        Self(specs)
    }

    /// The declarations.
    pub fn specs(&self) -> &[ParameterSpec] {
        &self.0
    }

    /// The values that apply if nothing is set.
    pub fn defaults(&self) -> Parameters {
        self.0.iter().filter_map(|spec| Some((spec.name.clone(), spec.default.clone()?))).collect()
    }

    /// Reads a configuration. Returns all of it, or one problem for each invalid parameter.
    pub fn read(&self, given: &Map<String, Json>) -> Result<Parameters, Vec<ParameterProblem>> {
        let (parameters, problems) = self.read_what_fits(given);
        if problems.is_empty() { Ok(parameters) } else { Err(problems) }
    }

    /// Reads the valid parameters, and returns one problem for each invalid one. The host's own parameter is checked
    /// with them and is not among them.
    pub fn read_what_fits(&self, given: &Map<String, Json>) -> (Parameters, Vec<ParameterProblem>) {
        let mut parameters = Parameters::default();
        let mut problems = Vec::new();
        for (name, value) in given {
            if name == ENABLED {
                problems.extend(ParameterSpec::enabled().read(value).err());
                continue;
            }
            match self.0.iter().find(|spec| spec.name == *name).map(|spec| spec.read(value)) {
                Some(Ok(value)) => parameters.set(name.as_str(), value),
                Some(Err(problem)) => problems.push(problem),
                None => problems.push(self.unknown(name, value, problems.len())),
            }
        }
        (parameters, problems)
    }

    /// The problem of an unknown name, after `before` other problems.
    fn unknown(&self, name: &str, given: &Json, before: usize) -> ParameterProblem {
        let no = "no such parameter";
        let allowed = if before < MOST_TOLD { format!("{no}; there are {}", self.names()) } else { no.to_owned() };
        ParameterProblem::new(name, given, allowed, ProblemKind::Unknown)
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|spec| spec.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }
}

#[cfg(test)]
pub(crate) mod tests;
