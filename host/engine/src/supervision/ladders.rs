//! The ladders of the modules that fail, as this replica sees them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ta_bot_core::{Job, Ladder, ModuleDigest, Step, StrategyId, Symbol, Thresholds, Timeframe};

use crate::modules::registry::Registry;

/// The ladder of each module that fails. A module loses it when it is put to work anew.
pub struct Ladders {
    thresholds: Thresholds,
    registry: Arc<Registry>,
    failing: Mutex<HashMap<ModuleDigest, Failing>>,
}

/// A module that fails.
struct Failing {
    strategy: StrategyId,
    /// The revision of the deployments' log from which its failures count.
    since: i64,
    ladder: Ladder,
}

impl Ladders {
    /// Creates the ladders of modules that have not failed yet. The log in `registry` says from when on failures count.
    pub fn new(thresholds: Thresholds, registry: Arc<Registry>) -> Self {
        Self { thresholds, registry, failing: Mutex::default() }
    }

    /// Whether the module may look at the candle.
    pub fn admits(&self, module: ModuleDigest, job: &Job) -> bool {
        match self.failing().get_mut(&module) {
            Some(failing) if self.counts(failing) => failing.ladder.admits(job),
            _ => true,
        }
    }

    /// Records that the strategy's module failed. Returns the revision from which its failures count, and the next
    /// step.
    pub fn failed(&self, strategy: &StrategyId, module: ModuleDigest, job: &Job) -> (i64, Step) {
        let begun = self.registry.log().begun(strategy);
        let begin = || Failing { strategy: strategy.clone(), since: begun, ladder: Ladder::new(self.thresholds) };
        let mut all = self.failing();
        let failing = all.entry(module).or_insert_with(begin);
        // A caller that read an older log does not reset a ladder that began later.
        if failing.since < begun {
            *failing = begin();
        }
        (failing.since, failing.ladder.failed(job))
    }

    /// Records that the module answered.
    pub fn succeeded(&self, module: ModuleDigest, job: &Job) {
        let mut all = self.failing();
        if let Some(failing) = all.get_mut(&module) {
            failing.ladder.succeeded(job);
            if failing.ladder.is_empty() {
                all.remove(&module);
            }
        }
    }

    /// The series on which the strategy is suspended, in order.
    pub fn suspended_on(&self, strategy: &StrategyId) -> Vec<(Symbol, Timeframe)> {
        let all = self.failing();
        let of_strategy = all.values().filter(|failing| failing.strategy == *strategy && self.counts(failing));
        let mut series: Vec<_> = of_strategy.flat_map(|failing| failing.ladder.suspended().cloned()).collect();
        series.sort();
        series.dedup();
        series
    }

    /// Every strategy, with the number of series on which it is suspended.
    pub fn suspended(&self) -> Vec<(StrategyId, usize)> {
        let strategies = self.registry.strategies();
        strategies.keys().map(|strategy| (strategy.clone(), self.suspended_on(strategy).len())).collect()
    }

    /// Whether the module has not been put to work anew since it failed.
    fn counts(&self, failing: &Failing) -> bool {
        failing.since >= self.registry.log().begun(&failing.strategy)
    }

    /// A poisoned lock is fine: a ladder is consistent after each of its steps.
    fn failing(&self) -> MutexGuard<'_, HashMap<ModuleDigest, Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
