//! The two examples in the five languages, made with the SDKs: the same descriptions, and the same answers to the last
//! bit on every recorded series.

use ta_bot_core::{CandleWindow, EvaluationError, Value};
use ta_bot_tests::parity::{Series, folder};
use ta_bot_wasm::{EvaluationInput, StrategyModule};

use crate::{
    languages::told,
    support::{evaluate, load, parameters, patient, random_walk, sandbox},
};

const LANGUAGES: [&str; 5] = ["rust", "c", "go", "js", "python"];

/// Of each series, the windows that are looked at in Rust, and how many of them with a signal are compared.
const LOOKED_AT: usize = 150;
const COMPARED: usize = 6;

fn modules(example: &str) -> Vec<(&'static str, StrategyModule)> {
    let sandbox = sandbox(patient());
    let modules = LANGUAGES.map(|language| (language, load(&sandbox, &format!("{example}_{language}"))));
    let description = format!("{:?}", modules[0].1.description());
    for (language, module) in &modules {
        assert_eq!(format!("{:?}", module.description()), description, "{example} in {language}");
    }
    modules.to_vec()
}

type Setting = Vec<(&'static str, Value)>;

fn number(name: &'static str, number: f64) -> (&'static str, Value) {
    (name, Value::Number(number))
}

fn integer(name: &'static str, integer: i32) -> (&'static str, Value) {
    (name, Value::Integer(integer))
}

fn text(name: &'static str, text: &str) -> (&'static str, Value) {
    (name, Value::Text(text.to_owned()))
}

/// The ends of some windows of a series: those on which Rust gives a signal, and a few others.
fn worth_comparing(rust: &StrategyModule, series: &Series, setting: &Setting) -> Vec<usize> {
    let parameters = parameters(rust, setting);
    let lookback = rust.description().lookback as usize;
    let step = (series.candles.len() / LOOKED_AT).max(1);
    let (mut signals, mut others) = (Vec::new(), Vec::new());
    for index in (0..series.candles.len()).step_by(step) {
        let base = series.window(index, lookback);
        let input = EvaluationInput { job: &series.job(index), base, extra: &[], parameters: &parameters };
        match rust.evaluate(input).outcome {
            Ok(Some(_)) => signals.push(index),
            Ok(None) => others.push(index),
            Err(EvaluationError::InsufficientData { .. }) if others.len() < 2 => others.push(index),
            Err(_) => {}
        }
    }
    let every = (signals.len() / COMPARED).max(1);
    let mut chosen: Vec<_> = signals.into_iter().step_by(every).take(COMPARED).collect();
    chosen.extend(others.iter().step_by((others.len() / 3).max(1)));
    chosen
}

/// Compares on the recorded series; returns how many answers were signals.
fn compare(example: &str, settings: &[Setting]) -> usize {
    let modules = modules(example);
    let Some(folder) = folder() else { return 0 };
    let mut signals = 0;
    for series in Series::all(&folder).unwrap() {
        for setting in settings {
            for index in worth_comparing(&modules[0].1, &series, setting) {
                let answers = modules.iter().map(|(language, module)| {
                    let parameters = parameters(module, setting);
                    let base = series.window(index, module.description().lookback as usize);
                    let job = series.job(index);
                    let input = EvaluationInput { job: &job, base, extra: &[], parameters: &parameters };
                    let evaluation = module.evaluate(input);
                    signals += usize::from(matches!(evaluation.outcome, Ok(Some(_))));
                    (*language, told(&evaluation))
                });
                let answers: Vec<_> = answers.collect();
                for (language, answer) in &answers {
                    assert_eq!(
                        answer, &answers[0].1,
                        "{example} in {language}: {} at {index}, {setting:?}",
                        series.name
                    );
                }
            }
        }
    }
    signals
}

#[test]
fn the_rsi_answers_the_same_in_every_language() {
    let signals = compare(
        "rsi",
        &[
            vec![],
            vec![integer("period", 2)],
            vec![integer("period", 5), number("oversold", 40.0), number("overbought", 60.5), text("direction", "long")],
            vec![integer("period", 40), number("oversold", 49.0), number("overbought", 51.0)],
        ],
    );
    assert!(folder().is_none() || signals > 1_000, "{signals} signals are too few to compare");
}

#[test]
fn the_breakout_answers_the_same_in_every_language() {
    let signals = compare(
        "donchian",
        &[
            vec![],
            vec![integer("channel", 5), integer("atr_period", 3), integer("trend_period", 50)],
            vec![integer("channel", 55), number("stop_distance", 3.3), number("reward", 1.7)],
        ],
    );
    assert!(folder().is_none() || signals > 1_000, "{signals} signals are too few to compare");
}

#[test]
fn walks_short_windows_and_refusals_are_the_same_in_every_language() {
    let windows: Vec<CandleWindow> = [1, 14, 15, 16, 20, 21, 22, 250].map(|count| random_walk(count, 7)).into();
    for (example, wrong) in [
        ("rsi", vec![number("oversold", 70.0)]),
        ("donchian", vec![integer("channel", 30), integer("trend_period", 30)]),
    ] {
        let modules = modules(example);
        for setting in [vec![], wrong.clone()] {
            for window in &windows {
                let answer = |module| told(&evaluate(module, window, &parameters(module, &setting)));
                let rust = answer(&modules[0].1);
                for (language, module) in &modules {
                    assert_eq!(answer(module), rust, "{example} in {language}, {} candles", window.len());
                }
            }
        }
        let refusals =
            modules.iter().map(|(_, module)| module.check(&parameters(module, &wrong)).unwrap_err().to_string());
        let refusals: Vec<_> = refusals.collect();
        assert!(refusals[0].contains("must be below"), "{refusals:?}");
        assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    }
}
