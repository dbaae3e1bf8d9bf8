use ta_bot_core::{EvaluationError, ModuleDigest, StrategyId};
use ta_bot_wasm::Usage;

use crate::sqlite::{Database, costs::SqliteCosts};
use tempfile::TempDir;

use super::*;
use crate::{
    evaluation::SkipReason,
    supervision::costs::contract::{everything, hour},
};

async fn ledger(folder: &TempDir) -> (Ledger, Database) {
    let database = Database::open(folder.path()).await.unwrap();
    let store = Arc::new(SqliteCosts::new(database.clone()));
    (Ledger::new(store, Arc::new(Metrics::new().unwrap())), database)
}

fn symbol(name: &str) -> Symbol {
    name.parse().unwrap()
}

fn outcome(strategy: &str, micros: u64, outcome: Outcome) -> StrategyOutcome {
    let usage = Usage { memory_bytes: micros << 16, bytes_in: 800, bytes_out: 5, fuel: None };
    let duration = Duration::from_micros(micros);
    let digest = ModuleDigest::of(strategy.as_bytes());
    let strategy: StrategyId = strategy.parse().unwrap();
    StrategyOutcome { strategy, digest, outcome, holes: Vec::new(), duration, usage, log: Vec::new() }
}

async fn by_strategy(ledger: &Ledger) -> Vec<(String, Cost)> {
    let sums = ledger.sums(&everything(), CostBy::Strategy).await.unwrap();
    sums.into_iter().map(|(group, cost)| (group.strategy.unwrap().to_string(), cost)).collect()
}

#[tokio::test]
async fn evaluations_are_summed_and_those_that_were_not_made_are_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _) = ledger(&folder).await;
    let timeout = || Outcome::Error(EvaluationError::Timeout { limit_ms: 250, ran_ms: None });
    let young = || Outcome::Error(EvaluationError::InsufficientData { needed: 9, given: 1 });
    let skipped = outcome("macd", 0, Outcome::Skipped(SkipReason::OverBudget));
    let outcomes = [outcome("rsi", 40, Outcome::None), outcome("slow", 900, timeout()), skipped];
    ledger.record(&symbol("BTCUSDT"), &outcomes, hour(0).plus_millis(5));
    ledger.record(&symbol("ETHUSDT"), &[outcome("rsi", 60, young())], hour(1));
    let once = Cost { evaluations: 1, bytes_in: 800, bytes_out: 5, ..Cost::default() };
    let took = |total, longest, cost| Cost {
        total: Duration::from_micros(total),
        longest: Duration::from_micros(longest),
        peak_memory: longest << 16,
        ..cost
    };
    let slow = took(900, 900, Cost { failures: 1, ..once });
    let rsi = took(100, 60, Cost { evaluations: 2, bytes_in: 1600, bytes_out: 10, ..once });
    // The most expensive first, both before and after the flush.
    let expected = [("slow".to_owned(), slow), ("rsi".to_owned(), rsi)];
    assert_eq!(by_strategy(&ledger).await, expected);
    ledger.flush().await.unwrap();
    assert!(ledger.open().is_empty());
    assert_eq!(by_strategy(&ledger).await, expected);
    let later = CostFilter { since: hour(1), ..everything() };
    let later = ledger.sums(&later, CostBy::Symbol).await.unwrap();
    assert_eq!((later.len(), later[0].0.symbol.clone()), (1, Some(symbol("ETHUSDT"))));
}

#[tokio::test]
async fn what_is_stored_and_what_waits_are_one_sum() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _) = ledger(&folder).await;
    for round in 1..4 {
        ledger.record(&symbol("BTCUSDT"), &[outcome("rsi", 10, Outcome::None)], hour(0));
        assert_eq!(by_strategy(&ledger).await[0].1.evaluations, 2 * round - 1);
        ledger.flush().await.unwrap();
        ledger.record(&symbol("BTCUSDT"), &[outcome("rsi", 10, Outcome::None)], hour(0));
        assert_eq!(by_strategy(&ledger).await[0].1.evaluations, 2 * round);
    }
}

#[tokio::test]
async fn what_a_store_does_not_take_waits_and_comes_with_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let (mut ledger, database) = ledger(&folder).await;
    let symbols = ADDED_AT_ONCE * 2 + 1;
    let measure = |ledger: &Ledger| {
        for index in 0..symbols {
            ledger.record(&symbol(&format!("COIN{index}")), &[outcome("rsi", 10, Outcome::None)], hour(0));
        }
    };
    measure(&ledger);
    database.close().await;
    assert!(ledger.flush().await.is_err());
    assert_eq!(ledger.open().len(), symbols);
    measure(&ledger);
    ledger.store = Arc::new(SqliteCosts::new(Database::open(folder.path()).await.unwrap()));
    ledger.flush().await.unwrap();
    assert!(ledger.open().is_empty());
    assert_eq!(by_strategy(&ledger).await[0].1.evaluations, symbols as u64 * 2);
}

#[tokio::test]
async fn what_waits_has_an_end_and_what_is_lost_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, _) = ledger(&folder).await;
    let measure = |index: usize| {
        ledger.record(&symbol(&format!("COIN{index}")), &[outcome("rsi", 10, Outcome::None)], hour(0));
    };
    (0..MOST_ENTRIES + 3).for_each(measure);
    assert_eq!(ledger.open().len(), MOST_ENTRIES);
    // An entry that exists still grows.
    measure(0);
    let text: String = ledger.metrics.render().unwrap().collect();
    assert!(text.lines().any(|line| line == "ta_bot_costs_lost_total 3"), "{text}");
    let cost = ledger.open().values().map(|cost| cost.evaluations).sum::<u64>();
    assert_eq!(cost, MOST_ENTRIES as u64 + 1);
}

#[test]
fn an_entry_takes_what_is_written_above() {
    assert!(size_of::<((Timestamp, CostKey), Cost)>() <= 160);
}

#[tokio::test]
async fn the_last_minute_is_kept_when_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, database) = ledger(&folder).await;
    let ledger = Arc::new(ledger);
    let stop = CancellationToken::new();
    ledger.record(&symbol("BTCUSDT"), &[outcome("rsi", 10, Outcome::None)], hour(0));
    stop.cancel();
    Arc::clone(&ledger).run(FLUSH_PAUSE, stop).await;
    let stored = SqliteCosts::new(database).sums(&everything(), CostBy::Strategy).await.unwrap();
    assert_eq!(stored[0].1.evaluations, 1);
}
