//! What every store of candles must do, whatever is behind it.
//!
//! A driver runs [`all`] in its tests. Each case gets an empty store of its own, as two handles: two replicas of the
//! service, or the service and a command that runs beside it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use ta_bot_core::{Candle, CandleRow, Symbol, Timeframe, Timestamp};

use super::{CandleStore, Inserted};

pub mod repairs;

/// Two handles of one empty store.
pub type Replicas = (Arc<dyn CandleStore>, Arc<dyn CandleStore>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case, each on a store that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Replicas) {
    nothing_is_there_at_first(fresh().await).await;
    only_closed_candles_are_given_newest_last(fresh().await).await;
    numbers_come_back_as_they_went_in(fresh().await).await;
    series_do_not_mix(fresh().await).await;
    a_candle_that_is_there_stays_as_it_is(fresh().await).await;
    the_order_of_insertion_does_not_matter(fresh().await).await;
    all_or_none_are_inserted(fresh().await).await;
    closes_of_many_symbols_are_found_at_once(fresh().await).await;
    a_quiet_series_does_not_widen_what_is_read_of_others(fresh().await).await;
    the_newest_close_of_each_series_is_found_at_once(fresh().await).await;
    windows_of_many_symbols_are_read_at_once(fresh().await).await;
    what_is_new_of_many_symbols_is_read_at_once(fresh().await).await;
    series_are_summed_up(fresh().await).await;
    many_candles_go_in_and_come_out(fresh().await).await;
    two_writers_insert_each_candle_once(fresh().await).await;
    an_imported_candle_is_closed(fresh().await).await;
    repairs::a_stretch_is_read_from_its_beginning(fresh().await).await;
    repairs::a_replacement_changes_what_differs(fresh().await).await;
    repairs::a_deletion_removes_a_stretch(fresh().await).await;
    repairs::a_repair_is_made_as_a_whole(fresh().await).await;
    repairs::the_log_is_followed(fresh().await).await;
}

/// A symbol by its name.
fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

/// The candle that opens `index` quarters of an hour after the start.
fn candle(index: i64) -> Candle {
    let open_time = Timestamp::from_millis(START + index * Timeframe::M15.millis());
    let price = 100.0 + (index % 50) as f64 * 0.25;
    Candle { open_time, open: price, high: price + 1.0, low: price - 1.0, close: price + 0.5, volume: index as f64 }
}

/// The same candle, for the suites of other stores.
pub fn candle_at(index: i64) -> Candle {
    candle(index)
}

fn candles(indices: impl IntoIterator<Item = i64>) -> Vec<Candle> {
    indices.into_iter().map(candle).collect()
}

/// When candle `index` closes.
fn close(index: i64) -> Timestamp {
    Timeframe::M15.close_of(candle(index).open_time)
}

async fn insert(store: &dyn CandleStore, name: &str, candles: &[Candle]) -> Inserted {
    store.insert(&symbol(name), Timeframe::M15, candles).await.unwrap()
}

async fn newest(store: &dyn CandleStore, name: &str, until: Timestamp, count: u32) -> Vec<Candle> {
    numbers(store.newest_closed(&symbol(name), Timeframe::M15, until, count).await.unwrap())
}

fn numbers(rows: Vec<CandleRow>) -> Vec<Candle> {
    rows.into_iter().map(|row| row.candle).collect()
}

/// The 15-minute candles that closed after the given candles, which are named by their indices.
async fn closed(store: &dyn CandleStore, after: &[(&str, i64)], until: Timestamp) -> Vec<(Symbol, Timestamp)> {
    store.closed_between(Timeframe::M15, &closes(after), until).await.unwrap()
}

fn closes(candles: &[(&str, i64)]) -> Vec<(Symbol, Timestamp)> {
    candles.iter().map(|(name, index)| (symbol(name), close(*index))).collect()
}

