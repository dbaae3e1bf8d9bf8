//! Every parameter matters, and none accepts a value outside its range.

use rayon::prelude::*;
use serde_json::{Map, Value as Json, json};
use ta_bot_core::{Decision, ParameterSpec, Parameters, Value, ValueKind};
use ta_bot_tests::{
    built_in::{evaluate, modules},
    parity::{self, Series},
};
use ta_bot_wasm::StrategyModule;

/// The step from one evaluated window to the next in the first, the second and the last search.
const STEPS: [usize; 3] = [23, 5, 1];

/// Some values that the parameter may take instead of its default: the ends of its range, near the default, in between.
fn alternatives(spec: &ParameterSpec) -> Vec<Value> {
    let number = |value: &Value| match value {
        Value::Integer(value) => Some(f64::from(*value)),
        Value::Number(value) => Some(*value),
        _ => None,
    };
    let Some(default) = spec.default.as_ref() else { return of_optional(spec) };
    let Some(default) = number(default) else {
        let choices = spec.choices.iter().map(|choice| Value::Text(choice.clone()));
        return choices
            .chain([Value::Boolean(true), Value::Boolean(false)])
            .filter(|value| value.kind() == spec.kind)
            .collect();
    };
    let (min, max) = (spec.min.unwrap_or(default - 100.0), spec.max.unwrap_or(default + 100.0));
    let between = [min, max, default * 1.2, default * 0.8, default * 2.0, default * 0.5, default + 1.0, default - 1.0];
    let candidates = between.into_iter().chain([f64::midpoint(min, default), f64::midpoint(max, default)]);
    let whole = matches!(spec.default, Some(Value::Integer(_)));
    candidates
        .map(|value| value.clamp(min, max))
        .map(|value| if whole { Value::Integer(value as i32) } else { Value::Number(value) })
        .filter(|value| Some(value) != spec.default.as_ref())
        .collect()
}

/// Some values for a parameter that has no default.
fn of_optional(spec: &ParameterSpec) -> Vec<Value> {
    let (min, max) = (spec.min.unwrap_or(0.0), spec.max.unwrap_or(50.0));
    match spec.kind {
        ValueKind::Number => [min, max, f64::midpoint(min, max)].map(Value::Number).to_vec(),
        _ => vec![Value::Integer(max as i32)],
    }
}

/// What a strategy decides, without its rationale, which names every parameter.
fn decided(module: &StrategyModule, series: &Series, index: usize, parameters: &Parameters) -> Option<Decision> {
    let description = module.description();
    if !description.runs_on(series.timeframe) {
        return None;
    }
    let base = series.window(index, description.lookback as usize);
    let decision = evaluate(module, &series.job(index), base, parameters).outcome.ok()?;
    decision.map(|decision| Decision { rationale: None, ..decision })
}

/// A decision as text, so that NaN does not differ from itself.
fn shown(decision: Option<&Decision>) -> String {
    format!("{decision:?}")
}

/// Whether another value of a parameter changes an answer: alone, or else together with one other parameter that is not
/// at its default.
fn matters(module: &StrategyModule, spec: &ParameterSpec, all: &[Series]) -> bool {
    let defaults = module.description().schema.defaults();
    let alone = STEPS.iter().any(|&step| differs(module, spec, all, &defaults, step));
    let others = module.description().schema.specs().iter().filter(|other| *other != spec);
    alone || bases(module, others, &defaults).iter().any(|base| differs(module, spec, all, base, STEPS[1]))
}

/// Variants of the parameters, each with one of them changed.
fn bases<'a>(
    module: &StrategyModule,
    specs: impl Iterator<Item = &'a ParameterSpec>,
    parameters: &Parameters,
) -> Vec<Parameters> {
    let otherwise = specs.flat_map(|spec| alternatives(spec).into_iter().map(|value| (spec.name.clone(), value)));
    let bases = otherwise.map(|(name, value)| {
        let mut base = parameters.clone();
        base.set(name, value);
        base
    });
    bases.filter(|base| module.check(base).is_ok()).collect()
}

/// Whether a value other than that of `base` changes an answer on any of the windows, taken in steps of `step`.
fn differs(module: &StrategyModule, spec: &ParameterSpec, all: &[Series], base: &Parameters, step: usize) -> bool {
    let others = bases(module, std::iter::once(spec), base);
    let differs_at = |series: &Series, index: usize| {
        let before = shown(decided(module, series, index, base).as_ref());
        others.iter().any(|other| shown(decided(module, series, index, other).as_ref()) != before)
    };
    all.iter().any(|series| (0..series.candles.len()).step_by(step).any(|index| differs_at(series, index)))
}

#[test]
fn changing_any_parameter_changes_an_answer() {
    let Some(folder) = parity::folder() else { return };
    let modules = modules().unwrap();
    let series = Series::all(&folder).unwrap();
    let all: Vec<_> = modules
        .iter()
        .flat_map(|module| module.description().schema.specs().iter().map(move |spec| (module, spec)))
        .collect();
    let idle: Vec<_> = all
        .par_iter()
        .filter(|(module, spec)| !matters(module, spec, &series))
        .map(|(module, spec)| format!("{} {}", module.description().id, spec.name))
        .collect();
    println!("{} parameters of {} strategies", all.len(), modules.len());
    assert!(idle.is_empty(), "nothing depends on {idle:?}");
}

#[test]
fn a_value_outside_its_range_is_refused_by_name() {
    for module in modules().unwrap() {
        let (id, schema) = (&module.description().id, &module.description().schema);
        for spec in schema.specs() {
            assert!(!spec.description.is_empty(), "{id} {}", spec.name);
            for wrong in outside(spec) {
                let given = Map::from_iter([(spec.name.clone(), wrong.clone())]);
                let problems = schema.read(&given).expect_err(&format!("{id} {} = {wrong}", spec.name));
                assert_eq!((problems.len(), problems[0].parameter.as_str()), (1, spec.name.as_str()), "{id}");
                assert_eq!(problems[0].given, wrong);
                refused_by_the_module(&module, spec, &wrong);
            }
        }
    }
}

/// The module does not rely on its host: it also refuses the value by name.
fn refused_by_the_module(module: &StrategyModule, spec: &ParameterSpec, wrong: &Json) {
    let Some(number) = wrong.as_f64() else { return };
    let mut parameters = module.description().schema.defaults();
    let whole = matches!(spec.default, Some(Value::Integer(_)));
    parameters.set(spec.name.as_str(), if whole { Value::Integer(number as i32) } else { Value::Number(number) });
    let refused = module.check(&parameters).unwrap_err().to_string();
    assert!(refused.contains(&spec.name), "{}: {refused}", module.description().id);
}

/// Values that the parameter may not take. Every number has a least and a greatest value.
fn outside(spec: &ParameterSpec) -> Vec<Json> {
    match (&spec.default, spec.min, spec.max) {
        (Some(Value::Integer(_)), Some(min), Some(max)) => vec![json!(min as i64 - 1), json!(max as i64 + 1)],
        (Some(Value::Number(_)), Some(min), Some(max)) => vec![json!(min - 0.5), json!(max + 0.5)],
        (None, Some(min), Some(max)) => vec![json!(min - 1.0), json!(max + 1.0)],
        (Some(Value::Text(_)), ..) => vec![json!("no such choice"), json!(7)],
        (Some(Value::Boolean(_)), ..) => vec![json!("yes"), json!(1)],
        other => panic!("{} has no range: {other:?}", spec.name),
    }
}
