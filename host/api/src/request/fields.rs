//! Reads the fields of a body or a query, and reports all problems in one response.

use std::{collections::HashSet, fmt::Display, ops::RangeInclusive, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query},
    http::{Uri, request::Parts},
};
use serde_json::{Map, Value};
use ta_bot_core::ModuleDigest;
use ta_bot_engine::support::store_error::{DEFAULT_LIST_LIMIT, LIST_LIMITS};

use crate::{
    error::ApiError,
    problem::{Problem, Problems},
};

/// Query parameters that every route takes, because neighbours of the service send them to some. `changed_by` and
/// `reason` count for every change that does not name them in its body; `side` means nothing here.
pub(crate) const TAKEN_EVERYWHERE: [&str; 3] = ["side", "changed_by", "reason"];

/// Fields that are read one by one. Problems are collected and reported at the end.
#[derive(Debug)]
pub(crate) struct Fields {
    given: Map<String, Value>,
    problems: Problems,
}

impl Fields {
    /// Wraps the given fields. Unknown names are refused, because a misspelt field would otherwise be silently ignored.
    pub(crate) fn new(given: Map<String, Value>, known: &[&str]) -> Result<Self, ApiError> {
        match given.keys().find(|name| !known.contains(&name.as_str())) {
            Some(field) => Err(ApiError::unknown_field(field, known)),
            None => Ok(Self { given, problems: Problems::default() }),
        }
    }

    pub(crate) fn refuse(&mut self, problem: Problem) {
        self.problems.add(problem);
    }

    /// Whether there have been no problems so far.
    pub(crate) fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    /// Takes a field out; null counts as absent.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.given.remove(name).filter(|value| !value.is_null())
    }

    /// Whether a field is given and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|value| !value.is_null())
    }

    /// Reads a field with `read`. If that fails, records a problem that says what is allowed.
    fn read<T>(&mut self, name: &str, allowed: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(name)?;
        let read = read(&value);
        if read.is_none() {
            self.refuse(Problem::new(name, &value, allowed));
        }
        read
    }

    /// A text of at most `max` characters.
    pub(crate) fn text(&mut self, name: &str, max: usize) -> Option<String> {
        let allowed = format!("a text of at most {max} characters");
        self.read(name, &allowed, |value| value.as_str().filter(|text| text.chars().count() <= max).map(str::to_owned))
    }

    /// A boolean; false if absent.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        self.read(name, "true or false", Value::as_bool).unwrap_or_default()
    }

    /// A version: a whole number that is not negative.
    pub(crate) fn version(&mut self, name: &str) -> Option<i64> {
        self.read(name, "a version, a whole number from 0", |value| value.as_i64().filter(|version| *version >= 0))
    }

    /// A number.
    pub(crate) fn number(&mut self, name: &str) -> Option<f64> {
        self.read(name, "a number", Value::as_f64)
    }

    /// A whole number in a body; `default` if absent.
    pub(crate) fn whole(&mut self, name: &str, range: &RangeInclusive<u32>, default: u32) -> u32 {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let read = |value: &Value| u32::try_from(value.as_u64()?).ok().filter(|number| range.contains(number));
        self.read(name, &allowed, read).unwrap_or(default)
    }

    /// A text that is parsed as `T`.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        let value = self.take(name)?;
        match value.as_str().map(str::parse) {
            Some(Ok(parsed)) => return Some(parsed),
            Some(Err(error)) => self.refuse(Problem::new(name, &value, T::Err::to_string(&error))),
            None => self.refuse(Problem::new(name, &value, "a text")),
        }
        None
    }

    /// Like [`parsed`](Self::parsed), for a field that must be given.
    pub(crate) fn required<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<T> {
        if !self.has(name) {
            self.refuse(Problem::new(name, &Value::Null, "this field is needed"));
        }
        self.parsed(name)
    }

    /// A list of texts that are parsed as `T`, with a problem for each one that can't be.
    pub(crate) fn list<T: FromStr<Err: Display>>(&mut self, name: &str) -> Option<Vec<T>> {
        let value = self.take(name)?;
        self.list_of(name, &value, "a list of texts")
    }

    /// Like [`list`](Self::list), for a value that was already taken out. `allowed` says what it may be.
    pub(crate) fn list_of<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        value: &Value,
        allowed: &str,
    ) -> Option<Vec<T>> {
        let Value::Array(texts) = value else {
            self.refuse(Problem::new(name, value, allowed));
            return None;
        };
        let mut read = Vec::with_capacity(texts.len());
        for text in texts {
            match text.as_str().map(str::parse) {
                Some(Ok(one)) => read.push(one),
                Some(Err(error)) => self.refuse(Problem::new(name, text, T::Err::to_string(&error))),
                None => self.refuse(Problem::new(name, text, allowed)),
            }
        }
        Some(read)
    }

    /// The module by which a list is filtered.
    pub(crate) fn module(&mut self) -> Option<ModuleDigest> {
        self.digest("module")
    }

    /// The digest of a module.
    pub(crate) fn digest(&mut self, name: &str) -> Option<ModuleDigest> {
        let allowed = "the SHA-256 of a module, 64 hex digits; GET /api/v1/strategies lists those that decide";
        self.read(name, allowed, |value| value.as_str()?.parse().ok())
    }

    /// The length limit of a list. It is read from a query, in which every value is a text.
    pub(crate) fn limit(&mut self) -> u32 {
        let allowed = format!("a whole number from {} to {}", LIST_LIMITS.start(), LIST_LIMITS.end());
        let read = |value: &Value| value.as_str()?.parse().ok().filter(|number| LIST_LIMITS.contains(number));
        self.read("limit", &allowed, read).unwrap_or(DEFAULT_LIST_LIMIT)
    }

    /// A position in the order in which signals were stored, in a query.
    pub(crate) fn sequence(&mut self, name: &str) -> Option<i64> {
        self.read(name, "the sequence of a signal, a whole number", |value| value.as_str()?.parse().ok())
    }

    /// Ends the reading: returns what was read, or all problems. `None` without a problem should not happen; it is
    /// refused too.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, ApiError> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(ApiError::Invalid(self.problems)),
        }
    }
}

