use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use ta_bot_core::Timeframe;

use crate::{
    market::revision_store::contract::revision,
    sqlite::{Database, revisions::SqliteRevisions},
};

use super::*;

const M15: Timeframe = Timeframe::M15;
const ALL: RevisionFilter = RevisionFilter { symbol: None, timeframe: None, limit: 2 * KEPT };

/// A store that can be away.
struct Moody {
    store: SqliteRevisions,
    is_away: AtomicBool,
}

#[async_trait]
impl RevisionStore for Moody {
    async fn add(&self, revisions: &[Revision]) -> Result<(), StoreError> {
        self.ask()?;
        self.store.add(revisions).await
    }

    async fn list(&self, filter: &RevisionFilter) -> Result<Vec<Revision>, StoreError> {
        self.ask()?;
        self.store.list(filter).await
    }
}

impl Moody {
    fn ask(&self) -> Result<(), StoreError> {
        let away = || StoreError::Unavailable { store: "test", reason: "it is away".to_owned() };
        if self.is_away.load(Ordering::Relaxed) { Err(away()) } else { Ok(()) }
    }
}

struct Fixture {
    store: Arc<Moody>,
    revisions: Arc<Revisions>,
    metrics: Arc<Metrics>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).await.unwrap();
        let store = Arc::new(Moody { store: SqliteRevisions::new(database), is_away: AtomicBool::new(false) });
        let metrics = Arc::new(Metrics::new().unwrap());
        let revisions = Arc::new(Revisions::new(Arc::clone(&store) as _, Arc::clone(&metrics)));
        Self { store, revisions, metrics, _folder: folder }
    }

    /// What is in the store.
    async fn stored(&self) -> Vec<Revision> {
        self.store.store.list(&ALL).await.unwrap()
    }

    fn counted(&self, timeframe: Timeframe) -> u64 {
        self.metrics.inputs.candles_revised.with_label_values(&[timeframe.as_str()]).get()
    }
}

fn change(index: i64) -> Revision {
    revision("BTCUSDT", M15, index, (1.0, 2.0))
}

#[tokio::test]
async fn what_is_noted_is_counted_and_listed_at_once_and_stored_soon() {
    let fixture = Fixture::new().await;
    let hour = revision("ETHUSDT", Timeframe::H1, 1, (1.0, 2.0));
    for noted in [change(1), hour.clone(), change(2)] {
        fixture.revisions.note(noted);
    }
    assert_eq!((fixture.counted(M15), fixture.counted(Timeframe::H1)), (2, 1));
    assert_eq!(fixture.revisions.list(&ALL).await.unwrap(), [change(2), hour.clone(), change(1)]);
    assert_eq!(fixture.stored().await, []);
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&fixture.revisions).run(stop.clone()));
    while fixture.stored().await.len() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fixture.revisions.list(&ALL).await.unwrap(), fixture.stored().await);
    let newest = RevisionFilter { timeframe: Some(M15), limit: 1, ..ALL };
    assert_eq!(fixture.revisions.list(&newest).await.unwrap(), [change(2)]);
    fixture.revisions.note(change(3));
    stop.cancel();
    running.await.unwrap();
    assert_eq!(fixture.stored().await.len(), 4, "what is noted at the end is stored");
}

#[tokio::test]
async fn a_store_that_is_away_costs_no_revision_and_no_memory_without_bound() {
    let fixture = Fixture::new().await;
    fixture.store.is_away.store(true, Ordering::Relaxed);
    let most = i64::from(KEPT) + 3;
    (0..most).for_each(|index| fixture.revisions.note(change(index)));
    assert!(matches!(fixture.revisions.flush().await, Err(StoreError::Unavailable { .. })));
    assert!(matches!(fixture.revisions.list(&ALL).await, Err(StoreError::Unavailable { .. })));
    assert_eq!(fixture.revisions.waiting().len(), KEPT as usize);
    fixture.store.is_away.store(false, Ordering::Relaxed);
    assert_eq!(fixture.revisions.list(&ALL).await.unwrap().len(), KEPT as usize);
    fixture.revisions.flush().await.unwrap();
    assert!(fixture.stored().await.iter().rev().eq((3..most).map(change).collect::<Vec<_>>().iter()));
    assert_eq!(fixture.revisions.waiting().len(), 0);
    assert_eq!(fixture.counted(M15), most as u64);
}
