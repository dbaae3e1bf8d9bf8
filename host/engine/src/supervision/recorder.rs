//! Keeps bundles beside the work: whoever evaluates hands a failure over and goes on.
//!
//! What waits to be kept is bounded, in number and in bytes. A store that is away is tried again with what waits, and
//! what comes meanwhile and finds no room is lost, and counted.

use std::{sync::Arc, time::Duration};

use ta_bot_core::{CandleSlice, EvaluationError, Timestamp};
use ta_bot_wasm::LogLine;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    evaluation::Inputs,
    supervision::failure::{Failure, FailureStore, packed::Packed},
    support::{backoff::Backoff, log_limit::LogLimit, metrics::Metrics, store_error::StoreError},
};

/// How many failures may wait.
const MOST_WAITING: usize = 256;
/// How many KiB of candles they may hold together.
const MOST_KIB: u32 = 32 << 10;
/// What a failure holds beside its candles, in KiB: its log, mostly.
const BESIDE_KIB: u32 = 8;
/// The columns of a candle, in bytes.
const CANDLE_BYTES: usize = 48;
/// Pauses between tries where the store is away.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
/// How long what waits may take to be kept when the service ends.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// Takes failures. Cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    waiting: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    lost: Arc<LogLimit>,
}

/// Keeps what a [`Recorder`] takes.
pub struct Keeper {
    waiting: mpsc::Receiver<Waiting>,
    store: Arc<dyn FailureStore>,
    metrics: Arc<Metrics>,
}

struct Waiting {
    failure: Failure,
    _room: OwnedSemaphorePermit,
}

/// A recorder, and what keeps its bundles in `store` as long as it runs.
pub fn recorder(store: Arc<dyn FailureStore>, metrics: Arc<Metrics>) -> (Recorder, Keeper) {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let recorder = Recorder {
        waiting: sender,
        room: Arc::new(Semaphore::new(MOST_KIB as usize)),
        metrics: Arc::clone(&metrics),
        lost: Arc::default(),
    };
    (recorder, Keeper { waiting: receiver, store, metrics })
}

impl Recorder {
    /// Takes a failure, if there is room for it. Never waits.
    pub fn take(&self, inputs: &Inputs<'_>, error: &EvaluationError, log: &[LogLine]) {
        let candles = inputs.base.len() + inputs.extra.iter().map(CandleSlice::len).sum::<usize>();
        let kib = (candles * CANDLE_BYTES).div_ceil(1024) as u32 + BESIDE_KIB;
        // Before anything is copied.
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).ok().zip(self.waiting.try_reserve().ok());
        let Some((room, place)) = room else {
            self.metrics.failures.bundle("lost");
            if let Some(withheld) = self.lost.admit() {
                let (strategy, job) = (&inputs.module.description().id, inputs.job);
                tracing::warn!(strategy.id = %strategy, %job, withheld, "the bundle of a failure is lost: too many wait");
            }
            return;
        };
        place.send(Waiting { failure: Failure::of(inputs, error, log, Timestamp::now()), _room: room });
    }
}

impl Keeper {
    /// Keeps bundles until `stop`, or until every recorder is gone; then what waits is tried once more.
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
            tracing::warn!("some bundles of failures were not kept in time");
        }
    }

    async fn keep(&self, Waiting { failure, _room }: Waiting, stop: &CancellationToken) {
        let (strategy, job) = (failure.strategy.clone(), failure.job.clone());
        let packed = tokio::task::spawn_blocking(move || Packed::new(&failure)).await;
        let bundle = match packed {
            Ok(Ok(bundle)) => bundle,
            Ok(Err(error)) => {
                tracing::warn!(strategy.id = %strategy, %job, %error, "the bundle of a failure is not kept");
                return self.metrics.failures.bundle("too_large");
            }
            // The process ends, or it panicked, which the log has.
            Err(_) => return self.metrics.failures.bundle("lost"),
        };
        let id = bundle.summary.id;
        match self.put(&bundle, stop).await {
            Ok(true) => {
                tracing::info!(strategy.id = %strategy, %job, failure.id = %id, "the bundle of a failure is kept");
                self.metrics.failures.bundle("kept");
            }
            Ok(false) => self.metrics.failures.bundle("known"),
            Err(error) => {
                tracing::error!(strategy.id = %strategy, %job, failure.id = %id, %error, "the bundle of a failure is not kept");
                self.metrics.failures.bundle("lost");
            }
        }
    }

    /// Stores a bundle; again and again where the store is away, until `stop`.
    async fn put(&self, bundle: &Packed, stop: &CancellationToken) -> Result<bool, StoreError> {
        let mut pauses = PAUSES;
        loop {
            match self.store.put(bundle).await {
                Err(error @ (StoreError::Unavailable { .. } | StoreError::CannotWrite { .. })) => {
                    tracing::warn!(failure.id = %bundle.summary.id, %error, "a bundle can't be kept yet; it is tried again");
                    if stop.run_until_cancelled(tokio::time::sleep(pauses.pause())).await.is_none() {
                        return Err(error);
                    }
                }
                done => return done,
            }
        }
    }
}
