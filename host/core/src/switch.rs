//! The switch of a strategy: whether operators let it run.
//!
//! It is the host's own parameter `enabled`. It is stored beside the strategy's parameters and inherited like them, and
//! the strategy never sees it: it is in no hash, in no signal's id and in none of the strategy's checks. So pausing a
//! strategy changes nothing about the signals that it makes while it runs.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::{Symbol, parameters::ENABLED, resolved::Level};

/// What a level says about running.
#[derive(Debug, Clone, PartialEq)]
pub enum SwitchState {
    /// The strategy runs.
    On,
    /// The strategy is paused.
    Off,
    /// Neither can be read from what is stored, so the strategy must not run: somebody may have wanted to pause it.
    Unreadable(Json),
}

/// Whether a strategy runs, and which level says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Switch {
    /// Whether it runs.
    pub state: SwitchState,
    /// The nearest level that says so.
    pub level: Level,
}

/// Everything that the levels of a strategy say about running.
#[derive(Debug, Clone, PartialEq)]
pub struct Switches {
    /// Whether it runs on symbols whose own level says nothing.
    pub all: SwitchState,
    /// The symbols whose own level says it.
    pub symbols: BTreeMap<Symbol, SwitchState>,
}

impl SwitchState {
    /// Reads a stored value.
    pub fn read(stored: &Json) -> Self {
        match stored {
            Json::Bool(true) => Self::On,
            Json::Bool(false) => Self::Off,
            other => Self::Unreadable(other.clone()),
        }
    }

    /// Whether the strategy runs; `None` if that can't be read.
    pub const fn enabled(&self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::Unreadable(_) => None,
        }
    }

    /// What is wrong with what is stored, and what to do.
    pub fn problem(&self) -> Option<String> {
        let Self::Unreadable(stored) = self else { return None };
        let stored = crate::in_short(stored);
        Some(format!("the stored parameter {ENABLED} is {stored}: set it to true or false"))
    }
}

impl Switch {
    /// The switch of a symbol, by what the global level and the symbol's own level store.
    pub fn resolve(global: Option<&Json>, symbol: Option<&Json>) -> Self {
        let (state, level) = match (symbol, global) {
            (Some(stored), _) => (SwitchState::read(stored), Level::Symbol),
            (None, Some(stored)) => (SwitchState::read(stored), Level::Global),
            (None, None) => (SwitchState::On, Level::Default),
        };
        Self { state, level }
    }
}

/// Splits what a level stores into the strategy's parameters and the switch.
pub fn split_switch(mut stored: Map<String, Json>) -> (Map<String, Json>, Option<Json>) {
    let switch = stored.remove(ENABLED);
    (stored, switch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_nearest_level_that_says_it_counts() {
        let (yes, no) = (json!(true), json!(false));
        let of = |global, symbol| {
            let switch = Switch::resolve(global, symbol);
            (switch.state.enabled(), switch.level)
        };
        assert_eq!(of(None, None), (Some(true), Level::Default));
        assert_eq!(of(Some(&no), None), (Some(false), Level::Global));
        assert_eq!(of(Some(&no), Some(&yes)), (Some(true), Level::Symbol));
        assert_eq!(of(Some(&yes), Some(&no)), (Some(false), Level::Symbol));
    }

    #[test]
    fn what_is_neither_true_nor_false_does_not_run() {
        for odd in [json!("false"), json!(0), json!(null), json!([true]), json!("true")] {
            let switch = Switch::resolve(Some(&odd), None);
            assert_eq!(switch.state.enabled(), None, "{odd}");
            let problem = switch.state.problem().unwrap();
            assert!(problem.contains(&odd.to_string()) && problem.contains("true or false"), "{problem}");
            assert_eq!(Switch::resolve(Some(&odd), Some(&json!(true))).state, SwitchState::On);
        }
        assert_eq!(SwitchState::Off.problem(), None);
    }

    #[test]
    fn the_switch_is_none_of_the_strategys_parameters() {
        let stored = json!({"period": 9, "enabled": false}).as_object().unwrap().clone();
        let (parameters, switch) = split_switch(stored);
        assert_eq!((Json::Object(parameters), switch), (json!({"period": 9}), Some(json!(false))));
    }
}
