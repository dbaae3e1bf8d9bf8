//! Evaluates the candles of one unit by every module.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ta_bot_engine::{
    evaluation::Outcome,
    market::history::{History, View},
    settings::parameters::Resolution,
};
use ta_bot_wasm::StrategyModule;
use tokio_util::sync::CancellationToken;

use super::{
    Plan,
    ask::inputs,
    reuse::{Difference, Evaluator},
    tally::Tally,
};

/// How many candles are looked at before the caller is asked whether it still wants the rest.
const BETWEEN_LOOKS: usize = 64;

/// The candles of a unit, and what is asked about them.
pub(super) struct Piece {
    pub(super) plan: Arc<Plan>,
    /// Whether the instances of each module are used again.
    pub(super) reuse: Arc<[AtomicBool]>,
    pub(super) history: History,
    /// Which candles of the first series of the history.
    pub(super) candles: Range<usize>,
    pub(super) stop: CancellationToken,
}

/// How the evaluation of a piece ended.
pub(super) enum Ended {
    Whole {
        candles: u64,
        /// What each module answered, in the order of the plan.
        tallies: Vec<Tally>,
        reused: Vec<bool>,
        /// The messages of the signals, a line each, oldest first.
        signals: String,
    },
    Differs(Difference),
    Stopped,
}

/// A module at work.
struct Turn<'a> {
    module: &'a StrategyModule,
    resolution: &'a Resolution,
    evaluator: Evaluator<'a>,
    tally: Tally,
}

impl Piece {
    pub(super) fn evaluate(&self) -> Ended {
        let Self { plan, reuse, history, candles, stop } = self;
        let Some(base) = history.series().first() else { return self.without_candles() };
        let reused: Vec<bool> = reuse.iter().map(|may| may.load(Ordering::Relaxed)).collect();
        let mut turns: Vec<Option<Turn<'_>>> = plan
            .subjects
            .iter()
            .zip(&reused)
            .map(|(subject, may_reuse)| {
                let module = &*subject.module;
                let resolution = subject.parameters.get(&base.symbol)?;
                let evaluator = Evaluator::new(module, *may_reuse);
                let turn = Turn { module, resolution, evaluator, tally: Tally::default() };
                module.description().runs_on(base.timeframe).then_some(turn)
            })
            .collect();
        let mut signals = String::new();
        for candle in candles.clone() {
            if (candle - candles.start) % BETWEEN_LOOKS == 0 && stop.is_cancelled() {
                return Ended::Stopped;
            }
            for turn in turns.iter_mut().flatten() {
                let view = history.live_view(turn.module.description(), (0, candle));
                let outcome = match turn.answer(plan, &view) {
                    Ok(outcome) => outcome,
                    Err(difference) => return Ended::Differs(difference),
                };
                turn.tally.count(&view.job, &outcome);
                if let Outcome::Signal(signal) = &outcome {
                    signals.push_str(&signal.message.to_string());
                    signals.push('\n');
                }
            }
        }
        let tallies = turns.into_iter().map(|turn| turn.map(|turn| turn.tally).unwrap_or_default()).collect();
        Ended::Whole { candles: candles.len() as u64, tallies, reused, signals }
    }

    fn without_candles(&self) -> Ended {
        let subjects = self.plan.subjects.len();
        let (tallies, reused) = (vec![Tally::default(); subjects], vec![false; subjects]);
        Ended::Whole { candles: 0, tallies, reused, signals: String::new() }
    }
}

impl Turn<'_> {
    /// What becomes of a candle, as live.
    fn answer(&mut self, plan: &Plan, view: &View<'_>) -> Result<Outcome, Difference> {
        if let Some(refused) = &self.resolution.refused {
            return Ok(Outcome::Error(refused.clone()));
        }
        let inputs = inputs(plan, self.module, self.resolution, view);
        self.evaluator.ask(&inputs, plan.gap_window)
    }
}
