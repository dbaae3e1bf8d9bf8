//! One round: removes what is too old, kind by kind, a few rows at a time.
//!
//! A commit must not wait for that. So each batch is a short transaction, batches become smaller if they take long, and
//! after each the store has several times as long for others. A batch that fails ends its kind until the next round.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::Timestamp;

use super::{
    kind::{Keep, Kind},
    store::{Prunable, RetentionStore, Stored},
};
use crate::support::{metrics::Metrics, store_error::StoreError};

/// The most rows that are counted of what would go.
pub const MOST_COUNTED: u32 = 1_000_000;

/// Returns the names of readers of signals. They may change at any time.
pub type Readers = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// Removes what is too old.
pub struct Pruner {
    /// What keeps something.
    pub kept: Vec<Arc<dyn Prunable>>,
    /// The signals, and who reads them; `None` for what lies on the disk of this replica.
    pub signals: Option<Arc<dyn RetentionStore>>,
    /// Returns the names of the readers of signals that are expected to come again; `None` if they are not known.
    pub readers: Option<Readers>,
    /// How long each kind is kept.
    pub keep: Keep,
    /// The metrics.
    pub metrics: Arc<Metrics>,
}

/// What a round did, or would do, with a kind.
#[derive(Debug, Clone)]
pub struct Done {
    /// The kind.
    pub kind: Kind,
    /// For how many days it is kept; `None` means for ever.
    pub days: Option<u32>,
    /// What is older goes; `None` means that nothing goes.
    pub before: Option<Timestamp>,
    /// How many rows or files were removed, or would be.
    pub rows: u64,
    /// How much there is afterwards.
    pub stored: Stored,
    /// Why it could not be done to its end.
    pub error: Option<StoreError>,
}

impl Pruner {
    /// Removes what is too old as of `now`, for as long as `may_go_on` says so.
    pub async fn round(&self, now: Timestamp, may_go_on: impl Fn() -> bool + Send + Sync) -> Vec<Done> {
        let mut done = Vec::with_capacity(Kind::ALL.len());
        self.forget_readers(now).await;
        for (kind, kept) in self.kinds() {
            if !may_go_on() {
                break;
            }
            let before = self.keep.before(kind, now);
            let (mut rows, mut error) = (0, None);
            if let Some(before) = before {
                error = self.remove(&**kept, kind, before, &mut rows, &may_go_on).await.err();
            }
            if let Some(error) = &error {
                tracing::warn!(%kind, %error, rows, "what is too old can't be removed; the next round tries again");
            } else if rows > 0 {
                tracing::info!(%kind, rows, "removed what was too old");
            }
            done.push(self.after(&**kept, kind, rows, error).await.dated(before));
        }
        let has_failed = done.iter().any(|done| done.error.is_some());
        self.metrics.retention.round(self.signals.is_some(), has_failed);
        done
    }

    /// Says what a round would remove as of `now`. Changes nothing.
    pub async fn look(&self, now: Timestamp) -> Vec<Done> {
        let mut done = Vec::with_capacity(Kind::ALL.len());
        for (kind, kept) in self.kinds() {
            let before = self.keep.before(kind, now);
            let due = match before {
                Some(before) => kept.due(kind, before, MOST_COUNTED).await,
                None => Ok(0),
            };
            let (rows, error) = due.map_or_else(|error| (0, Some(error)), |rows| (rows, None));
            done.push(self.after(&**kept, kind, rows, error).await.dated(before));
        }
        done
    }

    /// Forgets how much there is, since another process measures that from now on.
    pub fn forget_measured(&self) {
        self.kinds().for_each(|(kind, _)| self.metrics.retention.forget(kind.as_str()));
    }

    /// Each kind with what keeps it, in the order of the kinds.
    fn kinds(&self) -> impl Iterator<Item = (Kind, &Arc<dyn Prunable>)> {
        Kind::ALL.into_iter().filter_map(|kind| {
            let kept = self.kept.iter().find(|kept| kept.kinds().contains(&kind))?;
            Some((kind, kept))
        })
    }

    async fn remove(
        &self,
        kept: &dyn Prunable,
        kind: Kind,
        before: Timestamp,
        rows: &mut u64,
        may_go_on: &(impl Fn() -> bool + Send + Sync),
    ) -> Result<(), StoreError> {
        let mut pace = Pace::default();
        while may_go_on() {
            let begun = Instant::now();
            let removed = kept.prune(kind, before, pace.rows).await?;
            *rows += removed;
            self.metrics.retention.removed(kind.as_str(), removed);
            if removed == 0 {
                break;
            }
            tokio::time::sleep(pace.after(begun.elapsed())).await;
        }
        Ok(())
    }

    /// How much there is of a kind. If that can't be known, that is the error, unless there was one already.
    async fn after(&self, kept: &dyn Prunable, kind: Kind, rows: u64, error: Option<StoreError>) -> Done {
        let (stored, failed) = match kept.stored(kind).await {
            Ok(stored) => (stored, None),
            Err(error) => (Stored::default(), Some(error)),
        };
        self.metrics.retention.stored(kind.as_str(), stored.rows, stored.bytes, stored.oldest);
        Done { kind, days: self.keep.days(kind), before: None, rows, stored, error: error.or(failed) }
    }

    /// Forgets readers of signals that nobody expects any more, and that have not come on for as long as signals are
    /// kept. Otherwise they would keep signals for ever.
    async fn forget_readers(&self, now: Timestamp) {
        let Some((readers, before)) = self.readers.as_ref().zip(self.keep.before(Kind::Signals, now)) else { return };
        let Some(signals) = &self.signals else { return };
        match signals.forget_readers(&readers(), before).await {
            Ok(forgotten) if forgotten.is_empty() => {}
            Ok(forgotten) => {
                let names = forgotten.join(", ");
                tracing::info!(names, "forgot readers of signals that are configured no more");
            }
            Err(error) => {
                tracing::warn!(%error, "readers that are gone can't be forgotten; the next round tries again");
            }
        }
    }
}

impl Done {
    fn dated(self, before: Option<Timestamp>) -> Self {
        Self { before, ..self }
    }
}

/// How many rows a batch removes.
struct Pace {
    rows: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self { rows: Self::FEWEST * 2 }
    }
}

impl Pace {
    const FEWEST: u32 = 50;
    const MOST: u32 = 500;
    /// A batch that takes less makes the next one larger.
    const QUICK: Duration = Duration::from_millis(20);
    /// A batch that takes longer makes the next one smaller.
    const SLOW: Duration = Duration::from_millis(60);
    /// How many times as long as a batch took the store has for others.
    const PAUSE: u32 = 4;
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Takes how long a batch took, and returns how long to wait before the next one.
    fn after(&mut self, took: Duration) -> Duration {
        if took < Self::QUICK {
            self.rows = (self.rows * 2).min(Self::MOST);
        } else if took > Self::SLOW {
            self.rows = (self.rows / 2).max(Self::FEWEST);
        }
        took.saturating_mul(Self::PAUSE).clamp(Self::SHORTEST, Self::LONGEST)
    }
}

#[cfg(test)]
mod tests;
