//! Whether the lookback is as long as the rule needs.
//!
//! An average whose seed has not faded gives other answers once it gets more candles, and settles when it has enough.
//! A rule that looks at all it is given, such as the highest of its window, gives other answers as well, but never
//! settles: the window is part of such a rule, and that is no fault. So this check looks for answers that change with
//! more candles and then settle.

use ta_bot_core::EvaluationError;

use super::{
    CheckOutcome, Example, Recorded, Subject, Unfinished,
    ask::{Outcome, contrast, example, told},
    survey::{Seen, Survey},
};

/// How many windows are lengthened.
const COMPARED: usize = 200;
/// By which multiples of the lookback they are lengthened: the first for which there are enough candles.
const LONGER: [usize; 3] = [16, 8, 4];
/// How many comparisons it takes to tell anything.
const TELLING: usize = 10;
/// The share of decisions that may change with more candles: near a threshold the last bits of an average decide.
const CHANGE_AT_MOST: f64 = 0.15;
/// The share that may still change if answers have settled.
const SETTLED: f64 = 0.05;
/// By how much a confidence may move while the decision counts as the same.
const SAME_CONFIDENCE: f64 = 0.05;

/// Looks for windows that are full but not long enough, and for answers that longer windows change.
pub(super) fn check(
    subject: &Subject<'_>,
    recorded: &Recorded,
    survey: &Survey<'_>,
) -> Result<CheckOutcome, Unfinished> {
    let lookback = subject.description().lookback;
    for seen in survey.seen() {
        if let Err(EvaluationError::InsufficientData { needed, .. }) = seen.outcome {
            let problem = format!(
                "it needs {needed} candles and declares a lookback of {lookback}, of which it gets no more: declare what it \
                 needs"
            );
            return Ok(CheckOutcome::failed(problem, example(&seen.view, &seen.outcome)));
        }
    }
    let samples = match survey.samples(COMPARED) {
        Ok(samples) => samples,
        Err(outcome) => return Ok(outcome),
    };
    let compare = Compare { subject, recorded, samples };
    for times in LONGER {
        let longer = compare.lengthened(1, times)?;
        if longer.of >= TELLING {
            return compare.judge(&longer, times);
        }
    }
    Ok(CheckOutcome::NotApplicable { reason: "there are too few candles for longer windows".to_owned() })
}

struct Compare<'a> {
    subject: &'a Subject<'a>,
    recorded: &'a Recorded,
    samples: Vec<&'a Seen<'a>>,
}

/// The result of comparing two lengths of windows.
#[derive(Default)]
struct Comparison {
    of: usize,
    /// On how many of the windows at least one of the lengths gave a decision.
    spoke: usize,
    changed: usize,
    example: Option<Example>,
}

impl Comparison {
    fn share(&self) -> f64 {
        if self.spoke == 0 { 0.0 } else { self.changed as f64 / self.spoke as f64 }
    }

    fn is_much(&self) -> bool {
        self.spoke >= TELLING && self.share() > CHANGE_AT_MOST
    }
}

impl Compare<'_> {
    /// Says what longer windows show. If they change much, even longer ones show whether the answers settle.
    fn judge(&self, longer: &Comparison, times: usize) -> Result<CheckOutcome, Unfinished> {
        let Comparison { spoke, changed, .. } = longer;
        let found = format!("{changed} of {spoke} decisions are others with {times} times as many candles");
        if !longer.is_much() {
            return Ok(CheckOutcome::passed(found));
        }
        let settling = self.lengthened(times, 2 * times)?;
        Ok(if settling.of < TELLING {
            let reason = format!("{found}, and there are too few candles to see whether they settle");
            CheckOutcome::NotApplicable { reason }
        } else if settling.share() > SETTLED {
            CheckOutcome::passed(format!("{found}, and never settle: it looks at all that it is given"))
        } else {
            let lookback = self.subject.description().lookback;
            let problem = format!(
                "{found}, and they settle there: its rule warms up for longer than its lookback of {lookback}. Declare as many \
                 as it needs, or let it look at no more than it declares"
            );
            CheckOutcome::Failed { problem, example: longer.example.clone() }
        })
    }

    /// Compares the answers to windows of two multiples of the lookback.
    fn lengthened(&self, shorter: usize, longer: usize) -> Result<Comparison, Unfinished> {
        let mut comparison = Comparison::default();
        for seen in &self.samples {
            let (Some(one), Some(other)) = (self.answer(seen, shorter)?, self.answer(seen, longer)?) else { continue };
            comparison.of += 1;
            let speaks = |outcome: &Outcome| matches!(outcome, Ok(Some(_)));
            if !speaks(&one) && !speaks(&other) {
                continue;
            }
            comparison.spoke += 1;
            if differ(&one, &other) {
                comparison.changed += 1;
                comparison.example.get_or_insert_with(|| contrast(&seen.view, &told(&other), &told(&one)));
            }
        }
        Ok(comparison)
    }

    /// The answer to a window of `times` times the lookback; `None` if there are not so many candles.
    fn answer(&self, seen: &Seen<'_>, times: usize) -> Result<Option<Outcome>, Unfinished> {
        if times == 1 {
            return Ok(Some(seen.outcome.clone()));
        }
        let description = self.subject.description();
        let more = (times - 1) * description.lookback as usize;
        match self.recorded.history().view(description, seen.place, more) {
            Some(view) => Ok(Some(self.subject.ask(&view)?.outcome)),
            None => Ok(None),
        }
    }
}

/// Whether two outcomes are different decisions. The confidence of a decision may move a little with more candles.
fn differ(one: &Outcome, other: &Outcome) -> bool {
    match (one, other) {
        (Ok(Some(one)), Ok(Some(other))) => {
            one.action != other.action || (one.confidence - other.confidence).abs() > SAME_CONFIDENCE
        }
        (Ok(None), Ok(None)) => false,
        _ => true,
    }
}
