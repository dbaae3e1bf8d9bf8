//! What the log of deployments still needs of modules.

use std::collections::BTreeSet;

use super::{DeploymentEntry, DeploymentLog, RECENT};
use crate::{ModuleDigest, StrategyId, Timestamp};

impl DeploymentLog {
    /// The newest entry of each strategy that still needs a module: one of the newest few, to which candles to come may
    /// belong, or the one that the strategy would be rolled back to.
    pub fn needing(&self, module: ModuleDigest) -> Vec<&DeploymentEntry> {
        let of = |entries: &'_ Vec<DeploymentEntry>| {
            let names = |index: &usize| entries[*index].change.deployment.modules().any(|named| named == module);
            (0..entries.len()).rev().find(|index| is_needed(entries, *index) && names(index))
        };
        self.strategies.values().filter_map(|entries| of(entries).map(|index| &entries[index])).collect()
    }

    /// The modules that a strategy still needs, and those that decided or looked on at some time since `moment`.
    pub fn modules_since(&self, moment: Timestamp) -> BTreeSet<ModuleDigest> {
        let of = |entries: &'_ Vec<DeploymentEntry>| {
            let held = |index: &usize| entries.get(index + 1).is_none_or(|next| next.change.at >= moment);
            let wanted = (0..entries.len()).filter(|index| is_needed(entries, *index) || held(index));
            wanted.flat_map(|index| entries[index].change.deployment.modules()).collect::<Vec<_>>()
        };
        self.strategies.values().flat_map(of).collect()
    }

    /// The strategies for which a module decided at some time.
    pub fn decided_by(&self, module: ModuleDigest) -> Vec<&StrategyId> {
        let decided = |entry: &DeploymentEntry| entry.change.deployment.module == Some(module);
        let strategies = self.strategies.iter().filter(|(_, entries)| entries.iter().any(decided));
        strategies.map(|(strategy, _)| strategy).collect()
    }
}

/// Whether one of a strategy's entries is among the newest few, or the one that it would be rolled back to.
fn is_needed(entries: &[DeploymentEntry], index: usize) -> bool {
    let module = |entry: &DeploymentEntry| entry.change.deployment.module;
    let current = entries.last().map(module);
    let target = entries.iter().rposition(|entry| Some(module(entry)) != current);
    index + RECENT >= entries.len() || target == Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Deployment, DeploymentAction, DeploymentChange, Shadow};

    const fn module(number: u8) -> ModuleDigest {
        ModuleDigest::from_bytes([number; 32])
    }

    /// A log of one strategy with an entry for each pair of a deciding module and one that looks on.
    fn log(entries: &[(u8, Option<u8>)]) -> DeploymentLog {
        let shadow = |number| Shadow { module: module(number), promote: None, unadmitted: false };
        let mut log = DeploymentLog::default();
        log.extend(entries.iter().zip(1..).map(|((deciding, looking), revision)| DeploymentEntry {
            revision,
            from: Timestamp::from_millis(revision * 10),
            change: DeploymentChange {
                strategy: "rsi".parse().unwrap(),
                action: DeploymentAction::Activate,
                deployment: Deployment {
                    module: Some(module(*deciding)),
                    shadow: looking.map(shadow),
                    ..Deployment::default()
                },
                changed_by: "ann".to_owned(),
                claimed_by: None,
                reason: None,
                at: Timestamp::from_millis(revision * 10),
            },
        }));
        log
    }

    #[test]
    fn what_a_strategy_can_be_rolled_back_to_is_needed_however_long_ago_it_decided() {
        let log = log(&[(1, Some(9)), (2, None), (3, None), (3, Some(4)), (3, None), (3, None), (3, None)]);
        let needing = |number| log.needing(module(number)).first().map(|entry| entry.revision);
        assert_eq!([1, 2, 3, 4, 9].map(needing), [None, Some(2), Some(7), None, None]);
    }

    #[test]
    fn modules_of_a_time_are_those_that_had_not_been_followed_by_then() {
        let log = log(&[(1, Some(9)), (2, None), (3, None), (3, Some(4)), (3, None), (3, None), (3, None)]);
        let since = |moment| log.modules_since(Timestamp::from_millis(moment));
        let modules = |numbers: &[u8]| numbers.iter().map(|number| module(*number)).collect::<BTreeSet<_>>();
        assert_eq!(since(20), modules(&[1, 2, 3, 4, 9]), "the first was followed at 20");
        assert_eq!(since(21), modules(&[2, 3, 4]));
        assert_eq!(since(1000), modules(&[2, 3]));
    }

    #[test]
    fn strategies_are_found_by_a_module_that_decided_at_some_time() {
        let log = log(&[(1, Some(9)), (2, None)]);
        assert_eq!(log.decided_by(module(1)), [&"rsi".parse().unwrap()]);
        assert!(log.decided_by(module(9)).is_empty(), "it only looked on");
    }
}
