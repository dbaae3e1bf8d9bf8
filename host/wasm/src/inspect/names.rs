//! Names out of a component, few and short enough to be repeated.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many names are repeated. A hostile component may import a hundred thousand.
const MOST_NAMED: usize = 10;
/// How many characters of each name are repeated.
const NAME_CHARS: usize = 100;

/// The first few of many names, each cut to what fits on a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    told: Vec<String>,
    /// How many more there are.
    more: usize,
}

impl Names {
    /// The first few of `names`.
    pub(crate) fn of(names: &[String]) -> Self {
        let told = names.iter().take(MOST_NAMED).map(|name| name.chars().take(NAME_CHARS).collect());
        Self { told: told.collect(), more: names.len().saturating_sub(MOST_NAMED) }
    }

    /// The names that are told.
    pub fn told(&self) -> &[String] {
        &self.told
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.told.is_empty(), self.more) {
            (true, _) => f.write_str("nothing"),
            (false, 0) => f.write_str(&self.told.join(", ")),
            (false, more) => write!(f, "{}, {more} more", self.told.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_told_and_the_rest_is_counted() {
        let names: Vec<String> = (0..5000).map(|index| format!("{index}{}", "x".repeat(200))).collect();
        let told = Names::of(&names).to_string();
        assert!(told.len() < 1500 && told.ends_with("4990 more"), "{told}");
        assert_eq!(Names::of(&[]).to_string(), "nothing");
    }
}
