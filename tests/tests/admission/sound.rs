//! Modules without a fault are admitted: the built-in strategies, and the examples in every language.

use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ta_bot_engine::modules::admission::{CheckName, CheckOutcome, Recorded, admit};
use ta_bot_tests::built_in;
use ta_bot_wasm::StrategyModule;

use crate::support::{load, patient, sandbox};

/// What keeps a module from being admitted, if anything does.
fn obstacle(module: &StrategyModule) -> Option<String> {
    let verdict = admit(module, &Recorded::made_up(module.description()).unwrap());
    assert!(verdict.finished(), "{verdict:#?}");
    verdict.obstacle().map(|check| format!("{}: {check:#?}", verdict.strategy))
}

#[test]
fn every_built_in_strategy_is_admitted() {
    let sandbox = sandbox(patient());
    let load = |id: &String| StrategyModule::load(&sandbox, &built_in::bytes(id).unwrap()).unwrap();
    let modules: Vec<StrategyModule> = built_in::ids().unwrap().iter().map(load).collect();
    assert!(modules.len() >= 30, "{} strategies", modules.len());
    let obstacles: Vec<String> = modules.par_iter().filter_map(obstacle).collect();
    assert!(obstacles.is_empty(), "{}", obstacles.join("\n"));
}

#[test]
fn the_examples_of_every_language_are_admitted() {
    let sandbox = sandbox(patient());
    for name in ["momentum_rust", "momentum_c", "momentum_js", "momentum_python", "donchian_go", "hostile"] {
        assert_eq!(obstacle(&load(&sandbox, name)), None, "{name}");
    }
}

#[test]
fn a_verdict_says_what_it_took_and_on_what() {
    let module = load(&sandbox(patient()), "momentum_rust");
    let recorded = Recorded::made_up(module.description()).unwrap();
    let verdict = admit(&module, &recorded);
    assert_eq!((&verdict.digest, &verdict.strategy), (&module.digest().to_string(), &"momentum".to_owned()));
    assert!(verdict.candles.contains("made-up candles of 1h"), "{}", verdict.candles);
    let names: Vec<&str> = verdict.checks.iter().map(|check| check.name.as_str()).collect();
    let expected =
        ["description", "answers", "warm_up", "decisions", "repeatable", "no_memory", "past", "no_clock", "hostile"];
    assert_eq!(names, expected);
    for check in &verdict.checks {
        // Decisions are judged by the answers of other checks.
        assert_eq!(check.evaluations == 0, check.name == CheckName::Decisions, "{check:?}");
        assert!(check.duration_ms > 0.0, "{check:?}");
        let CheckOutcome::Passed { note } = &check.outcome else { panic!("{check:?}") };
        assert!(note.starts_with(|c: char| c.is_ascii_digit()) || check.name == CheckName::Description, "{note}");
    }
    let again = admit(&module, &recorded);
    let outcomes = |verdict: &ta_bot_engine::modules::admission::Verdict| {
        let told = verdict.checks.iter().filter(|check| check.name != CheckName::Answers);
        told.map(|check| (check.outcome.clone(), check.evaluations)).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&verdict), outcomes(&again));
}
