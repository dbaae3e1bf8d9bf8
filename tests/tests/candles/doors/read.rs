//! Reads of both stores, with a cache in front of them and without.

use std::sync::Arc;

use ta_bot_core::{Candle, RowProblem, Timestamp};
use ta_bot_drivers::{
    mysql::{Mysql, candles::MysqlCandles, revisions::MysqlRevisions},
    sqlite::{Database, candles::SqliteCandles, revisions::SqliteRevisions},
};
use ta_bot_engine::{
    market::{
        cache::CandleCache,
        candle_store::CandleStore,
        candles::{Candles, DEFAULT_PATIENCE},
        revision_store::RevisionStore,
        revisions::Revisions,
    },
    support::metrics::Metrics,
};

use super::{
    cases::{CASES, Case, M15, Says, coded, newest_close},
    tables::Tables,
};

/// How many candles each series has, and which of them is bad.
pub(crate) const COUNT: usize = 20;
pub(crate) const SLOT: usize = 15;

/// The sound candle `index` of a series whose last candle closed at `close`.
pub(crate) fn candle(close: Timestamp, index: usize) -> Candle {
    let open_time = close.plus_millis((index as i64 - COUNT as i64) * M15.millis());
    Candle { open_time, open: 10.0, high: 12.0, low: 9.0, close: 11.0, volume: 5.0 + index as f64 }
}

/// The candles of a store, as they are and through a cache, counted together as those of one replica.
struct Doors {
    both: [(&'static str, Candles); 2],
    metrics: Arc<Metrics>,
}

impl Doors {
    fn of(store: &Arc<dyn CandleStore>, revisions: Arc<dyn RevisionStore>) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let stored = Candles::new(Arc::clone(store), DEFAULT_PATIENCE, Arc::clone(&metrics));
        let revisions = Revisions::new(revisions, Arc::clone(&metrics));
        let cached = stored.through(Arc::new(CandleCache::new(Arc::clone(store), Arc::new(revisions))));
        Self { both: [("stored", stored), ("cached", cached)], metrics }
    }

    /// Reads every case twice at each door, and compares with what has to be said. Each refused candle is counted once.
    async fn check(&self, close: Timestamp, says: fn(&Case) -> Says) {
        for case in &CASES {
            for (door, candles) in &self.both {
                for _ in 0..2 {
                    check(&format!("{}, {door}", case.name), candles, case, (close, says(case))).await;
                }
            }
        }
        for code in RowProblem::CODES {
            let counted = self.metrics.inputs.candles_refused.with_label_values(&[code]).get();
            assert_eq!(counted, coded(says, code), "{code}");
        }
    }
}

async fn check(place: &str, candles: &Candles, case: &Case, (close, says): (Timestamp, Says)) {
    let sound: Vec<Candle> = (0..COUNT).map(|index| candle(close, index)).collect();
    let without: Vec<Candle> = sound.iter().copied().filter(|candle| *candle != sound[SLOT]).collect();
    let window = async |count| candles.newest(&case.symbol(), M15, close, count).await.unwrap();
    let all = window(COUNT as u32).await;
    match says {
        Says::NoSuchInput(_) => return,
        Says::Taken => assert_eq!((&all.candles, all.refused.len()), (&sound, 0), "{place}"),
        Says::Nothing => assert_eq!((&all.candles, all.refused.len()), (&without, 0), "{place}"),
        Says::Refused(code, words) => {
            assert_eq!(all.candles, without, "{place}");
            let [refused] = &*all.refused else { panic!("{place}: {:?}", all.refused) };
            assert_eq!(refused.open_time, (case.rows)(sound[SLOT])[0].candle.open_time, "{place}");
            let told = refused.problem.to_string();
            assert!(refused.problem.code() == code && told.starts_with(words), "{place}: {told}");
        }
    }
    // A window reaches past what is no candle, as past a gap.
    let there = if says == Says::Taken { &sound } else { &without };
    assert_eq!(window(8).await.candles, there[there.len() - 8..], "{place}");
}

#[tokio::test]
async fn a_row_of_sqlite_is_refused_in_the_words_of_the_rule() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(folder.path()).await.unwrap();
    let store: Arc<dyn CandleStore> = Arc::new(SqliteCandles::new(database.clone()));
    let close = newest_close();
    for case in &CASES {
        let mut candles: Vec<Candle> = (0..COUNT).map(|index| candle(close, index)).collect();
        let sound = candles.remove(SLOT);
        store.insert(&case.symbol(), M15, &candles).await.unwrap();
        let bad: Vec<Candle> = (case.rows)(sound).iter().map(|row| row.candle).collect();
        let inserted = store.insert(&case.symbol(), M15, &bad).await;
        match case.name {
            "missing number" => assert!(inserted.is_err(), "{inserted:?}"),
            // Only one row of a candle is kept, so nothing can contradict it.
            "twice" => assert_eq!(inserted.unwrap().same, 1),
            "contradicted" => assert_eq!(inserted.unwrap().different, 1),
            _ => assert_eq!(inserted.unwrap().new as usize, bad.len(), "{}", case.name),
        }
    }
    Doors::of(&store, Arc::new(SqliteRevisions::new(database))).check(close, |case| case.in_sqlite).await;
}

#[tokio::test]
async fn a_row_of_mysql_is_refused_in_the_words_of_the_rule() {
    let tables = Tables::start().await;
    let database = Mysql::open(&tables.uri.parse().unwrap());
    let store: Arc<dyn CandleStore> = Arc::new(MysqlCandles::new(database.clone()));
    let close = newest_close();
    for case in &CASES {
        let mut candles: Vec<Candle> = (0..COUNT).map(|index| candle(close, index)).collect();
        candles.remove(SLOT);
        store.insert(&case.symbol(), M15, &candles).await.unwrap();
    }
    tables.take_missing_numbers().await;
    let possible = CASES.iter().filter(|case| !matches!(case.in_mysql, Says::NoSuchInput(_)));
    let bad = possible.flat_map(|case| (case.rows)(candle(close, SLOT)).into_iter().map(|row| (case.symbol(), row)));
    tables.insert(bad).await;
    Doors::of(&store, Arc::new(MysqlRevisions::new(database))).check(close, |case| case.in_mysql).await;
}
