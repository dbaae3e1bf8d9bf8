//! Asks the module so that a momentary shortage in the host is not held against it.

use std::sync::atomic::{AtomicU64, Ordering};

use ta_bot_core::{Decision, EvaluationError, ResolvedParameters, StrategyDescription, Timestamp};
use ta_bot_wasm::{Evaluation, StrategyModule, with_room};

use super::Example;
use crate::market::history::View;

/// How much of an answer an example shows, in characters.
const ANSWER_CHARS: usize = 240;
/// How much equal text an example shows before a difference, in characters.
const BEFORE_DIFFERENCE: usize = 60;

/// What a module answered, or why it did not.
pub(super) type Outcome = Result<Option<Decision>, EvaluationError>;

/// The host could not ask, for this reason.
#[derive(Debug)]
pub(super) struct Unfinished(pub(super) String);

/// The module that is checked, with its own defaults.
pub(super) struct Subject<'a> {
    pub(super) module: &'a StrategyModule,
    pub(super) parameters: &'a ResolvedParameters,
    calls: AtomicU64,
}

impl<'a> Subject<'a> {
    pub(super) const fn new(module: &'a StrategyModule, parameters: &'a ResolvedParameters) -> Self {
        Self { module, parameters, calls: AtomicU64::new(0) }
    }

    pub(super) fn description(&self) -> &'a StrategyDescription {
        self.module.description()
    }

    /// How many calls there have been so far.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, calls: usize) {
        self.calls.fetch_add(calls as u64, Ordering::Relaxed);
    }

    /// What the module answers if it is asked as the service would ask it.
    pub(super) fn ask(&self, view: &View<'_>) -> Result<Evaluation, Unfinished> {
        self.ask_at(view, view.job.candle_close)
    }

    /// The same, with another time on its clock.
    pub(super) fn ask_at(&self, view: &View<'_>, now: Timestamp) -> Result<Evaluation, Unfinished> {
        let evaluate = || vec![self.module.evaluate_at(view.input(&self.parameters.values), now)];
        let evaluations = self.patiently(evaluate)?;
        evaluations.into_iter().next().ok_or_else(|| Unfinished("there was no answer".to_owned()))
    }

    /// What it answers to each view in turn, in one and the same instance, up to the first failure.
    pub(super) fn ask_in_one_instance(&self, views: &[&View<'_>]) -> Result<Vec<Evaluation>, Unfinished> {
        let inputs: Vec<_> = views.iter().map(|view| view.input(&self.parameters.values)).collect();
        self.patiently(|| self.module.evaluate_in_one_instance(&inputs))
    }

    /// Asks again while the pool is full, and once more if time ran out: on a busy machine that may have been the
    /// machine's fault, but twice in a row it is the module's.
    fn patiently(&self, evaluate: impl Fn() -> Vec<Evaluation>) -> Result<Vec<Evaluation>, Unfinished> {
        let once = || {
            let evaluations = evaluate();
            self.count(evaluations.len());
            match evaluations.last().map(|evaluation| &evaluation.outcome) {
                Some(Err(error @ EvaluationError::NoRoom(_))) => Err(error.clone()),
                _ => Ok(evaluations),
            }
        };
        let asked = || with_room(once).map_err(|error| Unfinished(error.to_string()));
        let evaluations = asked()?;
        let late = |evaluation: &Evaluation| matches!(evaluation.outcome, Err(EvaluationError::Timeout { .. }));
        if evaluations.last().is_some_and(late) { asked() } else { Ok(evaluations) }
    }
}

/// Every bit of an answer as text. A float is written with enough digits to tell it from all others, so texts are
/// equal if the answers are.
pub(super) fn told(outcome: &Outcome) -> String {
    match outcome {
        Ok(None) => "none".to_owned(),
        Ok(Some(decision)) => format!("{decision:?}"),
        Err(error) => format!("{}: {error}", error.code()),
    }
}

/// An answer to a view, for a person to read.
pub(super) fn example(view: &View<'_>, outcome: &Outcome) -> Example {
    Example { at: place(view), expected: None, answered: cut(&told(outcome), 0) }
}

/// Two answers that should have been equal, shown from a little before the first difference.
pub(super) fn contrast(view: &View<'_>, expected: &str, answered: &str) -> Example {
    let same = expected.chars().zip(answered.chars()).take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(BEFORE_DIFFERENCE);
    Example { at: place(view), expected: Some(cut(expected, from)), answered: cut(answered, from) }
}

fn place(view: &View<'_>) -> String {
    format!("{}, {} candles", view.job, view.base.len())
}

fn cut(text: &str, from: usize) -> String {
    let mut part: String = text.chars().skip(from).take(ANSWER_CHARS).collect();
    if from > 0 {
        part.insert(0, '…');
    }
    if text.chars().count() > from + ANSWER_CHARS {
        part.push('…');
    }
    part
}

#[cfg(test)]
mod tests {
    use ta_bot_core::CandleSlice;

    use super::*;

    #[test]
    fn a_contrast_shows_where_answers_part() {
        let job = ta_bot_core::Job {
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: ta_bot_core::Timeframe::H1,
            candle_close: Timestamp::from_millis(0),
        };
        let view = View { job, base: CandleSlice::EMPTY, extra: Vec::new() };
        let long = "ä".repeat(500);
        let found = contrast(&view, &format!("{long}1{long}"), &format!("{long}2"));
        let (expected, answered) = (found.expected.unwrap(), found.answered);
        assert!(expected.starts_with("…ä") && expected.contains('1') && expected.ends_with("ä…"), "{expected}");
        assert!(answered.starts_with("…ä") && answered.ends_with("ä2"), "{answered}");
        assert_eq!(contrast(&view, "none", "none at all").answered, "none at all");
    }
}
