//! Stores bundles in the background: the evaluating thread hands a failure over and goes on.
//!
//! The number and the bytes of waiting failures are bounded. If the store is unavailable, the waiting failures are
//! tried again. A failure that comes meanwhile and finds no room is lost, and counted.

use std::{sync::Arc, time::Duration};

use ta_bot_core::{CandleSlice, EvaluationError, Timestamp};
use ta_bot_wasm::LogLine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    evaluation::Inputs,
    supervision::failure::{Failure, FailureStore, packed::Packed},
    support::{backoff::Backoff, log_limit::LogLimit, metrics::Metrics, room::Room, store_error::StoreError},
};

/// The largest number of failures that may wait.
const MOST_WAITING: usize = 256;
/// How many KiB the waiting failures may hold together.
const MOST_KIB: u32 = 32 << 10;
/// What a failure holds besides its candles, in KiB: mostly its log.
const BESIDE_KIB: u32 = 8;
/// The size of a candle's columns, in bytes.
const CANDLE_BYTES: usize = 48;
/// Pauses between tries while the store is unavailable.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
/// How long storing the waiting failures may take when the service stops.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// Accepts failures. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    /// The disk that bundles go to, if signals go there as well.
    disk: Option<Arc<Room>>,
    metrics: Arc<Metrics>,
    lost: Arc<LogLimit>,
}

/// Stores the failures that a [`Recorder`] accepts.
pub struct Keeper {
    waiting: mpsc::Receiver<Waiting>,
    store: Arc<dyn FailureStore>,
    metrics: Arc<Metrics>,
}

struct Waiting {
    failure: Failure,
    _room: OwnedSemaphorePermit,
}

/// Creates a recorder, and the keeper that stores its bundles in `store` while it runs.
pub fn recorder(store: Arc<dyn FailureStore>, metrics: Arc<Metrics>) -> (Recorder, Keeper) {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let recorder = Recorder {
        waiting: sender,
        room: Arc::new(Semaphore::new(MOST_KIB as usize)),
        disk: None,
        metrics: Arc::clone(&metrics),
        lost: Arc::default(),
    };
    (recorder, Keeper { waiting: receiver, store, metrics })
}

impl Recorder {
    /// Takes no failures while this disk has little room, which is left to signals.
    #[must_use]
    pub fn on_disk(self, disk: Option<Arc<Room>>) -> Self {
        Self { disk, ..self }
    }

    /// Accepts a failure if there is room for it. Never waits.
    pub fn take(&self, inputs: &Inputs<'_>, error: &EvaluationError, log: &[LogLine]) {
        let candles = inputs.base.len() + inputs.extra.iter().map(CandleSlice::len).sum::<usize>();
        let kib = (candles * CANDLE_BYTES).div_ceil(1024) as u32 + BESIDE_KIB;
        let is_low = self.disk.as_ref().is_some_and(|disk| disk.is_low());
        // Room is reserved before anything is copied.
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).ok().zip(self.waiting.try_reserve().ok());
        let Some((room, place)) = room.filter(|_| !is_low) else {
            self.metrics.failures.bundle("lost");
            if let Some(withheld) = self.lost.admit() {
                let strategy = &inputs.module.description().id;
                let job = inputs.job;
                let why = if is_low { "the disk of DATA_DIR is nearly full" } else { "too many wait" };
                tracing::warn!(strategy.id = %strategy, %job, withheld, "the bundle of a failure is lost: {why}");
            }
            return;
        };
        place.send(Waiting { failure: Failure::of(inputs, error, log, Timestamp::now()), _room: room });
    }
}

impl Keeper {
    /// Stores bundles until `stop` is cancelled or every recorder is dropped. Then each waiting bundle is tried once
    /// more.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(waiting)) = stop.run_until_cancelled(self.waiting.recv()).await {
            self.keep(waiting, &stop).await;
        }
        self.waiting.close();
        let rest = async {
            while let Some(waiting) = self.waiting.recv().await {
                self.keep(waiting, &stop).await;
            }
        };
        if tokio::time::timeout(LAST_TRIES, rest).await.is_err() {
            tracing::warn!("some bundles of failures were not stored in time");
        }
    }

    async fn keep(&self, Waiting { failure, _room }: Waiting, stop: &CancellationToken) {
        let strategy = failure.strategy.clone();
        let job = failure.job.clone();
        let packed = tokio::task::spawn_blocking(move || Packed::new(&failure)).await;
        let bundle = match packed {
            Ok(Ok(bundle)) => bundle,
            Ok(Err(error)) => {
                tracing::warn!(strategy.id = %strategy, %job, %error, "the bundle of a failure is not stored");
                return self.metrics.failures.bundle("too_large");
            }
            // Either the process is stopping, or the task panicked, which is in the log.
            Err(_) => return self.metrics.failures.bundle("lost"),
        };
        let id = bundle.summary.id;
        match self.put(&bundle, stop).await {
            Ok(true) => {
                tracing::info!(strategy.id = %strategy, %job, failure.id = %id, "stored the bundle of a failure");
                self.metrics.failures.bundle("kept");
            }
            Ok(false) => self.metrics.failures.bundle("known"),
            Err(error) => {
                tracing::error!(strategy.id = %strategy, %job, failure.id = %id, %error, "can't store the bundle of a failure");
                self.metrics.failures.bundle("lost");
            }
        }
    }

    /// Stores a bundle. Retries while the store is unavailable or can't write, until `stop` is cancelled.
    async fn put(&self, bundle: &Packed, stop: &CancellationToken) -> Result<bool, StoreError> {
        let mut pauses = PAUSES;
        loop {
            match self.store.put(bundle).await {
                Err(error @ (StoreError::Unavailable { .. } | StoreError::CannotWrite { .. })) => {
                    tracing::warn!(failure.id = %bundle.summary.id, %error, "a bundle can't be stored yet; trying again");
                    if stop.run_until_cancelled(tokio::time::sleep(pauses.pause())).await.is_none() {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }
}
