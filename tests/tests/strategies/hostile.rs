//! Windows on which a careless rule panics, divides by zero or runs forever.

use proptest::prelude::*;
use ta_bot_core::{Candle, EvaluationError, Parameters};
use ta_bot_tests::built_in::{evaluate, modules};
use ta_bot_wasm::StrategyModule;

use crate::market::{candles, job, moves, window};

/// Asks every strategy and returns what went wrong.
fn failures(
    candles: &[Candle],
    modules: &[StrategyModule],
    parameters: impl Fn(&StrategyModule) -> Parameters,
) -> Vec<String> {
    let (window, job) = (window(candles), job(candles));
    let ask = |module: &StrategyModule| {
        let base = window.newest(module.description().lookback as usize);
        let outcome = evaluate(module, &job, base, &parameters(module)).outcome;
        let error = outcome.err().filter(|error| !matches!(error, EvaluationError::InsufficientData { .. }))?;
        Some(format!("{}: {error}", module.description().id))
    };
    modules.iter().filter_map(ask).collect()
}

fn defaults(module: &StrategyModule) -> Parameters {
    module.description().schema.defaults()
}

/// Each parameter somewhere in its range, or the defaults if those values do not fit together.
fn drawn(module: &StrategyModule, draws: &[f64]) -> Parameters {
    let schema = &module.description().schema;
    let mut parameters = schema.defaults();
    for (spec, draw) in schema.specs().iter().zip(draws.iter().cycle()) {
        let (Some(min), Some(max)) = (spec.min, spec.max) else { continue };
        let number = min + draw * (max - min);
        let value = match spec.default {
            Some(ta_bot_core::Value::Integer(_)) => ta_bot_core::Value::Integer(number as i32),
            _ => ta_bot_core::Value::Number(number),
        };
        parameters.set(spec.name.as_str(), value);
    }
    if module.check(&parameters).is_ok() { parameters } else { schema.defaults() }
}

#[test]
fn flat_and_empty_markets_are_answered() {
    let modules = modules().unwrap();
    for length in (0..=60).chain([100, 250, 265, 300]) {
        for volume in [0.0, 1.0] {
            let flat = candles(&vec![[0.0, 0.0, 0.0, volume]; length], 100.0);
            assert_eq!(failures(&flat, &modules, defaults), [""; 0], "{length} flat candles");
        }
    }
}

#[test]
fn nan_anywhere_traps_nobody() {
    let modules = modules().unwrap();
    let calm = candles(&(0..265).map(|i| [0.003 * f64::from(i % 3 - 1), 0.001, 0.002, 5.0]).collect::<Vec<_>>(), 100.0);
    let poisoned_at = |poisoned: &[usize], column: usize| {
        let mut candles = calm.clone();
        for &index in poisoned {
            let candle = &mut candles[index];
            let columns = [&mut candle.open, &mut candle.high, &mut candle.low, &mut candle.close, &mut candle.volume];
            for (place, value) in columns.into_iter().enumerate() {
                if column == place || column == 5 {
                    *value = f64::NAN;
                }
            }
        }
        candles
    };
    let everywhere: Vec<usize> = (0..calm.len()).collect();
    for column in 0..=5 {
        for poisoned in [&[264][..], &[263], &[0], &[100, 101, 102], &[260, 262, 264], &everywhere] {
            let failures = failures(&poisoned_at(poisoned, column), &modules, defaults);
            let trapped: Vec<_> = failures.iter().filter(|failure| !failure.contains("answer is invalid")).collect();
            assert!(trapped.is_empty(), "NaN in column {column} at {poisoned:?}: {trapped:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Valid candles at any price, with any parameters that fit together, cause no failure of any kind.
    #[test]
    fn no_market_makes_a_strategy_fail(
        moves in moves(300),
        price in prop_oneof![Just(1e-8), Just(1.0), Just(50_000.0), Just(1e12)],
        draws in prop::collection::vec(0.0..=1.0_f64, 7),
    ) {
        let modules = modules().unwrap();
        let candles = candles(&moves, price);
        prop_assert_eq!(failures(&candles, &modules, defaults), [""; 0]);
        prop_assert_eq!(failures(&candles, &modules, |module| drawn(module, &draws)), [""; 0]);
    }
}