/// An empty store answers and holds nothing.
pub async fn nothing_is_there_at_first((store, other): Replicas) {
    store.ping().await.unwrap();
    other.ping().await.unwrap();
    assert_eq!(newest(&*store, "BTCUSDT", close(9), 10).await, []);
    assert_eq!(closed(&*store, &[("BTCUSDT", 0)], close(9)).await, []);
    assert_eq!(closed(&*store, &[], close(9)).await, []);
    assert_eq!(store.newest_closes(Timeframe::M15, &[symbol("BTCUSDT")], close(9)).await.unwrap(), []);
    assert_eq!(store.series().await.unwrap(), []);
    assert_eq!(insert(&*store, "BTCUSDT", &[]).await, Inserted::default());
    assert_eq!(store.series().await.unwrap(), [], "inserting nothing makes no series");
}

/// A candle counts from its close on, to the millisecond.
pub async fn only_closed_candles_are_given_newest_last((store, other): Replicas) {
    let inserted = insert(&*store, "BTCUSDT", &candles(0..5)).await;
    assert_eq!(inserted, Inserted { new: 5, same: 0, different: 0 });
    for store in [&store, &other] {
        assert_eq!(newest(&**store, "BTCUSDT", close(3), 2).await, candles([2, 3]));
        assert_eq!(newest(&**store, "BTCUSDT", close(3).plus_millis(-1), 2).await, candles([1, 2]));
        assert_eq!(newest(&**store, "BTCUSDT", close(99), 100).await, candles(0..5));
        assert_eq!(newest(&**store, "BTCUSDT", close(-1), 100).await, []);
        assert_eq!(newest(&**store, "BTCUSDT", close(3), 0).await, []);
    }
}

/// Prices and volumes with up to eight decimals come back as the same `f64`.
pub async fn numbers_come_back_as_they_went_in((store, _): Replicas) {
    let numbers = [0.000_000_01, 0.1, 0.3, 67_123.45, 123_456_789.123_456_78, 11_244_202.020_2, 99_999_999_999.0];
    let given: Vec<Candle> = numbers
        .into_iter()
        .zip(0..)
        .map(|(n, index)| Candle { open: n, high: n, low: n, close: n, volume: n, ..candle(index) })
        .collect();
    insert(&*store, "BTCUSDT", &given).await;
    assert_eq!(newest(&*store, "BTCUSDT", close(99), 99).await, given);
    let again = insert(&*store, "BTCUSDT", &given).await;
    assert_eq!(again, Inserted { new: 0, same: given.len() as u64, different: 0 });
}

/// Symbols and timeframes are kept apart.
pub async fn series_do_not_mix((store, _): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..4)).await;
    insert(&*store, "ETHUSDT", &candles(2..6)).await;
    let hourly = candles([0, 4]);
    store.insert(&symbol("BTCUSDT"), Timeframe::H1, &hourly).await.unwrap();
    assert_eq!(newest(&*store, "BTCUSDT", close(99), 99).await, candles(0..4));
    assert_eq!(newest(&*store, "ETHUSDT", close(99), 99).await, candles(2..6));
    assert_eq!(newest(&*store, "ADAUSDT", close(99), 99).await, []);
    let found = store.newest_closed(&symbol("BTCUSDT"), Timeframe::H1, close(99), 99).await.unwrap();
    assert_eq!(numbers(found), hourly);
}

/// A closed candle does not change: candles with other numbers are counted, and the first numbers are kept.
pub async fn a_candle_that_is_there_stays_as_it_is((store, other): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..3)).await;
    let changed = Candle { close: 100.8, ..candle(1) };
    let given = [candle(0), changed, candle(3), candle(3), Candle { volume: 9.5, ..candle(3) }];
    let inserted = insert(&*other, "BTCUSDT", &given).await;
    assert_eq!(inserted, Inserted { new: 1, same: 2, different: 2 });
    assert_eq!(newest(&*store, "BTCUSDT", close(99), 99).await, candles(0..4));
    assert_eq!(store.series().await.unwrap()[0].candles, 4);
}

/// Candles may be given in any order, and gaps may be filled later.
pub async fn the_order_of_insertion_does_not_matter((store, _): Replicas) {
    insert(&*store, "BTCUSDT", &candles((0..1200).filter(|index| index % 2 == 0))).await;
    let rest = insert(&*store, "BTCUSDT", &candles((0..1200).rev())).await;
    assert_eq!(rest, Inserted { new: 600, same: 600, different: 0 });
    insert(&*store, "BTCUSDT", &candles([-2, 1500, -1])).await;
    let expected = candles((-2..1200).chain([1500]));
    assert_eq!(newest(&*store, "BTCUSDT", close(2000), 5000).await, expected);
}

