//! What a component says on candles, evaluated as the service evaluates them.

use std::collections::BTreeMap;

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};
use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, EvaluationError, Job, ResolvedParameters, Symbol, Timeframe, Timestamp};
use ta_bot_engine::{
    evaluation::{Inputs, Origin, Outcome, comparison::said},
    market::history::History,
};
use ta_bot_wasm::{LogLine, StrategyModule};

/// How many lines of a log are shown with a failure, the last ones.
const LAST_LINES: usize = 5;

/// A candle, in the order in which a person reads signals.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Candle {
    pub(in crate::cli) close: Timestamp,
    pub(in crate::cli) symbol: Symbol,
    pub(in crate::cli) timeframe: Timeframe,
}

/// What was said on the candles.
#[derive(Debug, Default)]
pub(in crate::cli) struct Answers {
    /// How many candles were looked at.
    pub(in crate::cli) candles: usize,
    /// What each signal says.
    pub(in crate::cli) signals: BTreeMap<Candle, Map<String, Json>>,
    /// Why there is no signal on a candle, if there is more to say than that the strategy gave none.
    pub(in crate::cli) silent: BTreeMap<Candle, String>,
    /// The failures, with the last lines of the log.
    pub(in crate::cli) failures: BTreeMap<Candle, String>,
}

enum Answer {
    Signal(Map<String, Json>),
    None,
    Silent(String),
    Failure(String),
}

/// Asks a strategy on every candle of a timeframe on which it runs. A window is as full as the candles allow.
pub(in crate::cli) fn ask(
    module: &StrategyModule,
    parameters: &ResolvedParameters,
    history: &History,
    (settings, gap_window): (&ApplicationSettings, u32),
) -> Answers {
    let description = module.description();
    let places: Vec<_> = history.places(description).collect();
    let asked = places.into_par_iter().map(|place| {
        let view = history.live_view(description, place);
        let (job, base, extra) = (&view.job, view.base, &view.extra);
        let report = Inputs { module, parameters, job, base, extra, settings, origin: Origin::NONE }.ask(gap_window);
        let Job { symbol, timeframe, candle_close } = view.job.clone();
        (Candle { close: candle_close, symbol, timeframe }, Answer::of(&report.outcome, &report.log))
    });
    let asked: Vec<(Candle, Answer)> = asked.collect();
    let mut answers = Answers { candles: asked.len(), ..Answers::default() };
    for (candle, answer) in asked {
        match answer {
            Answer::Signal(signal) => drop(answers.signals.insert(candle, signal)),
            Answer::None => {}
            Answer::Silent(why) => drop(answers.silent.insert(candle, why)),
            Answer::Failure(why) => drop(answers.failures.insert(candle, why)),
        }
    }
    answers
}

impl Answer {
    fn of(outcome: &Outcome, log: &[LogLine]) -> Self {
        match outcome {
            Outcome::Signal(signal) => Self::Signal(said(signal)),
            Outcome::None => Self::None,
            Outcome::Skipped(reason) => Self::Silent(reason.to_string()),
            Outcome::Gap(gap) => Self::Silent(gap.to_string()),
            Outcome::Dropped(decision, reason) => Self::Silent(format!(
                "the service drops its decision ({}, with a confidence of {})",
                reason.as_str(),
                decision.confidence
            )),
            Outcome::Error(error @ EvaluationError::InsufficientData { .. }) => Self::Silent(error.to_string()),
            Outcome::Error(error) => {
                let said = error.to_string();
                let last = log.iter().skip(log.len().saturating_sub(LAST_LINES));
                // The last words of a trap are part of the error already.
                let more = last.filter(|line| !said.contains(&line.message));
                let lines = more.map(|line| format!("    {}: {}", line.level.as_str(), line.message));
                Self::Failure(std::iter::once(said.clone()).chain(lines).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}
