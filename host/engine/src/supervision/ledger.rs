//! Sums up what evaluations cost and adds it to the store.
//!
//! Each replica sums up in memory what the evaluations of its jobs took, by hour, strategy, module and symbol. It adds
//! the sums to the store once a minute and when it stops. An entry takes about 150 bytes, and a growing table up to
//! twice as much: a thousand symbols and thirty strategies are 30,000 entries, about 10 MB. While the store is
//! unavailable the entries wait. At most [`MOST_ENTRIES`] can wait; costs that find no room are lost, and counted.
//!
//! If a store fails without saying whether it added the entries, they are added again. Costs may then count twice, but
//! they are never lost.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ta_bot_core::{Symbol, Timestamp};
use tokio::sync::RwLock;
use tokio_util::sync::CancellationToken;

use crate::{
    evaluation::{Outcome, StrategyOutcome},
    supervision::costs::{Cost, CostBy, CostEntry, CostFilter, CostGroup, CostKey, CostStore, hour_of},
    support::{metrics::Metrics, store_error::StoreError},
};

#[cfg(test)]
mod tests;

/// How often the measured costs are added to the store.
pub const FLUSH_PAUSE: Duration = Duration::from_mins(1);
/// The largest number of entries that may wait to be added.
pub const MOST_ENTRIES: usize = 200_000;
/// How many entries one transaction adds. Few, because the same writer commits signals.
const ADDED_AT_ONCE: usize = 512;
/// How long the last addition may take when the service stops.
const LAST_TRY: Duration = Duration::from_secs(5);

type Entries = HashMap<(Timestamp, CostKey), Cost>;

/// The costs that this process measured, on their way to the store.
pub struct Ledger {
    /// What was measured but is not in the store yet.
    open: Mutex<Entries>,
    store: Arc<dyn CostStore>,
    metrics: Arc<Metrics>,
    /// Held while entries are on their way: they are no longer in `open`, and not yet surely in the store.
    settled: RwLock<()>,
}

impl Ledger {
    /// Creates an empty ledger.
    pub fn new(store: Arc<dyn CostStore>, metrics: Arc<Metrics>) -> Self {
        Self { open: Mutex::default(), store, metrics, settled: RwLock::default() }
    }

    /// Records the evaluations of one candle of `symbol`, which ended `at` this moment.
    pub fn record(&self, symbol: &Symbol, outcomes: &[StrategyOutcome], at: Timestamp) {
        let hour = hour_of(at);
        let costs: Vec<_> =
            outcomes.iter().filter_map(|outcome| Some((hour, key(symbol, outcome), cost(outcome)?))).collect();
        self.take(costs);
    }

    /// Adds the measured costs to the store. Entries that the store does not accept wait for the next call.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let _settled = self.settled.write().await;
        let taken = std::mem::take(&mut *self.open());
        let entries: Vec<CostEntry> =
            taken.into_iter().map(|((hour, key), cost)| CostEntry { hour, key, cost }).collect();
        for (index, piece) in entries.chunks(ADDED_AT_ONCE).enumerate() {
            if let Err(error) = self.store.add(piece).await {
                let rest = entries.into_iter().skip(index * ADDED_AT_ONCE);
                self.take(rest.map(|CostEntry { hour, key, cost }| (hour, key, cost)));
                return Err(error);
            }
        }
        Ok(())
    }

    /// Returns the sum of each group, the most expensive first: what all replicas have added, plus what this one has
    /// yet to add.
    pub async fn sums(&self, filter: &CostFilter, by: CostBy) -> Result<Vec<(CostGroup, Cost)>, StoreError> {
        let _settled = self.settled.read().await;
        let mut sums: HashMap<CostGroup, Cost> = self.store.sums(filter, by).await?.into_iter().collect();
        for ((hour, key), cost) in &*self.open() {
            if filter.takes(*hour, key) {
                sums.entry(by.group(key)).or_default().add(cost);
            }
        }
        let mut sums: Vec<(CostGroup, Cost)> = sums.into_iter().collect();
        sums.sort_by(|(group, cost), (other, others)| others.total.cmp(&cost.total).then_with(|| group.cmp(other)));
        Ok(sums)
    }

    /// Adds the measured costs to the store after each `pause`, and once more when `stop` is cancelled.
    pub async fn run(self: Arc<Self>, pause: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "costs can't be stored yet; trying again");
            }
        }
        match tokio::time::timeout(LAST_TRY, self.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the costs of the last minute are lost"),
            Err(_) => tracing::warn!("the costs of the last minute were not stored in time"),
        }
    }

    fn take(&self, costs: impl IntoIterator<Item = (Timestamp, CostKey, Cost)>) {
        let mut open = self.open();
        for (hour, key, cost) in costs {
            let has_room = open.len() < MOST_ENTRIES;
            match open.get_mut(&(hour, key.clone())) {
                Some(sum) => sum.add(&cost),
                None if has_room => {
                    open.insert((hour, key), cost);
                }
                None => self.metrics.costs.lost(cost.evaluations),
            }
        }
    }

    /// A poisoned lock is fine: the sums are consistent after each addition.
    fn open(&self) -> MutexGuard<'_, Entries> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(symbol: &Symbol, outcome: &StrategyOutcome) -> CostKey {
    CostKey { strategy: outcome.strategy.clone(), module: outcome.digest, symbol: symbol.clone() }
}

/// What an evaluation cost; `None` if the strategy did not run.
fn cost(outcome: &StrategyOutcome) -> Option<Cost> {
    let StrategyOutcome { outcome, duration, usage, .. } = outcome;
    if duration.is_zero() {
        return None;
    }
    Some(Cost {
        evaluations: 1,
        signals: matches!(outcome, Outcome::Signal(_)).into(),
        failures: matches!(outcome, Outcome::Error(error) if error.is_failure()).into(),
        total: *duration,
        longest: *duration,
        peak_memory: usage.memory_bytes,
        bytes_in: usage.bytes_in,
        bytes_out: usage.bytes_out,
    })
}
