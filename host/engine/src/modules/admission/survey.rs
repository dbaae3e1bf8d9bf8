//! One pass through the recorded candles, evaluated as the service would evaluate them. The other checks compare with
//! what the module answers here.

use std::{collections::BTreeSet, time::Duration};

use ta_bot_core::{ApplicationSettings, CandleSlice, Decision, DropReason, EvaluationError, millis};

use super::{
    CheckOutcome, Example, Recorded, Subject, Unfinished,
    ask::{Outcome, example, told},
};
use crate::{
    evaluation::{Inputs, Origin},
    market::history::{CandleIndex, View},
};

/// How many candles are looked at, spread evenly over all of them.
const CANDLES: usize = 1500;
/// How many more are looked at in stretches in which nothing moves.
const FLAT_CANDLES: usize = 200;
/// How many failures are enough to know.
const ENOUGH_FAILURES: usize = 3;
/// The share of sound candles on which a strategy may give up.
const GIVES_UP_AT_MOST: f64 = 0.05;
/// The share of its decisions that the host may have to drop.
const DROPPED_AT_MOST: f64 = 0.5;

/// How many bytes its answers may have together, as text: each is kept until the last check. An honest one has a few
/// hundred.
const MOST_TOLD: usize = 16 << 20;

/// What the module answered at one candle.
pub(super) struct Seen<'a> {
    pub(super) place: CandleIndex,
    pub(super) view: View<'a>,
    pub(super) outcome: Outcome,
    /// The outcome as text.
    pub(super) told: String,
    /// Why the host would drop the decision.
    dropped: Option<DropReason>,
}

impl Seen<'_> {
    pub(super) fn decision(&self) -> Option<&Decision> {
        self.outcome.as_ref().ok()?.as_ref()
    }
}

/// What the module answered at every candle.
#[derive(Default)]
pub(super) struct Survey<'a> {
    seen: Vec<Seen<'a>>,
    slowest: Duration,
    failures: Vec<Example>,
    gave_up: Vec<Example>,
    /// How many bytes the answers have together.
    told_bytes: usize,
}

impl<'a> Survey<'a> {
    /// Makes the survey, and says whether the module answers.
    pub(super) fn make(subject: &Subject<'_>, recorded: &'a Recorded) -> Result<(CheckOutcome, Self), Unfinished> {
        let mut survey = Self::default();
        // Every decision counts here, however confident the strategy is.
        let settings = ApplicationSettings {
            symbols: Vec::new(),
            timeframes: Vec::new(),
            enabled_strategies: None,
            min_confidence: 0.0,
            max_confidence: 1.0,
            accepted_holes: Vec::new(),
        };
        for (place, view) in chosen(subject, recorded)? {
            let evaluation = subject.ask(&view)?;
            survey.slowest = survey.slowest.max(evaluation.duration);
            let late = matches!(evaluation.outcome, Err(EvaluationError::Timeout { .. }));
            survey.take(subject, &settings, place, view, evaluation.outcome);
            if survey.told_bytes > MOST_TOLD {
                break;
            }
            // Each further call would take as long.
            if late || survey.failures.len() >= ENOUGH_FAILURES {
                break;
            }
        }
        Ok((survey.answers(subject), survey))
    }

    fn take(
        &mut self,
        subject: &Subject<'_>,
        settings: &ApplicationSettings,
        place: CandleIndex,
        view: View<'a>,
        outcome: Outcome,
    ) {
        let Subject { module, parameters, .. } = *subject;
        let dropped = match &outcome {
            Ok(Some(decision)) => {
                let View { job, base, extra } = &view;
                let origin = Origin::NONE;
                Inputs { module, parameters, job, base: *base, extra, settings, origin }.signal(decision).err()
            }
            Ok(None) | Err(EvaluationError::InsufficientData { .. } | EvaluationError::InvalidDecision(_)) => None,
            Err(EvaluationError::Failed(_)) => {
                self.gave_up.push(example(&view, &outcome));
                None
            }
            Err(_) => {
                self.failures.push(example(&view, &outcome));
                None
            }
        };
        let told = told(&outcome);
        self.told_bytes += told.len();
        self.seen.push(Seen { place, view, outcome, told, dropped });
    }

    /// The outcome of the check that the module answers.
    fn answers(&self, subject: &Subject<'_>) -> CheckOutcome {
        let asked = self.seen.len();
        if let Some(example) = self.failures.first() {
            let problem =
                "it does not answer on sound candles within its limits: see docs/strategies.md for what they are";
            return CheckOutcome::failed(problem, example.clone());
        }
        if let Some(example) = self.gave_up.first()
            && self.gave_up.len() as f64 > GIVES_UP_AT_MOST * asked as f64
        {
            let problem = format!(
                "it gives up on {} of {asked} full windows of sound candles: let it answer, or say that it has no signal",
                self.gave_up.len()
            );
            return CheckOutcome::failed(problem, example.clone());
        }
        if let Some(seen) = self.seen.last()
            && self.told_bytes > MOST_TOLD
        {
            let problem = format!(
                "its answers to {asked} windows have more than {MOST_TOLD} bytes together: a rationale is a sentence, and \
                 readings are numbers"
            );
            return CheckOutcome::failed(problem, example(&seen.view, &seen.outcome));
        }
        let decisions = self.seen.iter().filter(|seen| seen.decision().is_some()).count();
        CheckOutcome::passed(format!(
            "{asked} windows, {decisions} decisions, the slowest took {:.1} ms of {:.0} ms",
            millis(self.slowest),
            millis(subject.module.limits().timeout)
        ))
    }

