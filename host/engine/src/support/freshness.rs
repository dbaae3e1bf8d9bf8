//! Tracks how far the content of a book can be trusted: whether it was ever read, and since when it may be older than
//! what is stored.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use ta_bot_core::Timestamp;

use crate::support::store_error::StoreError;

/// The state of a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    is_known: AtomicBool,
    /// In milliseconds since the epoch; 0 while the snapshot is fresh.
    stale_since: AtomicI64,
}

impl Freshness {
    /// Notes that the store was read.
    pub(crate) fn succeeded(&self) {
        self.stale_since.store(0, Ordering::Relaxed);
        self.is_known.store(true, Ordering::Release);
    }

    /// Notes that the store could not be read. Only the first failure sets the moment.
    pub(crate) fn failed(&self, now: Timestamp) {
        let _ = self.stale_since.compare_exchange(0, now.millis(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes that the file was read instead of the store. The file holds what was stored at `read_at`.
    pub(crate) fn taken_over(&self, read_at: Timestamp) {
        self.stale_since.store(read_at.millis(), Ordering::Relaxed);
        self.is_known.store(true, Ordering::Release);
    }

    /// Whether any configuration was read.
    pub(crate) fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Acquire)
    }

    /// Returns an error of `store` if no configuration was read.
    pub(crate) fn known(&self, store: &'static str) -> Result<(), StoreError> {
        if self.is_known() {
            return Ok(());
        }
        let reason = "it could not be read since the start, and no configuration is known from before".to_owned();
        Err(StoreError::Unavailable { store, reason })
    }

    /// The moment since which the snapshot may be older than what is stored.
    pub(crate) fn stale_since(&self) -> Option<Timestamp> {
        let since = self.stale_since.load(Ordering::Relaxed);
        (since != 0).then(|| Timestamp::from_millis(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_counts_and_a_success_ends_it() {
        let at = Timestamp::from_millis;
        let state = Freshness::default();
        assert!(state.known("mongodb").is_err());
        state.failed(at(10));
        state.failed(at(20));
        assert_eq!((state.stale_since(), state.is_known()), (Some(at(10)), false));
        state.taken_over(at(5));
        state.failed(at(30));
        assert_eq!((state.stale_since(), state.known("mongodb").is_ok()), (Some(at(5)), true));
        state.succeeded();
        assert_eq!((state.stale_since(), state.is_known()), (None, true));
    }
}
