//! What every store of decisions that were made again must do, whatever is behind it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "tests, and a test may fail loudly")]

use std::sync::Arc;

use ta_bot_core::{Job, ModuleDigest, SignalId, Symbol, Timeframe, Timestamp};

use super::{Redecision, RedecisionFilter, RedecisionStore};
use crate::{
    market::candle_store::{CandleStore, Repair, RepairChange},
    settings::config_store::Author,
};

/// The store of candles, whose repairs the decisions belong to, and two handles of the store of decisions.
pub type Stores = (Arc<dyn CandleStore>, Arc<dyn RedecisionStore>, Arc<dyn RedecisionStore>);

/// 2026-01-01 00:00.
const START: i64 = 1_767_225_600_000;

/// Runs every case, each on stores that `fresh` makes.
pub async fn all(fresh: impl AsyncFn() -> Stores) {
    decisions_are_listed_in_order(fresh().await).await;
    decisions_are_replaced(fresh().await).await;
    decisions_are_filtered(fresh().await).await;
}

/// Makes a repair, so that there is one with a number.
async fn repaired(candles: &dyn CandleStore, index: i64) -> i64 {
    let candle = crate::market::candle_store::contract::candle_at(index);
    let author =
        Author { changed_by: "ann".to_owned(), claimed_by: None, reason: None, at: Timestamp::from_millis(START) };
    let symbol: Symbol = "BTCUSDT".parse().unwrap();
    let change = RepairChange::Replace(vec![candle]);
    candles.repair(&Repair { symbol, timeframe: Timeframe::M15, change, author }).await.unwrap().number.unwrap()
}

fn decision(repair: i64, strategy: &str, index: i64, outcome: &str) -> Redecision {
    let id: SignalId = format!("{index:064x}").parse().unwrap();
    Redecision {
        repair,
        job: Job {
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: Timeframe::M15,
            candle_close: Timestamp::from_millis(START + index * Timeframe::M15.millis()),
        },
        strategy: strategy.parse().unwrap(),
        module: ModuleDigest::of(strategy.as_bytes()),
        outcome: outcome.to_owned(),
        signal: (outcome == "signal").then(|| (id, format!("{{\"index\":{index},\"price\":1e-8,\"ü\":\"ß\"}}"))),
        decided_at: Timestamp::from_millis(START + 7),
    }
}

async fn list(store: &dyn RedecisionStore, filter: RedecisionFilter) -> Vec<Redecision> {
    store.list(&filter).await.unwrap()
}

fn of(repair: i64) -> RedecisionFilter {
    RedecisionFilter { repair, limit: 1000, ..RedecisionFilter::default() }
}

/// What was stored comes back as it was, by candle and strategy.
pub async fn decisions_are_listed_in_order((candles, store, other): Stores) {
    let repair = repaired(&*candles, 1).await;
    store.add(&[]).await.unwrap();
    assert_eq!(list(&*store, of(repair)).await, []);
    let given = [
        decision(repair, "rsi", 3, "none"),
        decision(repair, "rsi", 1, "signal"),
        decision(repair, "macd", 3, "signal"),
    ];
    store.add(&given).await.unwrap();
    let [third, first, second] = given;
    assert_eq!(list(&*other, of(repair)).await, [first.clone(), second, third]);
    assert_eq!(list(&*other, RedecisionFilter { limit: 1, ..of(repair) }).await, [first]);
    assert_eq!(list(&*other, of(repair + 1)).await, []);
}

/// The same candle is decided once for each repair.
pub async fn decisions_are_replaced((candles, store, _): Stores) {
    let (one, two) = (repaired(&*candles, 1).await, repaired(&*candles, 2).await);
    store.add(&[decision(one, "rsi", 1, "signal"), decision(two, "rsi", 1, "none")]).await.unwrap();
    store.add(&[decision(one, "rsi", 1, "none")]).await.unwrap();
    for repair in [one, two] {
        assert_eq!(list(&*store, of(repair)).await, [decision(repair, "rsi", 1, "none")]);
    }
    let many: Vec<Redecision> = (0..300).map(|index| decision(one, "rsi", index, "signal")).collect();
    store.add(&many).await.unwrap();
    assert_eq!(list(&*store, of(one)).await, many);
}

/// Every condition narrows the list.
pub async fn decisions_are_filtered((candles, store, _): Stores) {
    let repair = repaired(&*candles, 1).await;
    let mut elsewhere = decision(repair, "rsi", 2, "signal");
    elsewhere.job.symbol = "ETHUSDT".parse().unwrap();
    let given = [decision(repair, "macd", 1, "signal"), decision(repair, "rsi", 1, "signal"), elsewhere];
    store.add(&given).await.unwrap();
    let of_macd = RedecisionFilter { strategy: Some("macd".parse().unwrap()), ..of(repair) };
    assert_eq!(list(&*store, of_macd).await, given[..1]);
    let of_ether = RedecisionFilter { symbol: Some("ETHUSDT".parse().unwrap()), ..of(repair) };
    assert_eq!(list(&*store, of_ether).await, given[2..]);
    let later = RedecisionFilter { after: Some(given[0].job.candle_close), ..of(repair) };
    assert_eq!(list(&*store, later).await, given[2..]);
}