/// A candle that can't be stored, here one with a price that is not a number, keeps the others out.
pub async fn all_or_none_are_inserted((store, _): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..2)).await;
    let mut given = candles(2..2000);
    given.push(Candle { close: f64::NAN, ..candle(2000) });
    store.insert(&symbol("BTCUSDT"), Timeframe::M15, &given).await.unwrap_err();
    assert_eq!(newest(&*store, "BTCUSDT", close(9999), 9999).await, candles(0..2));
    assert_eq!(store.series().await.unwrap()[0].candles, 2);
    assert_eq!(insert(&*store, "BTCUSDT", &candles(0..5)).await, Inserted { new: 3, same: 2, different: 0 });
}

/// Candles are found after one moment and up to and including another, sorted by symbol and time.
pub async fn closes_of_many_symbols_are_found_at_once((store, _): Replicas) {
    insert(&*store, "ETHUSDT", &candles(0..4)).await;
    insert(&*store, "BTCUSDT", &candles(1..9)).await;
    insert(&*store, "ADAUSDT", &candles([1, 9])).await;
    store.insert(&symbol("BTCUSDT"), Timeframe::H1, &candles([0, 4])).await.unwrap();
    let after = |index| [("ETHUSDT", index), ("ADAUSDT", index), ("BTCUSDT", index)];
    let expected = [("BTCUSDT", 2), ("BTCUSDT", 3), ("ETHUSDT", 2), ("ETHUSDT", 3)];
    assert_eq!(closed(&*store, &after(1), close(3)).await, closes(&expected));
    let sooner = close(1).plus_millis(-1);
    let found = store.closed_between(Timeframe::M15, &[(symbol("ADAUSDT"), sooner)], close(9).plus_millis(-1)).await;
    assert_eq!(found.unwrap(), closes(&[("ADAUSDT", 1)]));
    assert_eq!(closed(&*store, &after(3), close(3)).await, []);
    assert_eq!(closed(&*store, &after(5), close(1)).await, []);
    assert_eq!(store.closed_between(Timeframe::D1, &closes(&after(0)), close(99)).await.unwrap(), []);
    let hourly = store.closed_between(Timeframe::H1, &closes(&after(-5)), close(99)).await.unwrap();
    let expected = [0, 4].map(|index| Timeframe::H1.close_of(candle(index).open_time));
    assert_eq!(hourly, expected.map(|close| (symbol("BTCUSDT"), close)));
}

/// Each series is read from its own moment on, and no other series is read.
pub async fn a_quiet_series_does_not_widen_what_is_read_of_others((store, _): Replicas) {
    insert(&*store, "LIVEUSDT", &candles(0..500)).await;
    insert(&*store, "QUIETUSDT", &candles(0..3)).await;
    insert(&*store, "OTHERUSDT", &candles(0..500)).await;
    let expected = [("LIVEUSDT", 498), ("LIVEUSDT", 499), ("QUIETUSDT", 1), ("QUIETUSDT", 2)];
    let after = [("QUIETUSDT", 0), ("LIVEUSDT", 497), ("NOWHERE", 0)];
    assert_eq!(closed(&*store, &after, close(999)).await, closes(&expected));
    assert_eq!(closed(&*store, &[("LIVEUSDT", 499)], close(999)).await, []);
    let many: Vec<_> = (0..3000).map(|index| (format!("COIN{index}"), 0)).collect();
    let many: Vec<_> = many.iter().map(|(name, index)| (name.as_str(), *index)).chain([("QUIETUSDT", 1)]).collect();
    assert_eq!(closed(&*store, &many, close(999)).await, closes(&[("QUIETUSDT", 2)]));
}

