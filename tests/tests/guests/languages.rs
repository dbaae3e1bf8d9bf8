//! One strategy in four languages, without an SDK outside Rust: the same description, and the same answers to the last
//! bit.

use std::{fs, sync::OnceLock};

use ta_bot_core::{Candle, CandleWindow, EvaluationError, Timestamp, Value};
use ta_bot_tests::root;
use ta_bot_wasm::{LogLine, StrategyModule};

use crate::support::{evaluate, load, parameters, patient, random_walk, sandbox};

const LANGUAGES: [&str; 4] = ["rust", "c", "js", "python"];

/// Loaded once for all tests: a Python component takes tens of seconds to compile if the cache is empty.
fn modules() -> &'static [(&'static str, StrategyModule)] {
    static MODULES: OnceLock<Vec<(&str, StrategyModule)>> = OnceLock::new();
    MODULES.get_or_init(|| {
        let sandbox = sandbox(patient());
        LANGUAGES.map(|language| (language, load(&sandbox, &format!("momentum_{language}")))).to_vec()
    })
}

/// Settings that lead down every path of the rule.
fn settings() -> Vec<Vec<(&'static str, Value)>> {
    let text = |text: &str| Value::Text(text.to_owned());
    vec![
        vec![],
        vec![("threshold", Value::Number(0.0004))],
        vec![("threshold", Value::Number(0.0)), ("direction", text("long"))],
        vec![("threshold", Value::Number(0.0)), ("direction", text("short"))],
        vec![("period", Value::Integer(1)), ("threshold", Value::Number(0.001))],
        vec![("period", Value::Integer(200))],
        vec![("min_volume", Value::Number(40.0)), ("threshold", Value::Number(0.0004))],
    ]
}

/// Every bit of an answer and of the log, as text. Comparing floats would take -0 and 0 for the same, and NaN for
/// different from itself.
pub(crate) fn told(evaluation: &ta_bot_wasm::Evaluation) -> String {
    let bits = |number: Option<f64>| number.map(|number| format!("{number} {:016x}", number.to_bits()));
    let log: Vec<_> = evaluation.log.iter().map(|LogLine { level, message }| format!("{level:?} {message}")).collect();
    let answer = match &evaluation.outcome {
        Err(error) => format!("{} {error}", error.code()),
        Ok(None) => "nothing".to_owned(),
        Ok(Some(decision)) => format!(
            "{} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            decision.action.as_str(),
            bits(Some(decision.confidence)),
            bits(decision.price),
            bits(decision.stop_loss),
            bits(decision.take_profit),
            decision.strength,
            decision.rationale,
            decision.metadata
        ),
    };
    format!("{answer}; log: {log:?}")
}

/// Windows of the real series if those are available: some twenty of each.
fn real_windows() -> Vec<CandleWindow> {
    let folder = root().join("../shared/parity/candles");
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("no real candles beside the project: random walks only");
        return Vec::new();
    };
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    paths.sort();
    paths.iter().flat_map(|path| windows_of(&fs::read_to_string(path).unwrap())).collect()
}

fn windows_of(csv: &str) -> Vec<CandleWindow> {
    let candle = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |index: usize| fields[index].parse::<f64>().unwrap();
        Candle {
            open_time: Timestamp::from_millis(fields[0].parse().unwrap()),
            open: number(1),
            high: number(2),
            low: number(3),
            close: number(4),
            volume: number(5),
        }
    };
    let candles: Vec<Candle> = csv.lines().skip(1).map(candle).collect();
    let step = (candles.len() / 20).max(1);
    (1..=candles.len())
        .step_by(step)
        .map(|end| CandleWindow::new(candles[end.saturating_sub(201)..end].iter().copied()).unwrap())
        .collect()
}

#[test]
fn all_languages_describe_the_same() {
    let modules = modules();
    let (_, first) = &modules[0];
    for (language, module) in modules {
        assert_eq!(format!("{:?}", module.description()), format!("{:?}", first.description()), "{language}");
    }
}

#[test]
fn all_languages_answer_the_same() {
    let modules = modules();
    let mut windows: Vec<_> = (0..10).map(|seed| random_walk(230, seed)).collect();
    windows.extend([1, 2, 10, 11, 200, 201].map(|count| random_walk(count, 99)));
    windows.extend(real_windows());
    let (mut signals, mut refusals) = (0, 0);
    for (index, window) in windows.iter().enumerate() {
        for set in settings() {
            let answers = modules.iter().map(|(language, module)| {
                let evaluation = evaluate(module, window, &parameters(module, &set));
                match evaluation.outcome {
                    Ok(Some(_)) => signals += 1,
                    Ok(None) => {}
                    Err(EvaluationError::InsufficientData { .. }) => refusals += 1,
                    Err(error) => panic!("{language}, window {index}, {set:?}: {error}"),
                }
                (language, told(&evaluation))
            });
            let answers: Vec<_> = answers.collect();
            for (language, answer) in &answers {
                assert_eq!(answer, &answers[0].1, "{language}, window {index}, {set:?}");
            }
        }
    }
    assert!(signals > 400 && refusals > 20, "{signals} signals and {refusals} refusals are too few to compare");
}

#[test]
fn all_languages_check_the_same() {
    for (language, module) in modules() {
        let check = |set: &[(&str, Value)]| module.check(&parameters(module, set));
        assert_eq!(check(&[]), Ok(()), "{language}");
        let refusal = check(&[("threshold", Value::Number(0.0))]).unwrap_err();
        assert_eq!(refusal.code(), "invalid_parameters", "{language}");
        assert!(refusal.to_string().contains("threshold must be above 0 when direction is both"), "{refusal}");
    }
}
