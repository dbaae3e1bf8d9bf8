//! Whether the same candles give the same bytes, whatever else happened.

use std::collections::HashMap;

use ta_bot_core::{Candle, EvaluationError, Timestamp};

use super::{
    CheckOutcome, Example, Recorded, Subject, Unfinished,
    ask::{Outcome, contrast, told},
    survey::{Seen, Survey},
};
use crate::{
    evaluation::series_of,
    market::history::{CandleSeries, History, View},
};

/// How many answers are compared in each check.
const REPEATED: usize = 60;
const IN_ONE_INSTANCE: usize = 24;
const WITH_ANOTHER_PAST: usize = 16;
const UNDER_ANOTHER_CLOCK: usize = 40;
/// How far the clock is put forward: by a little, and by more than a year.
const CLOCKS_MS: [i64; 2] = [12_345_678, 400 * 86_400_000 + 1_234_567];

/// Asks again: backwards on this thread, and in two other orders on two threads at once.
pub(super) fn repeatable(subject: &Subject<'_>, survey: &Survey<'_>) -> Result<CheckOutcome, Unfinished> {
    let samples = match survey.samples(REPEATED) {
        Ok(samples) => samples,
        Err(outcome) => return Ok(outcome),
    };
    let count = samples.len();
    let backwards: Vec<usize> = (0..count).rev().collect();
    let halves: Vec<usize> = (0..count).map(|index| (index + count / 2) % count).collect();
    let evens_first: Vec<usize> = (0..count).step_by(2).chain((1..count).step_by(2)).collect();
    let again = |order: &[usize]| -> Result<Option<Example>, Unfinished> {
        for index in order {
            let seen = samples[*index];
            let answer = told(&subject.ask(&seen.view)?.outcome);
            if answer != seen.told {
                return Ok(Some(contrast(&seen.view, &seen.told, &answer)));
            }
        }
        Ok(None)
    };
    let found = std::thread::scope(|scope| {
        let others = [halves, evens_first].map(|order| scope.spawn(move || again(&order)));
        let mut found = vec![again(&backwards)];
        found.extend(
            others
                .into_iter()
                .map(|other| other.join().unwrap_or_else(|_| Err(Unfinished("a thread panicked".to_owned())))),
        );
        found
    });
    let found = found.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(match found.into_iter().flatten().next() {
        Some(example) => CheckOutcome::failed("the same candles do not always give the same answer", example),
        None => CheckOutcome::passed(format!("{count} answers, three times more, in three orders, on three threads")),
    })
}

/// Asks several times in one and the same instance, which the service never does: anything that is kept from one call
/// to the next shows there.
pub(super) fn no_memory(subject: &Subject<'_>, survey: &Survey<'_>) -> Result<CheckOutcome, Unfinished> {
    let samples = match survey.samples(IN_ONE_INSTANCE) {
        Ok(samples) => samples,
        Err(outcome) => return Ok(outcome),
    };
    let other = |index: usize| samples[index % samples.len()];
    let mut compared = 0;
    for (index, seen) in samples.iter().enumerate() {
        let turns = [seen, other(index + 7), seen, other(index + 13), seen];
        let views: Vec<&View<'_>> = turns.iter().map(|turn| &turn.view).collect();
        let evaluations = subject.ask_in_one_instance(&views)?;
        for (turn, evaluation) in turns.iter().zip(&evaluations).skip(1) {
            if is_worn_out(&evaluation.outcome) {
                break;
            }
            compared += 1;
            let answer = told(&evaluation.outcome);
            if answer != turn.told {
                return Ok(CheckOutcome::failed(
                    "an instance that was asked before answers otherwise than a fresh one: let evaluate() keep nothing, count \
                     nothing, and not answer by where something lies in memory",
                    contrast(&turn.view, &turn.told, &answer),
                ));
            }
        }
    }
    Ok(shown(compared, "later calls of an instance, each as a fresh one answers"))
}

/// An instance is made for one call. If it has no room or no time for more, that is no fault.
const fn is_worn_out(outcome: &Outcome) -> bool {
    matches!(outcome, Err(EvaluationError::Limit(_) | EvaluationError::Timeout { .. }))
}

fn shown(compared: usize, what: &str) -> CheckOutcome {
    if compared == 0 {
        let reason = "an instance has no room or no time for a second call; the service makes none".to_owned();
        return CheckOutcome::NotApplicable { reason };
    }
    CheckOutcome::passed(format!("{compared} {what}"))
}

