//! Changes by hand: all or nothing, noted in the log, and told apart from what was the same already.

use std::ops::Range;

use ta_bot_core::{Candle, Timeframe, Timestamp};

use super::{Replicas, candle, candles, close, insert, newest, symbol};
use crate::{
    market::candle_store::{CandleStore, Repair, RepairChange, RepairKind, Repaired},
    settings::config_store::Author,
};

fn repair(name: &str, change: RepairChange) -> Repair {
    let author = Author {
        changed_by: "ann".to_owned(),
        claimed_by: Some("bob".to_owned()),
        reason: Some("a bad archive".to_owned()),
        at: close(0),
    };
    Repair { symbol: symbol(name), timeframe: Timeframe::M15, change, author }
}

async fn replace(store: &dyn CandleStore, candles: Vec<Candle>) -> Repaired {
    store.repair(&repair("BTCUSDT", RepairChange::Replace(candles))).await.unwrap()
}

/// The stretch of time in which these candles open.
fn opened(indices: Range<i64>) -> Range<Timestamp> {
    candle(indices.start).open_time..candle(indices.end).open_time
}

fn changed(index: i64) -> Candle {
    Candle { close: candle(index).close + 0.25, ..candle(index) }
}

/// Rows are read by the time at which their candles opened, the oldest first.
pub async fn a_stretch_is_read_from_its_beginning((store, other): Replicas) {
    insert(&*store, "BTCUSDT", &candles([0, 1, 2, 5, 6])).await;
    insert(&*store, "ETHUSDT", &candles(0..9)).await;
    let read = async |indices, limit| {
        let found = other.opened_within(&symbol("BTCUSDT"), Timeframe::M15, opened(indices), limit).await.unwrap();
        super::numbers(found)
    };
    assert_eq!(read(1..6, 9).await, candles([1, 2, 5]));
    assert_eq!(read(1..6, 2).await, candles([1, 2]));
    assert_eq!(read(3..5, 9).await, []);
    assert_eq!(read(-9..99, 99).await, candles([0, 1, 2, 5, 6]));
    let hours = other.opened_within(&symbol("BTCUSDT"), Timeframe::H1, opened(0..9), 9).await.unwrap();
    assert_eq!(hours, []);
}

/// What differs is replaced, what is missing is added, and everything else stays.
pub async fn a_replacement_changes_what_differs((store, other): Replicas) {
    insert(&*store, "BTCUSDT", &candles([0, 1, 2, 5])).await;
    insert(&*store, "ETHUSDT", &candles(0..6)).await;
    assert_eq!(store.newest_repairs(9).await.unwrap(), []);
    let done = replace(&*other, vec![candle(3), changed(1), candle(2)]).await;
    let number = done.number.unwrap();
    assert_eq!(done, Repaired { number: Some(number), added: 1, changed: 1, removed: 0, same: 1 });
    let expected = [candle(0), changed(1), candle(2), candle(3), candle(5)];
    assert_eq!(newest(&*store, "BTCUSDT", close(99), 99).await, expected);
    assert_eq!(newest(&*store, "ETHUSDT", close(99), 99).await, candles(0..6));
    assert_eq!(store.series().await.unwrap()[0].candles, 5);
    let read = store.newest_closed(&symbol("BTCUSDT"), Timeframe::M15, close(99), 99).await.unwrap();
    assert!(read.iter().all(|row| row.check(Timeframe::M15).is_ok()), "{read:?}");
    let entry = &store.newest_repairs(9).await.unwrap()[0];
    assert_eq!((entry.number, entry.kind, entry.symbol.as_str()), (number, RepairKind::Replace, "BTCUSDT"));
    assert_eq!((entry.first_open, entry.last_open), (candle(1).open_time, candle(3).open_time));
    assert_eq!((entry.added, entry.changed, entry.removed), (1, 1, 0));
    assert_eq!((entry.author.changed_by.as_str(), entry.author.reason.as_deref()), ("ann", Some("a bad archive")));
    assert_eq!(entry.author.at, close(0));
    let again = replace(&*store, vec![candle(3), changed(1), candle(2)]).await;
    assert_eq!(again, Repaired { same: 3, ..Repaired::default() }, "nothing is noted");
    assert_eq!(store.newest_repairs(9).await.unwrap().len(), 1);
}

/// A stretch is deleted, and the series goes on without it.
pub async fn a_deletion_removes_a_stretch((store, other): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..10)).await;
    insert(&*store, "ETHUSDT", &candles(0..3)).await;
    let delete = async |indices| {
        let change = RepairChange::Delete(opened(indices));
        other.repair(&repair("BTCUSDT", change)).await.unwrap()
    };
    let done = delete(7..99).await;
    assert_eq!((done.removed, done.added, done.changed, done.same), (3, 0, 0, 0));
    assert_eq!(delete(2..4).await.removed, 2);
    assert_eq!(newest(&*store, "BTCUSDT", close(99), 99).await, candles([0, 1, 4, 5, 6]));
    let series = store.series().await.unwrap();
    let of_bitcoin = (series[0].candles, series[0].first_open, series[0].last_open);
    assert_eq!(of_bitcoin, (5, candle(0).open_time, candle(6).open_time));
    assert_eq!(delete(2..4).await, Repaired::default(), "there is nothing left");
    let entries = store.newest_repairs(9).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.removed).collect::<Vec<_>>(), [2, 3]);
    assert_eq!((entries[0].first_open, entries[0].last_open), (candle(2).open_time, candle(3).open_time));
    assert_eq!(delete(-9..99).await.removed, 5);
    assert_eq!(store.series().await.unwrap().len(), 1, "a series without candles is none");
    insert(&*store, "BTCUSDT", &candles([3])).await;
    assert_eq!(newest(&*other, "BTCUSDT", close(99), 99).await, candles([3]));
    assert_eq!(store.series().await.unwrap()[0].first_open, candle(3).open_time);
}

/// A candle that can't be stored keeps the others out, too.
pub async fn a_repair_is_made_as_a_whole((store, _): Replicas) {
    insert(&*store, "BTCUSDT", &candles(0..1500)).await;
    let mut given: Vec<Candle> = (0..1500).map(changed).collect();
    given.push(Candle { close: f64::NAN, ..candle(1500) });
    store.repair(&repair("BTCUSDT", RepairChange::Replace(given.clone()))).await.unwrap_err();
    assert_eq!(newest(&*store, "BTCUSDT", close(9999), 9999).await, candles(0..1500));
    assert_eq!(store.newest_repairs(9).await.unwrap(), []);
    given.pop();
    assert_eq!(replace(&*store, given.clone()).await.changed, 1500);
    assert_eq!(newest(&*store, "BTCUSDT", close(9999), 9999).await, given);
}

/// Readers follow the log from where they left off.
pub async fn the_log_is_followed((store, other): Replicas) {
    for index in 0..5 {
        replace(&*store, vec![candle(index)]).await;
    }
    let all = other.newest_repairs(99).await.unwrap();
    let numbers: Vec<i64> = all.iter().map(|entry| entry.number).collect();
    assert!(numbers.len() == 5 && numbers.is_sorted_by(|newer, older| newer > older), "{numbers:?}");
    assert_eq!(other.newest_repairs(2).await.unwrap(), all[..2]);
    let mut following = other.repairs_after(numbers[3], 2).await.unwrap();
    following.extend(other.repairs_after(following[1].number, 9).await.unwrap());
    assert_eq!(following.iter().map(|entry| entry.number).rev().collect::<Vec<_>>(), numbers[..3]);
    assert_eq!(other.repairs_after(numbers[0], 9).await.unwrap(), []);
}