/// The parameters of a query.
#[derive(Debug)]
pub(crate) struct QueryFields(Vec<(String, String)>);

impl QueryFields {
    /// The parameters as fields. A symbol that nobody gave may come from a proxy as an empty one.
    pub(crate) fn fields(self, known: &[&str]) -> Result<Fields, ApiError> {
        let is_left_out = |(name, value): &(String, String)| {
            TAKEN_EVERYWHERE.contains(&name.as_str()) || (name == "symbol" && value.is_empty())
        };
        let given = self.0.into_iter().filter(|parameter| !is_left_out(parameter));
        Fields::new(given.map(|(name, value)| (name, Value::String(value))).collect(), known)
    }

    /// Who makes a change, and why.
    pub(crate) fn author_fields(self) -> Result<Fields, ApiError> {
        const KNOWN: [&str; 2] = ["changed_by", "reason"];
        let given = self.0.into_iter().filter(|(name, _)| KNOWN.contains(&name.as_str()));
        Fields::new(given.map(|(name, value)| (name, Value::String(value))).collect(), &KNOWN)
    }

    /// The name of a parameter that is neither among `known` nor taken everywhere.
    pub(crate) fn unknown(&self, known: &[String]) -> Option<&str> {
        let is_known = |name: &&str| TAKEN_EVERYWHERE.contains(name) || known.iter().any(|known| known == name);
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| !is_known(name))
    }

    /// Reads the query of an address.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ApiError> {
        let read = Query::try_from_uri(uri).map_err(|rejection| ApiError::Malformed(rejection.body_text()));
        let Query(pairs): Query<Vec<(String, String)>> = read?;
        let mut names = HashSet::with_capacity(pairs.len());
        match pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
            // Whoever looks at a request before the service, such as a proxy, may believe the other of the two.
            Some((name, _)) => {
                let name: String = name.chars().take(100).collect();
                Err(ApiError::Malformed(format!("the query has {name:?} more than once: give it once")))
            }
            None => Ok(Self(pairs)),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use ta_bot_core::{Symbol, Timeframe};

    use super::*;

    fn fields(given: &Value) -> Result<Fields, ApiError> {
        Fields::new(given.as_object().unwrap().clone(), &["symbol", "timeframe", "publish", "version", "limit"])
    }

    #[test]
    fn every_problem_is_in_one_answer() {
        let given = json!({"symbol": "B", "publish": "yes", "version": -1, "limit": "0"});
        let mut fields = fields(&given).unwrap();
        let symbol: Option<Symbol> = fields.required("symbol");
        let timeframe: Option<Timeframe> = fields.required("timeframe");
        assert!(!fields.flag("publish") && fields.version("version").is_none());
        assert_eq!(fields.limit(), 100);
        let Err(ApiError::Invalid(problems)) = fields.finish(symbol.zip(timeframe)) else { panic!("was taken") };
        let problems = problems.named();
        let named: Vec<&str> = problems.iter().map(|problem| problem.parameter.as_str()).collect();
        assert_eq!(named, ["symbol", "timeframe", "publish", "version", "limit"]);
        assert_eq!(problems[4].allowed, "a whole number from 1 to 1000");
    }

    #[test]
    fn a_name_that_means_nothing_is_refused() {
        let told = fields(&json!({"symbl": "BTCUSDT"})).unwrap_err().to_string();
        assert!(told.contains("symbl") && told.contains("symbol, timeframe"), "{told}");
    }

    #[test]
    fn a_name_that_is_given_twice_is_refused() {
        let of = |query: &str| QueryFields::of(&format!("/x?{query}").parse().unwrap());
        assert!(of("symbol=BTCUSDT&limit=5&side=").is_ok() && of("").is_ok());
        for twice in ["limit=5&limit=5", "symbol=&limit=1&symbol=BTCUSDT", "limit=1&lim%69t=2"] {
            let told = of(twice).unwrap_err().to_string();
            assert!(told.contains("more than once") && told.contains("give it once"), "{told}");
        }
    }

    #[test]
    fn null_is_as_good_as_absent() {
        let mut fields = fields(&json!({"symbol": null, "publish": null})).unwrap();
        assert_eq!((fields.parsed::<Symbol>("symbol"), fields.flag("publish")), (None, false));
        assert!(fields.finish(Some(())).is_ok());
    }
}