/// Changes every candle before the windows, cuts the windows as the service does, and asks both a fresh instance and
/// one that has looked at the past before.
pub(super) fn past(
    subject: &Subject<'_>,
    recorded: &Recorded,
    survey: &Survey<'_>,
) -> Result<CheckOutcome, Unfinished> {
    let samples = match survey.samples(WITH_ANOTHER_PAST) {
        Ok(samples) => samples,
        Err(outcome) => return Ok(outcome),
    };
    let description = subject.description();
    let history = recorded.history();
    let mut compared = 0;
    for seen in samples {
        let changed = with_another_past(subject, history, seen);
        let Some(view) = changed.view(description, seen.place, 0) else { continue };
        let mut answers = vec![subject.ask(&view)?.outcome];
        let earlier = seen.place.1.checked_sub(description.lookback as usize).map(|candle| (seen.place.0, candle));
        for history in [history, &changed] {
            if let Some(before) = earlier.and_then(|place| history.view(description, place, 0)) {
                let asked = subject.ask_in_one_instance(&[&before, &view])?;
                answers.extend(asked.into_iter().skip(1).map(|evaluation| evaluation.outcome));
            }
        }
        for answer in answers.iter().filter(|answer| !is_worn_out(answer)) {
            compared += 1;
            let answer = told(answer);
            if answer != seen.told {
                return Ok(CheckOutcome::failed(
                    "candles before its lookback change its answer: it keeps something of what it saw before",
                    contrast(&seen.view, &seen.told, &answer),
                ));
            }
        }
    }
    Ok(shown(compared, "answers, each the same after another past"))
}

/// The history with a completely different past before the windows of the view.
fn with_another_past(subject: &Subject<'_>, history: &History, seen: &Seen<'_>) -> History {
    let own = &history.series()[seen.place.0];
    let mut kept_from: HashMap<_, f64> = HashMap::new();
    let mut keep = |series, window: ta_bot_core::CandleSlice<'_>| {
        if let Some(first) = window.open_time.first() {
            let from = kept_from.entry(series).or_insert(*first);
            *from = from.min(*first);
        }
    };
    keep((own.symbol.clone(), own.timeframe), seen.view.base);
    for (input, window) in subject.description().extra.iter().zip(&seen.view.extra) {
        if let Some(series) = series_of(input, &seen.view.job) {
            keep(series, *window);
        }
    }
    let change = |series: &CandleSeries| {
        let from = kept_from.get(&(series.symbol.clone(), series.timeframe));
        let candles = series.all().candles().map(|candle| {
            if from.is_none_or(|from| (candle.open_time.millis() as f64) < *from) { unlike(candle) } else { candle }
        });
        // The order is unchanged.
        CandleSeries::new(series.symbol.clone(), series.timeframe, candles).unwrap_or_else(|_| series.clone())
    };
    History::new(history.series().iter().map(change).collect())
}

/// A different candle for the same moment.
fn unlike(candle: Candle) -> Candle {
    let Candle { open_time, open, high, low, close, volume } = candle;
    let (open, close) = (close * 3.0, open * 3.5);
    Candle { open_time, open, high: high * 4.0, low: low * 2.0, close, volume: volume * 7.0 + 1.0 }
}

/// Puts the guest's clock forward, with the same candles and the same context.
pub(super) fn no_clock(subject: &Subject<'_>, survey: &Survey<'_>) -> Result<CheckOutcome, Unfinished> {
    let samples = match survey.samples(UNDER_ANOTHER_CLOCK) {
        Ok(samples) => samples,
        Err(outcome) => return Ok(outcome),
    };
    let count = samples.len();
    for seen in samples {
        for later in CLOCKS_MS {
            let now: Timestamp = seen.view.job.candle_close.plus_millis(later);
            let answer = told(&subject.ask_at(&seen.view, now)?.outcome);
            if answer != seen.told {
                return Ok(CheckOutcome::failed(
                    "it answers by the clock of WASI: take the moment from the context's close-time, which belongs to the \
                     candle",
                    contrast(&seen.view, &seen.told, &answer),
                ));
            }
        }
    }
    Ok(CheckOutcome::passed(format!("{count} answers, each the same under two other clocks")))
}
