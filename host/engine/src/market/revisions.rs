//! Revisions on their way to the store: a candle that changed is counted and logged at once, and stored soon.
//!
//! Noting one never waits and never fails. While the store is away, the revisions wait in memory, and only those that
//! the store would not keep either are let go.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ta_bot_core::RevisionId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    market::revision_store::{KEPT, Numbers, Revision, RevisionFilter, RevisionStore},
    support::{backoff::Backoff, log_limit::LogLimit, metrics::Metrics, store_error::StoreError},
};

#[cfg(test)]
mod tests;

/// How many revisions one call of the store adds. Few, because the same writer commits signals.
const ADDED_AT_ONCE: usize = 512;
/// Pauses between tries while the store is away.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
/// How long the last try may take when the service stops.
const LAST_TRY: Duration = Duration::from_secs(5);

/// The revisions that this process noticed.
pub struct Revisions {
    store: Arc<dyn RevisionStore>,
    metrics: Arc<Metrics>,
    /// What is not surely in the store yet, oldest first.
    waiting: Mutex<VecDeque<Revision>>,
    noted: Notify,
    told: LogLimit,
}

impl Revisions {
    /// Creates a list in front of `store`, in which nothing waits.
    pub fn new(store: Arc<dyn RevisionStore>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics, waiting: Mutex::default(), noted: Notify::new(), told: LogLimit::default() }
    }

    /// Takes a revision: counts it, logs it, and has it stored. Whoever notices a change notes it once.
    pub fn note(&self, revision: Revision) {
        let Revision { symbol, timeframe, old, new, .. } = &revision;
        self.metrics.inputs.candles_revised.with_label_values(&[timeframe.as_str()]).inc();
        if let Some(withheld) = self.told.admit() {
            let (opened, old) = (revision.open_time(), Numbers::from(*old));
            let new = new.map_or_else(|| "no usable row".to_owned(), |candle| Numbers::from(candle).to_string());
            tracing::warn!(%symbol, %timeframe, %opened, %old, new, withheld, "a closed candle has changed");
        }
        let mut waiting = self.waiting();
        waiting.push_back(revision);
        if waiting.len() > KEPT as usize {
            waiting.pop_front();
        }
        drop(waiting);
        self.noted.notify_one();
    }

    /// The revisions that match the filter, newest first: what all replicas have stored, and what this one has yet to
    /// store.
    pub async fn list(&self, filter: &RevisionFilter) -> Result<Vec<Revision>, StoreError> {
        let waiting: Vec<Revision> =
            self.waiting().iter().rev().filter(|revision| filter.takes(revision)).cloned().collect();
        let stored = self.store.list(filter).await?;
        // What was stored meanwhile is in both.
        let mut known: HashSet<RevisionId> = stored.iter().map(Revision::id).collect();
        let new = waiting.into_iter().filter(|revision| known.insert(revision.id()));
        Ok(new.chain(stored).take(filter.limit as usize).collect())
    }

    /// Stores what waits. What the store does not take goes on waiting.
    pub async fn flush(&self) -> Result<(), StoreError> {
        loop {
            let some: Vec<Revision> = self.waiting().iter().take(ADDED_AT_ONCE).cloned().collect();
            if some.is_empty() {
                return Ok(());
            }
            self.store.add(&some).await?;
            let stored: HashSet<RevisionId> = some.iter().map(Revision::id).collect();
            self.waiting().retain(|revision| !stored.contains(&revision.id()));
        }
    }

    /// Stores revisions soon after they are noted, until `stop` is cancelled; then tries once more.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(self.noted.notified()).await.is_some() {
            let mut pauses = PAUSES;
            let mut is_told = false;
            while let Err(error) = self.flush().await {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::warn!(%error, "changes of candles can't be stored yet; trying again");
                }
                if stop.run_until_cancelled(tokio::time::sleep(pauses.pause())).await.is_none() {
                    break;
                }
            }
        }
        match tokio::time::timeout(LAST_TRY, self.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the newest changes of candles are not stored"),
            Err(_) => tracing::warn!("the newest changes of candles were not stored in time"),
        }
    }

    /// A poisoned lock is fine: each revision is added and removed as a whole.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Revision>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
