//! Which signals are published, by what they ask for.
//!
//! Every signal is stored and listed. Some readers understand a buy and a sell only, and take any other action for a
//! sale, so that a `hold` costs money: what they can't read is withheld.

use std::{collections::BTreeSet, fmt, str::FromStr};

use ta_bot_core::Action;
use thiserror::Error;

/// The actions whose signals are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedActions(BTreeSet<&'static str>);

/// Why a text is no list of actions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("give some of buy, sell, hold and close, separated by commas")]
pub struct ActionsError;

impl Default for PublishedActions {
    /// A buy and a sell.
    fn default() -> Self {
        Self([Action::Buy, Action::Sell].map(Action::as_str).into())
    }
}

impl FromStr for PublishedActions {
    type Err = ActionsError;

    fn from_str(text: &str) -> Result<Self, ActionsError> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let actions: Option<BTreeSet<_>> = names.map(|name| name.parse().ok().map(Action::as_str)).collect();
        actions.filter(|actions| !actions.is_empty()).map(Self).ok_or(ActionsError)
    }
}

impl fmt::Display for PublishedActions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().copied().collect::<Vec<_>>().join(","))
    }
}

impl PublishedActions {
    /// Whether signals of this action are published.
    pub fn includes(&self, action: &str) -> bool {
        self.0.contains(action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_published() {
        let default = PublishedActions::default();
        assert_eq!("buy, sell,".parse(), Ok(default.clone()));
        assert_eq!(["buy", "sell", "hold", "close"].map(|action| default.includes(action)), [true, true, false, false]);
        let all: PublishedActions = "close,hold,sell,buy".parse().unwrap();
        assert!(Action::ALL.iter().all(|action| all.includes(action.as_str())));
        for wrong in ["", ",", "buy,short", "BUY", "all"] {
            assert_eq!(wrong.parse::<PublishedActions>(), Err(ActionsError), "{wrong}");
        }
    }
}
