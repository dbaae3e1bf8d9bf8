//! The invalid values of a request.

use serde::Serialize;
use serde_json::Value;
use ta_bot_core::{ParameterProblem, SettingProblem, in_short};
use utoipa::ToSchema;

/// How many problems a response lists. A body of one MiB may have half a million of them, and a response that lists
/// them all would be many times as large.
const MOST: usize = 100;

/// Why one value is refused.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The parameter; `*` if the values are refused in combination.
    pub(crate) parameter: String,
    /// The given value; null if none was given.
    pub(crate) given: Value,
    /// What is allowed.
    pub(crate) allowed: String,
}

/// The problems of one request, up to a limit.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    named: Vec<Problem>,
    /// How many more there are.
    more: usize,
}

impl Problem {
    pub(crate) fn new(parameter: &str, given: &Value, allowed: impl Into<String>) -> Self {
        Self { parameter: parameter.chars().take(100).collect(), given: in_short(given), allowed: allowed.into() }
    }
}

impl From<&ParameterProblem> for Problem {
    fn from(ParameterProblem { parameter, given, allowed, .. }: &ParameterProblem) -> Self {
        Self { parameter: parameter.clone(), given: given.clone(), allowed: allowed.clone() }
    }
}

impl From<&SettingProblem> for Problem {
    fn from(SettingProblem { parameter, given, allowed }: &SettingProblem) -> Self {
        Self::new(parameter, given, allowed.as_str())
    }
}

impl Problems {
    pub(crate) fn add(&mut self, problem: Problem) {
        if self.named.len() < MOST {
            self.named.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.named.is_empty()
    }

    /// The number of all problems, listed or not.
    pub(crate) const fn count(&self) -> usize {
        self.named.len() + self.more
    }

    /// The problems that are listed.
    pub(crate) fn named(&self) -> &[Problem] {
        &self.named
    }

    /// A suffix for the error message that says how many problems are not listed.
    pub(crate) fn remark(&self) -> String {
        match self.more {
            0 => String::new(),
            more => format!("; details has the first {MOST}, and there are {more} more"),
        }
    }
}

impl<P: Into<Problem>> FromIterator<P> for Problems {
    fn from_iter<I: IntoIterator<Item = P>>(problems: I) -> Self {
        let mut all = Self::default();
        problems.into_iter().for_each(|problem| all.add(problem.into()));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_hundred_are_named() {
        let problem = |number: usize| Problem::new("p", &number.into(), "less");
        let few: Problems = (0..MOST).map(problem).collect();
        assert_eq!((few.count(), few.remark().as_str()), (100, ""));
        let many: Problems = (0..100_000).map(problem).collect();
        assert_eq!((many.count(), many.named().len()), (100_000, 100));
        assert_eq!(many.named()[99].given, 99);
        assert!(many.remark().contains("99900 more"), "{}", many.remark());
    }
}
