//! Compares the signals that count as published with those that the bus holds.
//!
//! A bus that acknowledges a signal may still lose it: its disk fails before the message is synced, a stream throws old
//! messages away, or somebody deletes it.

use ta_bot_core::{SignalId, Timestamp};
use thiserror::Error;

use crate::{
    signals::{
        bus::{Bus, BusError, Outgoing},
        outbox::{Outbox, SignalFilter, StoredSignal},
        subject::SignalSubject,
    },
    support::store_error::StoreError,
};

/// How many signals are read at a time.
const PAGE: u32 = 1000;
/// How much longer back the bus is read than the store: the clocks of both may differ by that.
const SLACK_MS: i64 = 3_600_000;

/// Why signals could not be compared.
#[derive(Debug, Error)]
pub enum VerificationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// What the bus holds of the signals that count as published.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// How many signals were committed since the moment that was given, and count as published.
    pub published: usize,
    /// Those of them that the bus does not hold, in the order of their commits.
    pub missing: Vec<StoredSignal>,
}

/// Compares the signals that were committed since a moment; `None` if the bus holds none for readers that come later.
pub async fn verify(
    outbox: &dyn Outbox,
    bus: &dyn Bus,
    since: Timestamp,
) -> Result<Option<Verified>, VerificationError> {
    // Before the bus is read: what counts as published then is in it already.
    let published = published(outbox, since).await?;
    let Some(kept) = bus.kept_since(since.plus_millis(-SLACK_MS)).await? else { return Ok(None) };
    let mut missing = Vec::new();
    for id in published.iter().rev().filter(|id| !kept.contains(id.as_str())) {
        missing.extend(outbox.signal(id).await?);
    }
    Ok(Some(Verified { published: published.len(), missing }))
}

/// The ids of the published signals that were committed since a moment, newest first.
async fn published(outbox: &dyn Outbox, since: Timestamp) -> Result<Vec<SignalId>, StoreError> {
    let mut ids = Vec::new();
    let mut filter = SignalFilter { limit: PAGE, ..SignalFilter::default() };
    loop {
        let page = outbox.signals(&filter).await?;
        let current: Vec<&StoredSignal> = page.iter().filter(|signal| signal.created_at >= since).collect();
        let published = current.iter().filter(|signal| signal.published_at.is_some());
        ids.extend(published.filter_map(|signal| signal.id.parse::<SignalId>().ok()));
        match page.last() {
            Some(oldest) if !current.is_empty() && page.len() == PAGE as usize => filter.before = Some(oldest.sequence),
            _ => return Ok(ids),
        }
    }
}

/// Sends a signal again that the bus has lost. Whoever saw it before sees it again.
pub async fn publish_again(bus: &dyn Bus, subject: &SignalSubject, signal: &StoredSignal) -> Result<(), BusError> {
    let subject = subject.of(&signal.strategy, &signal.symbol, signal.timeframe);
    bus.publish_again(Outgoing { subject, id: signal.id.clone(), payload: signal.message.clone() }).await
}
