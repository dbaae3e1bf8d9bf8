//! Keeps the books of what evaluations cost.
//!
//! Each replica sums up in memory what its jobs' evaluations took, by hour, strategy, module and symbol, and adds that to
//! the store once a minute and when it ends. An entry takes some 150 bytes, and a table up to twice as much while it
//! grows: a thousand symbols and thirty strategies are 30,000 entries, about 10 MB. Where the store is away they wait; there
//! are [`MOST_ENTRIES`] at most, and what finds no room is lost, and counted.
//!
//! Where a store fails without a word whether it has added, it is asked to add again, so that costs may then count twice,
//! and never not at all.

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
    supervision::costs::{Cost, CostBy, CostEntry, CostFilter, CostGroup, CostKey, CostStore, KEPT_DAYS, hour_of},
    support::{metrics::Metrics, store_error::StoreError},
};

#[cfg(test)]
mod tests;

/// How often what was measured is added to the store.
pub const FLUSH_PAUSE: Duration = Duration::from_mins(1);
/// How many entries may wait to be added.
pub const MOST_ENTRIES: usize = 200_000;
/// How many entries one transaction adds: few, since signals are committed by the same writer.
const ADDED_AT_ONCE: usize = 512;
/// How long the last addition may take when the service ends.
const LAST_TRY: Duration = Duration::from_secs(5);
const DAY_MS: i64 = 86_400_000;

type Entries = HashMap<(Timestamp, CostKey), Cost>;

/// What this process measured, on its way to the store.
pub struct Ledger {
    /// What was measured and is not in the store yet.
    open: Mutex<Entries>,
    store: Arc<dyn CostStore>,
    metrics: Arc<Metrics>,
    /// Held while entries are on their way, when they are neither here nor surely there.
    settled: RwLock<()>,
}

impl Ledger {
    /// A ledger that has seen nothing yet.
    pub fn new(store: Arc<dyn CostStore>, metrics: Arc<Metrics>) -> Self {
        Self { open: Mutex::default(), store, metrics, settled: RwLock::default() }
    }

    /// Takes note of the evaluations of a candle of `symbol` that ended `at` this moment.
    pub fn record(&self, symbol: &Symbol, outcomes: &[StrategyOutcome], at: Timestamp) {
        let hour = hour_of(at);
        let costs: Vec<_> =
            outcomes.iter().filter_map(|outcome| Some((hour, key(symbol, outcome), cost(outcome)?))).collect();
        self.take(costs);
    }

    /// Adds what was measured to the store. What the store does not take waits for the next time.
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

    /// The sum of each group, the most expensive first: what all replicas have added, and what this one has yet to add.
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

    /// Adds what was measured to the store after each `pause`, and once more when it is to stop.
    pub async fn run(self: Arc<Self>, pause: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let kept = async {
                self.flush().await?;
                self.store.forget(Timestamp::now().plus_millis(-KEPT_DAYS * DAY_MS)).await
            };
            match kept.await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "costs of more than {KEPT_DAYS} days ago are forgotten"),
                Err(error) => tracing::warn!(%error, "what evaluations cost can't be kept yet; it is tried again"),
            }
        }
        match tokio::time::timeout(LAST_TRY, self.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "what evaluations cost in the last minute is lost"),
            Err(_) => tracing::warn!("what evaluations cost in the last minute was not kept in time"),
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

    /// Sums are sound after each addition, also where somebody panicked who held them.
    fn open(&self) -> MutexGuard<'_, Entries> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(symbol: &Symbol, outcome: &StrategyOutcome) -> CostKey {
    CostKey { strategy: outcome.strategy.clone(), module: outcome.digest, symbol: symbol.clone() }
}

/// What an evaluation cost; none where the strategy was not asked.
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
