//! Signals can be traded: the stop and the target of every buy and sell lie on the right sides of the price.

use proptest::prelude::*;
use ta_bot_core::{
    Action, ApplicationSettings, CandleSlice, Evaluated, Job, MessageRules, ParameterLevels, ResolvedParameters, Signal,
};
use ta_bot_tests::{
    built_in::{evaluate, modules},
    parity::{self, Series},
};
use ta_bot_wasm::{StrategyModule, WIT_VERSION};

use crate::market::{candles, job, moves, window};

/// The signal that the host lets through, if any.
fn signal(module: &StrategyModule, job: &Job, base: CandleSlice<'_>) -> Option<Signal> {
    let description = module.description();
    let parameters = ResolvedParameters::resolve(&description.schema, &ParameterLevels::default());
    let decision = evaluate(module, job, base, &parameters.values).outcome.ok()??;
    let evaluated = Evaluated {
        job,
        strategy: &description.id,
        module: module.digest(),
        wit_version: WIT_VERSION,
        parameters: &parameters,
        parameter_store: "none",
        window: base,
        window_hash: CandleSlice::hash(&[base]),
        holes: &[],
        host_version: "test",
        derived: &[],
        traceparent: None,
        rules: MessageRules::default(),
        decision: &decision,
    };
    let settings = ApplicationSettings {
        symbols: Vec::new(),
        timeframes: Vec::new(),
        enabled_strategies: None,
        min_confidence: 0.0,
        max_confidence: 1.0,
        accepted_holes: Vec::new(),
    };
    Signal::new(&evaluated, &settings).ok()
}

/// What is wrong with a signal's levels, read from the message as a trader would.
fn wrong_side(signal: &Signal) -> Option<String> {
    let level = |name: &str| signal.message[name].as_f64().unwrap_or(f64::NAN);
    let (price, stop, target) = (level("price"), level("stop_loss"), level("take_profit"));
    let right = match signal.action {
        Action::Buy => 0.0 < stop && stop < price && price < target,
        Action::Sell => 0.0 < target && target < price && price < stop,
        Action::Hold | Action::Close => true,
    };
    (!right).then(|| format!("{:?} at {price}, stop {stop}, target {target}", signal.action))
}

#[test]
fn on_recorded_markets() {
    let Some(folder) = parity::folder() else { return };
    let modules = modules().unwrap();
    let mut trades = 0;
    for series in Series::all(&folder).unwrap() {
        for index in (50..series.candles.len()).step_by(3) {
            let job = series.job(index);
            for module in &modules {
                let base = series.window(index, module.description().lookback as usize);
                let Some(signal) = signal(module, &job, base) else { continue };
                assert_eq!(wrong_side(&signal), None, "{} on {job}", module.description().id);
                trades += usize::from(signal.action != Action::Hold);
            }
        }
    }
    assert!(trades > 1000, "{trades} trades prove little");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_any_market(moves in moves(300), price in prop_oneof![Just(1e-8), Just(1.0), Just(1e12)]) {
        let modules = modules().unwrap();
        let candles = candles(&moves, price);
        let (window, job) = (window(&candles), job(&candles));
        for module in &modules {
            let base = window.newest(module.description().lookback as usize);
            if let Some(signal) = signal(module, &job, base) {
                prop_assert_eq!(wrong_side(&signal), None, "{}", module.description().id);
            }
        }
    }
}
