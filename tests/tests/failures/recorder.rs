//! Storing bundles never holds up the work, and lost bundles are counted.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use ta_bot_core::{ApplicationSettings, CandleWindow, EvaluationError, FailureId, ParameterLevels, ResolvedParameters};
use ta_bot_drivers::sqlite::{Database, failures::SqliteFailures};
use ta_bot_engine::{
    evaluation::{Inputs, Origin},
    supervision::{
        failure::{FailureFilter, FailureStore, FailureSummary, packed::Packed},
        recorder::{Recorder, recorder},
    },
    support::{metrics::Metrics, store_error::StoreError},
};
use tokio_util::sync::CancellationToken;

use super::{
    command::{hostile, long_window},
    support::{job, random_walk},
};

/// A store that is away for the first calls.
struct Away {
    inner: SqliteFailures,
    calls: AtomicU32,
    for_calls: u32,
}

#[async_trait]
impl FailureStore for Away {
    async fn put(&self, bundle: &Packed) -> Result<bool, StoreError> {
        if self.calls.fetch_add(1, Ordering::Relaxed) < self.for_calls {
            return Err(StoreError::Unavailable { store: "test", reason: "it is away".to_owned() });
        }
        self.inner.put(bundle).await
    }

    async fn get(&self, id: FailureId) -> Result<Option<String>, StoreError> {
        self.inner.get(id).await
    }

    async fn list(&self, filter: &FailureFilter) -> Result<Vec<FailureSummary>, StoreError> {
        self.inner.list(filter).await
    }
}

struct Setup {
    store: Arc<Away>,
    metrics: Arc<Metrics>,
    _folder: tempfile::TempDir,
}

impl Setup {
    async fn away_for(for_calls: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inner = SqliteFailures::new(Database::open(folder.path()).await.unwrap());
        let store = Arc::new(Away { inner, calls: AtomicU32::new(0), for_calls });
        Self { store, metrics: Arc::new(Metrics::new().unwrap()), _folder: folder }
    }

    fn count(&self, outcome: &str) -> u64 {
        let text: String = self.metrics.render().unwrap().collect();
        let series = format!("ta_bot_failure_bundles_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
    }
}

/// Takes failures on a window, each at another close.
fn take(recorder: &Recorder, window: &CandleWindow, lookback: usize, times: usize) {
    let module = hostile();
    let parameters = ResolvedParameters::resolve(&module.description().schema, &ParameterLevels::default());
    let settings = ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.0,
        max_confidence: 1.0,
        accepted_holes: Vec::new(),
    };
    for index in 0..times {
        let mut job = job(window);
        job.candle_close = job.candle_close.plus_millis(index as i64);
        let inputs = Inputs {
            module: &module,
            parameters: &parameters,
            job: &job,
            base: window.newest(lookback),
            extra: &[],
            settings: &settings,
            origin: Origin::NONE,
        };
        recorder.take(&inputs, &EvaluationError::Trap("on purpose".to_owned()), &[]);
    }
}

#[tokio::test]
async fn what_waits_is_bounded_in_number_and_in_bytes() {
    let setup = Setup::away_for(0).await;
    let (many, keeper) = recorder(Arc::clone(&setup.store) as _, Arc::clone(&setup.metrics));
    take(&many, &random_walk(50, 7), 20, 300);
    assert_eq!(setup.count("lost"), 300 - 256, "nobody keeps any of them yet");
    drop(many);
    keeper.run(CancellationToken::new()).await;
    assert_eq!(setup.count("kept"), 256);

    let setup = Setup::away_for(0).await;
    let (large, keeper) = recorder(Arc::clone(&setup.store) as _, Arc::clone(&setup.metrics));
    take(&large, &long_window(), 10_000, 100);
    let lost = setup.count("lost");
    assert!((30..40).contains(&lost), "half a megabyte each, 32 together: {lost} were lost");
    drop(large);
    keeper.run(CancellationToken::new()).await;
    assert_eq!(setup.count("kept"), 100 - lost);
}

#[tokio::test]
async fn a_store_that_was_away_has_it_in_the_end() {
    let setup = Setup::away_for(3).await;
    let (recorder, keeper) = recorder(Arc::clone(&setup.store) as _, Arc::clone(&setup.metrics));
    take(&recorder, &random_walk(50, 7), 20, 2);
    take(&recorder, &random_walk(50, 7), 20, 1);
    drop(recorder);
    keeper.run(CancellationToken::new()).await;
    assert_eq!((setup.count("kept"), setup.count("known"), setup.count("lost")), (2, 1, 0));
}

#[tokio::test]
async fn the_end_of_the_service_waits_for_no_store() {
    let setup = Setup::away_for(u32::MAX).await;
    let (recorder, keeper) = recorder(Arc::clone(&setup.store) as _, Arc::clone(&setup.metrics));
    take(&recorder, &random_walk(50, 7), 20, 3);
    let stop = CancellationToken::new();
    stop.cancel();
    keeper.run(stop).await;
    assert_eq!((setup.count("lost"), setup.store.calls.load(Ordering::Relaxed)), (3, 3), "each is tried once more");
}
