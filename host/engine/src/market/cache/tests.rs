use std::sync::atomic::{AtomicBool, AtomicUsize};

use crate::{
    market::revision_store::{Revision, RevisionFilter},
    sqlite::{Database, candles::SqliteCandles, revisions::SqliteRevisions},
    support::metrics::Metrics,
};

use super::*;

mod changes;

const M15: Timeframe = Timeframe::M15;

/// A store that counts its reads and the candles that they return.
struct Counted {
    database: Database,
    store: SqliteCandles,
    reads: AtomicUsize,
    candles: AtomicUsize,
    /// Whether reads fail as they do while a server is away, and how many have.
    is_away: AtomicBool,
    failed: AtomicUsize,
    /// A symbol whose rows can't be read.
    unreadable: Option<Symbol>,
    _folder: tempfile::TempDir,
}

#[async_trait]
impl CandleStore for Counted {
    async fn newest_closed(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        self.store.newest_closed(symbol, timeframe, until, count).await
    }

    async fn newest_closed_of(
        &self,
        timeframe: Timeframe,
        wanted: &[(Symbol, Option<Timestamp>)],
        until: Timestamp,
        count: u32,
    ) -> Result<Vec<Vec<CandleRow>>, StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Err(StoreError::Unavailable { store: "test", reason: "it is away".to_owned() });
        }
        if wanted.iter().any(|(symbol, _)| Some(symbol) == self.unreadable.as_ref()) {
            return Err(StoreError::Corrupt { store: "test", reason: "a row has no time".to_owned() });
        }
        let found = self.store.newest_closed_of(timeframe, wanted, until, count).await?;
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.candles.fetch_add(found.iter().map(Vec::len).sum(), Ordering::Relaxed);
        Ok(found)
    }

    async fn newest_closes(
        &self,
        _: Timeframe,
        _: &[Symbol],
        _: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        unreachable!("not asked here")
    }

    async fn closed_between(
        &self,
        _: Timeframe,
        _: &[(Symbol, Timestamp)],
        _: Timestamp,
    ) -> Result<Vec<(Symbol, Timestamp)>, StoreError> {
        unreachable!("not asked here")
    }

    async fn insert(&self, symbol: &Symbol, timeframe: Timeframe, candles: &[Candle]) -> Result<Inserted, StoreError> {
        self.store.insert(symbol, timeframe, candles).await
    }

    async fn opened_within(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        opened: Range<Timestamp>,
        limit: u32,
    ) -> Result<Vec<CandleRow>, StoreError> {
        self.store.opened_within(symbol, timeframe, opened, limit).await
    }

    fn owner(&self) -> Option<&'static str> {
        self.store.owner()
    }

    async fn repair(&self, repair: &Repair) -> Result<Repaired, StoreError> {
        self.store.repair(repair).await
    }

    async fn repairs_after(&self, number: i64, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.store.repairs_after(number, limit).await
    }

    async fn newest_repairs(&self, limit: u32) -> Result<Vec<RepairEntry>, StoreError> {
        self.store.newest_repairs(limit).await
    }

    async fn series(&self) -> Result<Vec<SeriesSummary>, StoreError> {
        unreachable!("not asked here")
    }

    async fn ping(&self) -> Result<(), StoreError> {
        unreachable!("not asked here")
    }
}