    /// Every candle that was looked at.
    pub(super) fn seen(&self) -> &[Seen<'a>] {
        &self.seen
    }

    /// Up to `count` of its answers, half of them decisions if there are enough; an error if it never answered.
    pub(super) fn samples(&self, count: usize) -> Result<Vec<&Seen<'a>>, CheckOutcome> {
        let of = |decides: bool| {
            let answered = self.seen.iter().filter(move |seen| seen.outcome.is_ok());
            answered.filter(move |seen| seen.decision().is_some() == decides).collect::<Vec<_>>()
        };
        let (decisions, silence) = (of(true), of(false));
        let decided = count.div_ceil(2).max(count.saturating_sub(silence.len()));
        let mut samples = spread(decisions, decided);
        let silent = count - samples.len();
        samples.extend(spread(silence, silent));
        // Sorted by time, so that decisions and silence are mixed.
        samples.sort_by_key(|seen| seen.place);
        if samples.is_empty() {
            return Err(CheckOutcome::NotApplicable { reason: "it answered on none of the candles".to_owned() });
        }
        Ok(samples)
    }

    /// Whether its decisions can be traded.
    pub(super) fn decisions(&self) -> CheckOutcome {
        let invalid = |seen: &&Seen<'_>| matches!(seen.outcome, Err(EvaluationError::InvalidDecision(_)));
        if let Some(seen) = self.seen.iter().find(invalid) {
            let problem =
                "it answers what no strategy may answer: a confidence lies in [0, 1], and prices are finite numbers";
            return CheckOutcome::failed(problem, example(&seen.view, &seen.outcome));
        }
        let decided: Vec<&Seen<'_>> = self.seen.iter().filter(|seen| seen.decision().is_some()).collect();
        let dropped: Vec<&&Seen<'_>> = decided.iter().filter(|seen| seen.dropped.is_some()).collect();
        let Some(first) = dropped.first() else {
            return match decided.len() {
                0 => CheckOutcome::NotApplicable { reason: format!("{} windows gave no decision", self.seen.len()) },
                count => CheckOutcome::passed(format!("{count} decisions, each of which can be traded")),
            };
        };
        let share = format!("the host would drop {} of {} decisions", dropped.len(), decided.len());
        if dropped.len() as f64 > DROPPED_AT_MOST * decided.len() as f64 {
            let reason = first.dropped.map_or("", DropReason::as_str);
            let problem = format!(
                "{share}, the first for {reason}: a price is above zero, a stop lies on the losing side of it and a target on \
                 the winning side"
            );
            return CheckOutcome::failed(problem, example(&first.view, &first.outcome));
        }
        CheckOutcome::passed(share)
    }
}

/// Up to `count` of these, spread evenly over all of them.
pub(super) fn spread<T>(all: Vec<T>, count: usize) -> Vec<T> {
    let total = all.len();
    if total <= count {
        return all;
    }
    let wanted: BTreeSet<usize> = (0..count).map(|index| index * total / count).collect();
    all.into_iter().enumerate().filter(|(index, _)| wanted.contains(index)).map(|(_, one)| one).collect()
}

/// The candles to look at: spread evenly over all whose windows are full, plus some at which nothing moves.
fn chosen<'a>(subject: &Subject<'_>, recorded: &'a Recorded) -> Result<Vec<(CandleIndex, View<'a>)>, Unfinished> {
    let description = subject.description();
    let history = recorded.history();
    let view = |place| Some((place, history.view(description, place, 0)?));
    let full: Vec<_> = history.places(description).filter_map(view).collect();
    if full.is_empty() {
        return Err(Unfinished(format!(
            "among the {} there is no candle on which it runs and all its windows are full: give more of them, and every \
             series that it reads",
            recorded.origin()
        )));
    }
    let still = |(_, view): &&(CandleIndex, View<'_>)| stands_still(view.base);
    let places = |these: Vec<&(CandleIndex, View<'a>)>| these.into_iter().map(|(place, _)| *place).collect::<Vec<_>>();
    let flat = places(spread(full.iter().filter(still).collect(), FLAT_CANDLES));
    let even = places(spread(full.iter().collect(), CANDLES));
    let wanted: BTreeSet<CandleIndex> = flat.into_iter().chain(even).collect();
    Ok(full.into_iter().filter(|(place, _)| wanted.contains(place)).collect())
}

/// Whether the newest candle or the one before it has no range.
fn stands_still(base: CandleSlice<'_>) -> bool {
    base.high.iter().zip(base.low).rev().take(2).any(|(high, low)| high == low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_over_all() {
        assert_eq!(spread((0..10).collect(), 20), (0..10).collect::<Vec<_>>());
        assert_eq!(spread((0..10).collect(), 3), [0, 3, 6]);
        assert_eq!(spread((0..1000).collect::<Vec<_>>(), 100).len(), 100);
        assert_eq!(spread(vec![1, 2], 0), [0; 0]);
    }
}
