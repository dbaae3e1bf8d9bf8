//! What an author should know of a module that is fit to run: that it can hardly ever trade as it is.
//!
//! None of this keeps a module from deciding. A rule may be rare, and the bounds of confidence are settings.

use ta_bot_core::{ApplicationSettings, Columns, DropReason, ResolvedParameters};
use ta_bot_engine::{
    evaluation::{Inputs, Origin, Outcome},
    market::history::{History, View},
    modules::admission::{CheckName, CheckOutcome, Verdict},
};
use ta_bot_wasm::StrategyModule;

/// How many windows are looked at, spread evenly over the candles.
const WINDOWS: usize = 300;

/// What there is to say, in the order in which an author should look at it.
pub(super) fn doubts(
    module: &StrategyModule,
    parameters: &ResolvedParameters,
    history: &History,
    verdict: &Verdict,
    settings: &ApplicationSettings,
) -> Vec<String> {
    let description = module.description();
    let places: Vec<_> = history.places(description).collect();
    let step = places.len().div_ceil(WINDOWS).max(1);
    let views = places.into_iter().rev().step_by(step).filter_map(|place| history.view(description, place, 0));
    let views: Vec<View<'_>> = views.collect();
    let undeclared = undeclared(module, parameters, &views);
    // A rule that looks at an empty column says nothing, so the column is the cause.
    let never = if undeclared.is_none() { never_decides(verdict) } else { None };
    [undeclared, never, out_of_bounds(module, parameters, &views, settings)].into_iter().flatten().collect()
}

/// Whether it decides otherwise if it is given more columns than it declares.
fn undeclared(module: &StrategyModule, parameters: &ResolvedParameters, views: &[View<'_>]) -> Option<String> {
    let declared = module.description().columns;
    if declared == Columns::ALL {
        return None;
    }
    let answer = |module: &StrategyModule, view: &View<'_>| module.evaluate(view.input(&parameters.values)).outcome;
    let every = module.with_columns(Columns::ALL);
    let view = views.iter().find(|view| answer(&every, view) != answer(module, view))?;
    let usual = answer(module, view);
    let named = more_than(declared).into_iter().filter(|(_, more)| answer(&module.with_columns(*more), view) != usual);
    let named: Vec<&str> = named.map(|(name, _)| name).collect();
    // Two columns may count only together.
    let which = if named.is_empty() { "a column".to_owned() } else { format!("the column {}", named.join(", ")) };
    Some(format!(
        "it reads {which} without declaring it, so what it reads there is always empty: add it to the columns of the \
         description"
    ))
}

/// These columns and one more, for each that is missing among them.
fn more_than(columns: Columns) -> Vec<(&'static str, Columns)> {
    let more = [
        ("open_time", columns.open_time, Columns { open_time: true, ..columns }),
        ("open", columns.open, Columns { open: true, ..columns }),
        ("high", columns.high, Columns { high: true, ..columns }),
        ("low", columns.low, Columns { low: true, ..columns }),
        ("close", columns.close, Columns { close: true, ..columns }),
        ("volume", columns.volume, Columns { volume: true, ..columns }),
    ];
    more.into_iter().filter(|(_, declared, _)| !declared).map(|(name, _, more)| (name, more)).collect()
}

/// Whether admission saw it decide nothing.
fn never_decides(verdict: &Verdict) -> Option<String> {
    match verdict.outcome(CheckName::Decisions)? {
        CheckOutcome::NotApplicable { reason } => Some(format!(
            "{reason}, with its defaults on made-up candles: if that is not meant, look at a comparison that can't hold (a \
             missing value compares false with everything), and at what `ta-bot watch` or `ta-bot analyze` shows on real \
             candles"
        )),
        _ => None,
    }
}

/// Whether each of its decisions has a confidence that the service drops.
fn out_of_bounds(
    module: &StrategyModule,
    parameters: &ResolvedParameters,
    views: &[View<'_>],
    settings: &ApplicationSettings,
) -> Option<String> {
    let mut dropped = Vec::new();
    for View { job, base, extra } in views {
        let inputs = Inputs { module, parameters, job, base: *base, extra, settings, origin: Origin::NONE };
        match inputs.evaluate().outcome {
            Outcome::Dropped(decision, DropReason::BelowMinConfidence | DropReason::AboveMaxConfidence) => {
                dropped.push(decision.confidence);
            }
            Outcome::Signal(_) | Outcome::Dropped(..) => return None,
            _ => {}
        }
    }
    let (least, most) = (dropped.iter().copied().reduce(f64::min)?, dropped.iter().copied().reduce(f64::max)?);
    let ApplicationSettings { min_confidence, max_confidence, .. } = settings;
    Some(format!(
        "the service would drop each of its {} decisions on {} windows: their confidence is from {least} to {most}, and the \
         service takes {min_confidence} to {max_confidence}. Answer a confidence between those, or set MIN_CONFIDENCE and \
         MAX_CONFIDENCE",
        dropped.len(),
        views.len()
    ))
}