/// For each symbol, the newest closed candle is found, sorted by symbol. A symbol without such a candle is left out.
pub async fn the_newest_close_of_each_series_is_found_at_once((store, other): Replicas) {
    insert(&*store, "ETHUSDT", &candles(0..4)).await;
    insert(&*store, "BTCUSDT", &candles([1, 2, 7])).await;
    insert(&*store, "ADAUSDT", &candles([9])).await;
    store.insert(&symbol("SOLUSDT"), Timeframe::H1, &candles([0])).await.unwrap();
    insert(&*store, "DOTUSDT", &candles([3])).await;
    // One symbol that is not stored, and one that is asked for twice.
    let asked = ["SOLUSDT", "ETHUSDT", "NOUSDT", "ADAUSDT", "BTCUSDT", "ETHUSDT"].map(symbol);
    let found = async |until| other.newest_closes(Timeframe::M15, &asked, until).await.unwrap();
    assert_eq!(other.newest_closes(Timeframe::M15, &[], close(5)).await.unwrap(), []);
    assert_eq!(found(close(5)).await, closes(&[("BTCUSDT", 2), ("ETHUSDT", 3)]));
    assert_eq!(found(close(3).plus_millis(-1)).await, closes(&[("BTCUSDT", 2), ("ETHUSDT", 2)]));
    assert_eq!(found(close(0).plus_millis(-1)).await, []);
    assert_eq!(found(close(99)).await, closes(&[("ADAUSDT", 9), ("BTCUSDT", 7), ("ETHUSDT", 3)]));
    let many: Vec<_> = (0..3000).map(|index| symbol(&format!("COIN{index}"))).chain([symbol("DOTUSDT")]).collect();
    assert_eq!(other.newest_closes(Timeframe::M15, &many, close(5)).await.unwrap(), closes(&[("DOTUSDT", 3)]));
}

/// Windows of 15-minute candles. The moments are the closes of the candles given by their indices.
async fn windows(
    store: &dyn CandleStore,
    wanted: &[(&str, Option<i64>)],
    until: Timestamp,
    count: u32,
) -> Vec<Vec<Candle>> {
    let wanted: Vec<_> = wanted.iter().map(|(name, after)| (symbol(name), after.map(close))).collect();
    let found = store.newest_closed_of(Timeframe::M15, &wanted, until, count).await.unwrap();
    found.into_iter().map(numbers).collect()
}

/// Windows come in the order asked, whole or only what is new, with gaps and without. A series that is not stored is
/// empty.
pub async fn windows_of_many_symbols_are_read_at_once((store, other): Replicas) {
    insert(&*store, "ETHUSDT", &candles(0..9)).await;
    insert(&*store, "BTCUSDT", &candles([1, 2, 7])).await;
    insert(&*store, "ADAUSDT", &candles([9])).await;
    store.insert(&symbol("BTCUSDT"), Timeframe::H1, &candles([4])).await.unwrap();
    let wanted = [("BTCUSDT", None), ("NOWHERE", None), ("ETHUSDT", None), ("ADAUSDT", None)];
    let expected = [candles([2, 7]), vec![], candles([7, 8]), vec![]];
    assert_eq!(windows(&*other, &wanted, close(8), 2).await, expected);
    let expected = [candles([1, 2]), vec![], candles([5, 6]), vec![]];
    assert_eq!(windows(&*other, &wanted, close(7).plus_millis(-1), 2).await, expected);
    let expected = [candles([1, 2, 7]), vec![], candles(0..9), candles([9])];
    assert_eq!(windows(&*other, &wanted, close(99), 100).await, expected);
    assert_eq!(windows(&*other, &wanted, close(8), 0).await, vec![vec![]; 4]);
    assert!(windows(&*other, &[], close(8), 5).await.is_empty());
    let new =
        [("ETHUSDT", Some(6)), ("BTCUSDT", Some(2)), ("ETHUSDT", None), ("ADAUSDT", Some(9)), ("ETHUSDT", Some(8))];
    let expected = [candles([7, 8]), candles([7]), candles([6, 7, 8]), vec![], vec![]];
    assert_eq!(windows(&*other, &new, close(8), 3).await, expected);
    assert_eq!(
        windows(&*other, &[("ETHUSDT", Some(-90)), ("BTCUSDT", Some(0))], close(8), 2).await,
        [candles([7, 8]), candles([2, 7]),]
    );
    let sooner = [(symbol("ETHUSDT"), Some(close(7).plus_millis(-1)))];
    let found = store.newest_closed_of(Timeframe::M15, &sooner, close(8), 9).await.unwrap();
    assert_eq!(found.into_iter().map(numbers).collect::<Vec<_>>(), [candles([7, 8])]);
    let hourly = store.newest_closed_of(Timeframe::H1, &[(symbol("BTCUSDT"), None)], close(99), 9).await.unwrap();
    assert_eq!(hourly.into_iter().map(numbers).collect::<Vec<_>>(), [candles([4])]);
}

