//! Rows that change after they were kept.

use super::*;

/// A round without pauses.
async fn round(fixture: &Fixture) {
    fixture.cache.round(Duration::ZERO).await;
}

impl Fixture {
    async fn delete(&self, index: i64) {
        let mut transaction = self.store.database.begin().await.unwrap();
        let query = sqlx::query("DELETE FROM candles WHERE open_time = ?");
        query.bind(index * M15.millis()).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The window that the cache gives, whatever the store holds.
    async fn given(&self, index: i64, count: u32) -> Vec<CandleRow> {
        self.cache.newest_closed(&symbol("BTCUSDT"), M15, close(index), count).await.unwrap()
    }

    /// The noticed changes, oldest first: of which candle, to which close.
    async fn noticed(&self) -> Vec<(i64, Option<f64>)> {
        let all = RevisionFilter { limit: 1000, ..RevisionFilter::default() };
        let listed = self.revisions.list(&all).await.unwrap();
        let counted = self.metrics.inputs.candles_revised.with_label_values(&["15m"]).get();
        assert_eq!(counted, listed.len() as u64, "each is counted once");
        let short = |revision: &Revision| {
            assert_eq!(revision.symbol, symbol("BTCUSDT"));
            (revision.old.volume as i64, revision.new.map(|candle| candle.close))
        };
        listed.iter().rev().map(short).collect()
    }
}

#[tokio::test]
async fn a_correction_deep_in_a_window_is_noticed_by_one_round_and_counts_from_then_on() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    let before = fixture.window("BTCUSDT", 299, 250).await;
    fixture.correct(100, 1.25).await;
    assert_eq!(fixture.given(299, 250).await, before, "nothing has been read of it yet");
    round(&fixture).await;
    fixture.window("BTCUSDT", 299, 250).await;
    round(&fixture).await;
    assert_eq!(fixture.noticed().await, [(100, Some(1.25))]);
    // Changed back, and changed again.
    for close in [1.5, 1.75] {
        fixture.correct(100, close).await;
        round(&fixture).await;
        fixture.window("BTCUSDT", 299, 250).await;
    }
    assert_eq!(fixture.noticed().await, [(100, Some(1.25)), (100, Some(1.5)), (100, Some(1.75))]);
}

#[tokio::test]
async fn a_row_that_is_gone_or_unusable_is_noticed() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.delete(150).await;
    round(&fixture).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.correct(200, 0.0).await;
    round(&fixture).await;
    fixture.window("BTCUSDT", 299, 250).await;
    assert_eq!(fixture.noticed().await, [(150, None), (200, None)]);
    // Rows that come, or are mended, are no changes of a candle that was believed.
    fixture.insert("BTCUSDT", [150]).await;
    fixture.correct(200, 1.25).await;
    fixture.window("BTCUSDT", 299, 250).await;
    round(&fixture).await;
    assert_eq!(fixture.noticed().await.len(), 2);
}

#[tokio::test]
async fn a_change_of_the_newest_three_is_noticed_once_whoever_reads_them_first() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.correct(299, 0.0).await;
    fixture.window("BTCUSDT", 299, 250).await;
    // It was no candle before.
    fixture.correct(299, 1.25).await;
    fixture.window("BTCUSDT", 299, 250).await;
    assert_eq!(fixture.noticed().await, []);
    fixture.correct(298, 1.75).await;
    fixture.window("BTCUSDT", 299, 1).await;
    round(&fixture).await;
    fixture.correct(297, 1.125).await;
    round(&fixture).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.delete(299).await;
    fixture.window("BTCUSDT", 299, 250).await;
    round(&fixture).await;
    assert_eq!(fixture.noticed().await, [(298, Some(1.75)), (297, Some(1.125)), (299, None)]);
}