struct Fixture {
    store: Arc<Counted>,
    cache: Arc<CandleCache>,
    revisions: Arc<Revisions>,
    metrics: Arc<Metrics>,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_unreadable(None).await
    }

    async fn with_unreadable(unreadable: Option<Symbol>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).await.unwrap();
        let store = Arc::new(Counted {
            store: SqliteCandles::new(database.clone()),
            database,
            reads: AtomicUsize::new(0),
            candles: AtomicUsize::new(0),
            is_away: AtomicBool::new(false),
            failed: AtomicUsize::new(0),
            unreadable,
            _folder: folder,
        });
        let metrics = Arc::new(Metrics::new().unwrap());
        let revisions = SqliteRevisions::new(store.database.clone());
        let revisions = Arc::new(Revisions::new(Arc::new(revisions), Arc::clone(&metrics)));
        let cache = Arc::new(CandleCache::new(Arc::clone(&store) as _, Arc::clone(&revisions)));
        Self { store, cache, revisions, metrics }
    }

    /// Changes the close of a stored candle, as its writer may.
    async fn correct(&self, index: i64, close: f64) {
        let mut transaction = self.store.database.begin().await.unwrap();
        let query = sqlx::query("UPDATE candles SET close = ? WHERE open_time = ?");
        query.bind(close).bind(index * M15.millis()).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn insert(&self, name: &str, indices: impl IntoIterator<Item = i64>) {
        let candles: Vec<_> = indices.into_iter().map(candle).collect();
        self.store.insert(&symbol(name), M15, &candles).await.unwrap();
    }

    /// The window of `count` candles that ends with candle `index`, for somebody who asks what is right now. Asserts
    /// that the store itself gives the same window.
    async fn window(&self, name: &str, index: i64, count: u32) -> Vec<CandleRow> {
        self.cache.expire(&symbol(name));
        self.window_at_a_close(name, index, count).await
    }

    /// The same, for what is decided at a close.
    async fn window_at_a_close(&self, name: &str, index: i64, count: u32) -> Vec<CandleRow> {
        let given = self.cache.newest_closed(&symbol(name), M15, close(index), count).await.unwrap();
        let stored = self.store.store.newest_closed(&symbol(name), M15, close(index), count).await.unwrap();
        assert_eq!(given, stored, "{name} {index}");
        given
    }

    /// How many reads and candles were needed since the last call.
    fn cost(&self) -> (usize, usize) {
        (self.store.reads.swap(0, Ordering::Relaxed), self.store.candles.swap(0, Ordering::Relaxed))
    }
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn candle(index: i64) -> Candle {
    let open_time = Timestamp::from_millis(index * M15.millis());
    Candle { open_time, open: 1.0, high: 2.0, low: 0.5, close: 1.5, volume: index as f64 }
}

fn close(index: i64) -> Timestamp {
    M15.close_of(candle(index).open_time)
}

#[tokio::test]
async fn a_new_candle_costs_itself_and_the_newest_three() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 299, 250).await;
    assert_eq!(fixture.cost(), (1, 250));
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.window("BTCUSDT", 299, 20).await;
    fixture.window("BTCUSDT", 299, 1).await;
    assert_eq!(fixture.cost(), (3, 9));
    fixture.insert("BTCUSDT", [300]).await;
    fixture.window("BTCUSDT", 300, 250).await;
    assert_eq!(fixture.cost(), (1, 4));
    fixture.insert("BTCUSDT", 301..310).await;
    fixture.window("BTCUSDT", 309, 1).await;
    fixture.window("BTCUSDT", 309, 250).await;
    assert_eq!(fixture.window("BTCUSDT", 200, 20).await.len(), 20);
}

#[tokio::test]
async fn between_two_closes_nothing_is_read() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.cost();
    fixture.window_at_a_close("BTCUSDT", 299, 250).await;
    fixture.window_at_a_close("BTCUSDT", 299, 20).await;
    assert_eq!(fixture.cost(), (0, 0));
    // The next close comes without a candle: that is asked for.
    fixture.window_at_a_close("BTCUSDT", 300, 250).await;
    fixture.insert("BTCUSDT", [300]).await;
    fixture.window_at_a_close("BTCUSDT", 300, 250).await;
    assert_eq!(fixture.cost(), (2, 7));
    fixture.window_at_a_close("BTCUSDT", 300, 250).await;
    assert_eq!(fixture.cost(), (0, 0));
    // A correction counts from the next close on, and at once for somebody who asks.
    fixture.correct(299, 1.25).await;
    fixture.insert("BTCUSDT", [301]).await;
    fixture.window_at_a_close("BTCUSDT", 301, 250).await;
    fixture.correct(300, 1.75).await;
    fixture.window("BTCUSDT", 301, 250).await;
    // A row that is unusable may be mended at any time.
    fixture.correct(301, 0.0).await;
    fixture.window("BTCUSDT", 301, 250).await;
    fixture.correct(301, 1.125).await;
    fixture.window_at_a_close("BTCUSDT", 301, 250).await;
}

