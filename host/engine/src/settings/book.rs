//! What a replica knows of something that is stored: a snapshot that evaluations read, and how it follows the store.
//!
//! Evaluations read the snapshot, so a candle costs no query, and evaluations go on while the store is away. A write
//! goes to the store first. The snapshot follows: here at once, and on other replicas by notice or by the cache's time
//! to live.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use ta_bot_core::Timestamp;
use tokio::sync::Mutex;

use crate::{
    settings::{
        config_store::ConfigStore,
        last_known::{LastKnown, Read},
    },
    support::{freshness::Freshness, store_error::StoreError},
};

/// What a book holds.
#[async_trait]
pub(super) trait Contents: Send + Sync + Sized {
    /// What the store has.
    type Stored: Send + Sync;
    /// The word for it in the log.
    const NAME: &'static str;

    /// Reads all of it.
    async fn read(store: &dyn ConfigStore) -> Result<Self::Stored, StoreError>;

    /// What the file holds of it, for a start without the store.
    async fn last_known(file: &LastKnown) -> Option<Read<Self::Stored>>;

    /// Keeps in the file what was read.
    async fn keep(stored: &Self::Stored, file: &LastKnown);

    /// The contents for what is stored now; `None` if they are the same as these.
    fn replaced(&self, stored: &Self::Stored) -> Option<Self>;
}

/// A snapshot of what is stored.
pub(super) struct Book<T> {
    store: Arc<dyn ConfigStore>,
    current: ArcSwap<T>,
    /// Only one caller reads at a time, so that what was read first can't replace what was read later.
    refreshing: Mutex<()>,
    state: Freshness,
    /// The file that keeps what was read for a restart; `None` if the store is embedded, and so as near as the file.
    last_known: Option<Arc<LastKnown>>,
}

impl<T: Contents> Book<T> {
    /// A book on `store` that holds `contents` until it is refreshed.
    pub(super) fn new(store: Arc<dyn ConfigStore>, contents: T) -> Self {
        let current = ArcSwap::from_pointee(contents);
        Self { store, current, refreshing: Mutex::default(), state: Freshness::default(), last_known: None }
    }

    /// The same book, which keeps what it reads in a file and takes it from there at a start without the store.
    pub(super) fn with_last_known(self, file: Arc<LastKnown>) -> Self {
        Self { last_known: Some(file), ..self }
    }

    /// Where the contents come from.
    pub(super) fn store(&self) -> &dyn ConfigStore {
        &*self.store
    }

    /// The snapshot in use.
    pub(super) fn current(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Takes a new snapshot from the store. If the store is away, the last snapshot stays in use; if there is none
    /// yet, the file's snapshot is used, if there is one.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.refreshing.lock().await;
        let stored = match T::read(self.store()).await {
            Ok(stored) => stored,
            Err(error) => {
                self.take_last_known().await;
                self.state.failed(Timestamp::now());
                return Err(error);
            }
        };
        self.take(&stored);
        self.state.succeeded();
        if let Some(file) = &self.last_known {
            T::keep(&stored, file).await;
        }
        Ok(())
    }

    /// Follows a write that has happened. If the store can't be read again now, the write has happened all the same,
    /// and the snapshot follows by the cache's time to live.
    pub(super) async fn follow(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(%error, "{} were written but could not be read again yet", T::NAME);
        }
    }

    /// An error if the contents were never read, neither from the store nor from the file: wrong contents are worse
    /// than none.
    pub(super) fn known(&self) -> Result<(), StoreError> {
        self.state.known(self.store.name())
    }

    /// Since when the snapshot may be older than what is stored, if the last try to read it failed.
    pub(super) fn stale_since(&self) -> Option<Timestamp> {
        self.state.stale_since()
    }

    fn take(&self, stored: &T::Stored) {
        if let Some(contents) = self.current.load().replaced(stored) {
            self.current.store(Arc::new(contents));
        }
    }

    async fn take_last_known(&self) {
        let (false, Some(file)) = (self.state.is_known(), &self.last_known) else { return };
        if let Some(read) = T::last_known(file).await {
            tracing::warn!(read_at = %read.at, "the store of {} is away; the last known ones are in use", T::NAME);
            self.take(&read.what);
            self.state.taken_over(read.at);
        }
    }
}
