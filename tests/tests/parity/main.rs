//! The built-in strategies compared with the recorded answers of the service that they replace: every window, every
//! length and both recorded sets of parameters, through the real components in the real sandbox, before the host's own
//! check of stop and target.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod compare;
mod golden;

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use compare::difference;
use golden::{Answer, Golden, Place};
use rayon::prelude::*;
use ta_bot_core::{EvaluationError, Parameters};
use ta_bot_tests::{
    built_in,
    parity::{self, Series},
};
use ta_bot_wasm::{EvaluationInput, Limits, Sandbox, StrategyModule};

/// In the service that recorded the answers these three failed before they could answer; ours have tests of their own.
const NEVER_ANSWERED: [&str; 3] = ["multi_timeframe_trend_continuation", "doji_reversal", "minervini_trend_template"];
/// How many differences are shown.
const SHOWN: usize = 20;

#[test]
fn every_recorded_answer_is_given_again() {
    let Some(folder) = parity::folder() else { return };
    let started = Instant::now();
    let series: HashMap<_, _> =
        Series::all(&folder).unwrap().into_iter().map(|series| (series.name.clone(), series)).collect();
    let goldens = Golden::all(&folder).unwrap();
    assert!(!goldens.is_empty(), "{} holds no golden", folder.display());
    let modules = modules(&goldens);
    let mut tally = Tally::default();
    for golden in &goldens {
        let series = series.get(&golden.series).unwrap_or_else(|| panic!("no candles of {}", golden.series));
        tally += golden.places().par_iter().map(|place| compare_at(*place, golden, series, &modules)).sum::<Tally>();
    }
    for (strategy, (compared, answers)) in &tally.strategies {
        println!("{strategy:36} {compared:>8} compared {answers:>8} signals");
    }
    println!("{} evaluations compared, {} signals, in {:.1?}", tally.compared(), tally.signals(), started.elapsed());
    let differences = tally.differences.len();
    tally.differences.truncate(SHOWN);
    assert_eq!(differences, 0, "differences; the first ones are\n{}", tally.differences.join("\n"));
    let silent: Vec<_> = tally.strategies.iter().filter(|(_, (_, answers))| *answers == 0).collect();
    assert!(silent.is_empty(), "nothing is proved about strategies without a signal: {silent:?}");
}

/// Every strategy that the goldens have answers of, by id.
fn modules(goldens: &[Golden]) -> BTreeMap<String, StrategyModule> {
    let sandbox = Sandbox::new(Limits::default(), None).unwrap();
    let load = |id: &String| {
        let module = StrategyModule::load(&sandbox, &built_in::bytes(id).unwrap());
        (id.clone(), module.unwrap_or_else(|error| panic!("{id}: {error}")))
    };
    let mut ids: Vec<_> = goldens.iter().flat_map(|golden| golden.strategies.clone()).collect();
    ids.sort();
    ids.dedup();
    ids.retain(|id| !NEVER_ANSWERED.contains(&id.as_str()));
    ids.par_iter().map(load).collect()
}

/// Compares every strategy on one window.
fn compare_at(place: Place, golden: &Golden, series: &Series, modules: &BTreeMap<String, StrategyModule>) -> Tally {
    let mut tally = Tally::default();
    let (job, base) = (series.job(place.candle), series.window(place.candle, place.length));
    for (id, module) in modules.iter().filter(|(id, _)| golden.strategies.contains(*id)) {
        let parameters = parameters(module, golden);
        let evaluation = module.evaluate(EvaluationInput { job: &job, base, extra: &[], parameters: &parameters });
        let answer = match evaluation.outcome {
            Err(EvaluationError::InsufficientData { .. }) => Ok(None),
            other => other,
        };
        let recorded = golden.answer(place, id);
        let close = base.close.last().copied().unwrap();
        if let Some(difference) = difference(recorded, &answer, close, golden.parameters.get(id)) {
            let Place { candle, length } = place;
            tally.differences.push(format!("{}, candle {candle}, {length} long, {id}: {difference}", golden.file));
        }
        let entry = tally.strategies.entry(id.clone()).or_default();
        *entry = (entry.0 + 1, entry.1 + usize::from(matches!(recorded, Some(Answer::Signal(_)))));
    }
    for id in NEVER_ANSWERED {
        if let Some(Answer::Signal(signal)) = golden.answer(place, id) {
            tally.differences.push(format!("{}: {id} has answered after all: {signal:?}", golden.file));
        }
    }
    tally
}

/// The defaults, changed by the parameters that the golden was recorded with.
fn parameters(module: &StrategyModule, golden: &Golden) -> Parameters {
    let schema = &module.description().schema;
    let mut parameters = schema.defaults();
    if let Some(given) = golden.parameters.get(module.description().id.as_str()) {
        let read = schema.read(given).unwrap_or_else(|problems| panic!("{}: {problems:?}", golden.file));
        read.iter().for_each(|(name, value)| parameters.set(name, value.clone()));
    }
    parameters
}

/// What was compared, and what differs.
#[derive(Default)]
struct Tally {
    /// For each strategy: how many evaluations were compared, and in how many a signal was recorded.
    strategies: BTreeMap<String, (usize, usize)>,
    differences: Vec<String>,
}

impl Tally {
    fn compared(&self) -> usize {
        self.strategies.values().map(|(compared, _)| compared).sum()
    }

    fn signals(&self) -> usize {
        self.strategies.values().map(|(_, signals)| signals).sum()
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (strategy, (compared, signals)) in other.strategies {
            let entry = self.strategies.entry(strategy).or_default();
            *entry = (entry.0 + compared, entry.1 + signals);
        }
        self.differences.extend(other.differences);
    }
}

impl std::iter::Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(parts: I) -> Self {
        parts.fold(Self::default(), |mut whole, part| {
            whole += part;
            whole
        })
    }
}
