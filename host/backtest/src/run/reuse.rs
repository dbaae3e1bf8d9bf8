//! Uses an instance for several evaluations, as long as nothing shows that this changes an answer.
//!
//! Making an instance takes longer than asking many strategies. The service makes one for each evaluation all the same,
//! since what a strategy kept would make its answers depend on what it was asked before. Here that is tried first, and
//! watched: whatever is reported comes from a fresh instance, and of the rest a sample is compared.

use std::{ops::Range, sync::Arc};

use serde::{Deserialize, Serialize};
use ta_bot_core::{EvaluationError, Job, ParameterLevels, Parameters, ResolvedParameters, Value, ValueKind};
use ta_bot_engine::{
    evaluation::{Inputs, Outcome},
    market::history::{History, View},
    settings::parameters::Resolution,
};
use ta_bot_wasm::{ReusedInstance, StrategyModule};

use super::{
    Plan, Subject,
    ask::{fresh, inputs},
};

/// How many evaluations an instance is asked for. Guests whose allocator never gives memory back touch new pages with
/// each.
const EVALUATIONS: u32 = 256;
/// The first evaluations by a module in each unit are all compared, and later every so many.
const FIRST: u64 = 8;
const EVERY: u64 = 64;
/// How many candles of each unit are tried.
const TRIED: usize = 40;
/// How many sets of parameters are tried, beside those of the plan.
const MORE_SETS: usize = 3;

/// An evaluation in a used instance that was not answered as by a fresh one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Which strategy.
    pub strategy: String,
    /// Which module, by its digest.
    pub digest: String,
    /// On which candle: symbol, timeframe and close.
    pub at: String,
    /// What the fresh instance answered, cut to what a line of a log may hold.
    pub fresh: String,
    /// What the used instance answered.
    pub used: String,
}

/// Evaluates a module on the candles of a unit.
pub(super) struct Evaluator<'a> {
    used: Option<ReusedInstance<'a>>,
    asked: u64,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(module: &'a StrategyModule, may_reuse: bool) -> Self {
        Self { used: may_reuse.then(|| ReusedInstance::new(module, EVALUATIONS)), asked: 0 }
    }

    pub(super) fn ask(&mut self, inputs: &Inputs<'_>, gap_window: u32) -> Result<Outcome, Difference> {
        let Some(used) = &mut self.used else { return Ok(fresh(inputs, gap_window)) };
        let outcome = inputs.ask_by(gap_window, |input| used.evaluate(input)).outcome;
        self.asked += 1;
        let is_compared = self.asked <= FIRST || self.asked.is_multiple_of(EVERY);
        match outcome {
            // The strategy was not asked.
            Outcome::Gap(_) => Ok(outcome),
            Outcome::None if !is_compared => Ok(outcome),
            outcome => compared(inputs, gap_window, &outcome),
        }
    }
}

/// The answer of a fresh instance, if that of the used one is the same.
fn compared(inputs: &Inputs<'_>, gap_window: u32, used: &Outcome) -> Result<Outcome, Difference> {
    let fresh = fresh(inputs, gap_window);
    // A used instance may run out of room or time for more; that is no fault.
    let is_worn_out = matches!(
        used,
        Outcome::Error(EvaluationError::Limit(_) | EvaluationError::Timeout { .. } | EvaluationError::NoRoom(_))
    );
    let (of_fresh, of_used) = (told(&fresh), told(used));
    if is_worn_out || of_fresh == of_used {
        return Ok(fresh);
    }
    Err(Difference::new(inputs.module, inputs.job, &of_fresh, &of_used))
}

/// Every bit of an outcome as text.
fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Signal(signal) => signal.message.to_string(),
        Outcome::Error(error) => format!("{}: {error}", error.code()),
        other => format!("{other:?}"),
    }
}

impl Difference {
    fn new(module: &StrategyModule, job: &Job, fresh: &str, used: &str) -> Self {
        let same = fresh.chars().zip(used.chars()).take_while(|(one, other)| one == other).count();
        let cut = |text: &str| text.chars().skip(same.saturating_sub(40)).take(200).collect();
        Self {
            strategy: module.description().id.to_string(),
            digest: module.digest().to_string(),
            at: job.to_string(),
            fresh: cut(fresh),
            used: cut(used),
        }
    }
}

/// Asks one instance of a module about candles of several units, in turn and with several sets of parameters, and
/// compares with fresh instances. Returns the first difference.
pub(super) fn trial(plan: &Plan, subject: &Subject, tried: &[(History, Range<usize>)]) -> Option<Difference> {
    let module = &*subject.module;
    let description = module.description();
    let mut views: Vec<(usize, View<'_>)> = Vec::new();
    for (history, candles) in tried {
        let Some(base) = history.series().first().filter(|base| description.runs_on(base.timeframe)) else { continue };
        if !subject.parameters.contains_key(&base.symbol) {
            continue;
        }
        let every = candles.len().div_ceil(TRIED).max(1);
        let places = candles.clone().step_by(every).enumerate();
        views.extend(places.map(|(turn, candle)| (turn, history.live_view(description, (0, candle)))));
    }
    // A candle of each unit in turn.
    views.sort_by_key(|(turn, _)| *turn);
    let more = more_sets(module);
    let mut used = ReusedInstance::new(module, EVALUATIONS);
    for (index, (_, view)) in views.iter().enumerate() {
        let own = subject.parameters.get(&view.job.symbol)?;
        let sets = std::iter::once(own).chain(more.get(index % (MORE_SETS + 1)));
        for resolution in sets.filter(|resolution| resolution.refused.is_none()) {
            let inputs = inputs(plan, module, resolution, view);
            let outcome = inputs.ask_by(plan.gap_window, |input| used.evaluate(input)).outcome;
            if let Err(difference) = compared(&inputs, plan.gap_window, &outcome) {
                return Some(difference);
            }
        }
    }
    None
}

/// Parameters that the strategy takes, other than its defaults: some of them at the end of their ranges.
fn more_sets(module: &StrategyModule) -> Vec<Resolution> {
    let schema = &module.description().schema;
    let ends = schema.specs().iter().flat_map(|spec| [spec.min, spec.max].map(|end| (spec, end)));
    let sets = ends.filter_map(|(spec, end)| {
        let value = match spec.kind {
            ValueKind::Integer => Value::Integer(end? as i32),
            ValueKind::Number => Value::Number(end?),
            ValueKind::Boolean => Value::Boolean(spec.default != Some(Value::Boolean(true))),
            ValueKind::Text => return None,
        };
        let set: Parameters = [(spec.name.clone(), value)].into_iter().collect();
        let levels = ParameterLevels { global: Some((set, 1)), symbol: None };
        let parameters = ResolvedParameters::resolve(schema, &levels);
        module.check(&parameters.values).is_ok().then(|| Resolution { parameters: Arc::new(parameters), refused: None })
    });
    sets.take(MORE_SETS).collect()
}