#[tokio::test]
async fn a_candle_that_was_not_there_yet_is_asked_for_again() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 300, 250).await;
    fixture.insert("BTCUSDT", [300]).await;
    assert_eq!(fixture.window("BTCUSDT", 300, 250).await.last(), Some(&CandleRow::undated(candle(300))));
}

#[tokio::test]
async fn a_gap_may_still_be_filled() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", (0..200).chain(201..300)).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.insert("BTCUSDT", [200]).await;
    fixture.window("BTCUSDT", 299, 250).await;
    // The same, with a gap between the kept candles and the new ones.
    fixture.insert("BTCUSDT", [302]).await;
    fixture.window("BTCUSDT", 302, 250).await;
    fixture.insert("BTCUSDT", [300, 301]).await;
    fixture.window("BTCUSDT", 302, 250).await;
}

#[tokio::test]
async fn a_young_market_and_an_old_window_are_read_whole() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 100..150).await;
    assert_eq!(fixture.window("BTCUSDT", 149, 250).await.len(), 50);
    fixture.insert("BTCUSDT", 0..100).await;
    assert_eq!(fixture.window("BTCUSDT", 149, 250).await.len(), 150);
    fixture.insert("BTCUSDT", 150..600).await;
    fixture.window("BTCUSDT", 599, 250).await;
    fixture.window("BTCUSDT", 400, 250).await;
    fixture.cost();
    fixture.window("BTCUSDT", 599, 250).await;
    assert_eq!(fixture.cost(), (1, 3), "an old window replaces nothing");
}

#[tokio::test]
async fn a_storm_of_closes_is_one_read() {
    let fixture = Fixture::new().await;
    let names: Vec<_> = (0..100).map(|index| format!("S{index}USDT")).collect();
    for name in &names {
        fixture.insert(name, 0..30).await;
    }
    let storm = |index| {
        futures_util::future::join_all(
            names.iter().map(move |name| (name, index)).map(|(name, index)| fixture.window(name, index, 20)),
        )
    };
    storm(28).await;
    let (reads, candles) = fixture.cost();
    // A read begins two milliseconds after its first reader arrives. All readers are there at that time, unless the
    // machine stalls.
    assert!(reads <= 10, "{reads} reads for 100 series");
    assert_eq!(candles, 2000);
    storm(29).await;
    assert_eq!(fixture.cost().1, 400);
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be_away() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..30).await;
    fixture.store.database.close().await;
    let asked = fixture.cache.newest_closed(&symbol("BTCUSDT"), M15, close(29), 20).await;
    assert!(matches!(asked, Err(StoreError::Unavailable { .. })), "{asked:?}");
}

#[tokio::test]
async fn a_correction_of_the_newest_three_is_seen_at_the_next_read() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 299, 250).await;
    for (index, close) in [(299, 1.25), (298, 1.75), (297, 1.125)] {
        fixture.correct(index, close).await;
        fixture.window("BTCUSDT", 299, 1).await;
        fixture.window("BTCUSDT", 299, 20).await;
    }
    // What a short window has seen, a long one sees later too, if the rows are no longer among the newest.
    fixture.insert("BTCUSDT", 300..305).await;
    fixture.window("BTCUSDT", 304, 20).await;
    fixture.window("BTCUSDT", 304, 250).await;
}

#[tokio::test]
async fn a_row_that_may_still_be_mended_is_read_again() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.correct(200, 0.0).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.correct(200, 1.25).await;
    fixture.window("BTCUSDT", 299, 250).await;
    assert_eq!(fixture.cost(), (2, 500));
}