#[tokio::test]
async fn windows_that_are_read_whole_each_time_are_compared_as_well() {
    let young = Fixture::new().await;
    young.insert("BTCUSDT", 100..150).await;
    young.window("BTCUSDT", 149, 250).await;
    young.correct(120, 1.25).await;
    young.window("BTCUSDT", 149, 250).await;
    assert_eq!(young.noticed().await, [(120, Some(1.25))]);
    let gap = Fixture::new().await;
    gap.insert("BTCUSDT", (0..200).chain(201..300)).await;
    gap.window("BTCUSDT", 299, 250).await;
    gap.correct(150, 1.25).await;
    gap.window("BTCUSDT", 299, 250).await;
    gap.correct(250, 1.75).await;
    round(&gap).await;
    // The gap is filled, which changes no candle, and a shorter window behind it costs what it would without a gap.
    gap.cost();
    gap.window("BTCUSDT", 299, 20).await;
    assert_eq!(gap.cost(), (1, 3));
    gap.insert("BTCUSDT", [200]).await;
    gap.window("BTCUSDT", 299, 250).await;
    round(&gap).await;
    assert_eq!(gap.noticed().await, [(150, Some(1.25)), (250, Some(1.75))]);
}

#[tokio::test]
async fn a_read_that_was_overtaken_brings_nothing_old_back() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    let old = fixture.window("BTCUSDT", 299, 250).await;
    let began = fixture.cache.now();
    fixture.correct(298, 1.25).await;
    fixture.window("BTCUSDT", 299, 250).await;
    // The answer of a slow read, which saw the store before the correction.
    let together = Together { timeframe: M15, until: close(299), count: 250 };
    fixture.cache.keep(&(symbol("BTCUSDT"), M15), &Stretch::new(&old, None, together, began), 250);
    fixture.insert("BTCUSDT", 300..310).await;
    fixture.window("BTCUSDT", 309, 250).await;
    assert_eq!(fixture.noticed().await, [(298, Some(1.25))]);
}

#[tokio::test]
async fn a_round_waits_for_a_store_that_is_away() {
    let fixture = Fixture::new().await;
    fixture.insert("BTCUSDT", 0..300).await;
    fixture.window("BTCUSDT", 299, 250).await;
    fixture.correct(100, 1.25).await;
    fixture.store.is_away.store(true, Ordering::Relaxed);
    let cache = Arc::clone(&fixture.cache);
    let waiting = tokio::spawn(async move { cache.round(Duration::ZERO).await });
    while fixture.store.failed.load(Ordering::Relaxed) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(fixture.noticed().await, []);
    fixture.store.is_away.store(false, Ordering::Relaxed);
    waiting.await.unwrap();
    assert_eq!(fixture.noticed().await, [(100, Some(1.25))]);
}

#[tokio::test]
async fn rows_that_cannot_be_read_hide_no_change_of_another_series() {
    let fixture = Fixture::with_unreadable(Some(symbol("AAAUSDT"))).await;
    let series = (symbol("AAAUSDT"), M15);
    let rows: Vec<_> = (0..50).map(candle).map(CandleRow::undated).collect();
    let together = Together { timeframe: M15, until: close(49), count: 50 };
    fixture.cache.keep(&series, &Stretch::new(&rows, None, together, fixture.cache.now()), 50);
    fixture.insert("BTCUSDT", 0..50).await;
    fixture.window("BTCUSDT", 49, 50).await;
    fixture.correct(20, 1.25).await;
    round(&fixture).await;
    assert_eq!(fixture.noticed().await, [(20, Some(1.25))]);
}

#[tokio::test]
async fn a_round_reads_many_series_together() {
    let fixture = Fixture::new().await;
    for index in 0..100 {
        let name = format!("S{index}USDT");
        // Some have stopped.
        let newest = if index % 10 == 0 { 25 } else { 29 };
        fixture.insert(&name, 0..=newest).await;
        fixture.window(&name, newest, 20).await;
    }
    fixture.cost();
    round(&fixture).await;
    assert_eq!(fixture.cost(), (2, 100 * 19), "all but the oldest row of each");
    let empty = Fixture::new().await;
    round(&empty).await;
    assert_eq!(empty.cost(), (0, 0));
}