/// Many symbols close at once.
pub async fn what_is_new_of_many_symbols_is_read_at_once((store, _): Replicas) {
    let names: Vec<String> = (0..700).map(|index| format!("COIN{index}")).collect();
    for (name, index) in names.iter().zip(0..) {
        if index % 7 == 0 {
            insert(&*store, name, &candles(0..4)).await;
        }
    }
    let expected = |from: i64| {
        let of = |index| if index % 7 == 0 { candles(from..4) } else { vec![] };
        (0..700).map(of).collect::<Vec<_>>()
    };
    let new: Vec<_> = names.iter().map(|name| (name.as_str(), Some(2))).collect();
    assert_eq!(windows(&*store, &new, close(3), 250).await, expected(3));
    let each: Vec<_> = names.iter().zip(0..).map(|(name, index)| (name.as_str(), Some(-index))).collect();
    assert_eq!(windows(&*store, &each, close(3), 1000).await, {
        let mut all = expected(0);
        all[0] = candles(1..4);
        all
    });
    let all: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    assert_eq!(windows(&*store, &all, close(9), 1000).await, expected(0));
}

/// Series are sorted by symbol and by the length of the timeframe.
pub async fn series_are_summed_up((store, other): Replicas) {
    insert(&*store, "ETHUSDT", &candles(3..10)).await;
    store.insert(&symbol("BTCUSDT"), Timeframe::H1, &candles([4])).await.unwrap();
    insert(&*store, "BTCUSDT", &candles([7])).await;
    insert(&*store, "BTCUSDT", &candles([2, 5])).await;
    let series = other.series().await.unwrap();
    let found: Vec<_> =
        series.iter().map(|s| (s.symbol.as_str(), s.timeframe, s.candles, s.first_open, s.last_open)).collect();
    let open = |index| candle(index).open_time;
    let expected = [
        ("BTCUSDT", Timeframe::M15, 3, open(2), open(7)),
        ("BTCUSDT", Timeframe::H1, 1, open(4), open(4)),
        ("ETHUSDT", Timeframe::M15, 7, open(3), open(9)),
    ];
    assert_eq!(found, expected);
}

/// A large import.
pub async fn many_candles_go_in_and_come_out((store, _): Replicas) {
    let given = candles(0..20_000);
    assert_eq!(insert(&*store, "BTCUSDT", &given).await.new, 20_000);
    assert_eq!(newest(&*store, "BTCUSDT", close(19_999), 1000).await, given[19_000..]);
    assert_eq!(newest(&*store, "BTCUSDT", close(9_999), 10_000).await, given[..10_000]);
    assert_eq!(insert(&*store, "BTCUSDT", &given).await.same, 20_000);
}

/// Both insert the same candles at once: none is lost, and none counts twice.
pub async fn two_writers_insert_each_candle_once((store, other): Replicas) {
    let writers = (0..8).map(|writer| {
        let store = Arc::clone(if writer % 2 == 0 { &store } else { &other });
        tokio::spawn(async move { insert(&*store, "BTCUSDT", &candles(0..700 + writer)).await.new })
    });
    let mut new = 0;
    for writer in writers.collect::<Vec<_>>() {
        new += writer.await.unwrap();
    }
    assert_eq!(new, 707);
    assert_eq!(newest(&*other, "BTCUSDT", close(9999), 9999).await, candles(0..707));
}

/// Whatever a store says of when its rows were written, a closed candle that was inserted is one for every reader.
pub async fn an_imported_candle_is_closed((store, other): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..5)).await;
    let read = other.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, close(9), 9).await.unwrap();
    assert!(read.iter().all(|row| row.check(Timeframe::M15).is_ok()), "{read:?}");
    let wanted = [(symbol("BTCUSDT"), None)];
    assert_eq!(other.newest_closed_of(Timeframe::M15, &wanted, close(9), 9).await.unwrap(), [read]);
}
