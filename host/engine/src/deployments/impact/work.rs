//! Evaluates some candles of one series by both modules.

use std::{ops::Range, sync::Arc, time::Instant};

use ta_bot_core::EvaluationError;
use ta_bot_wasm::StrategyModule;

use super::{Sides, Tally, tally::Times};
use crate::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    market::history::{CandleIndex, History, View},
    pipeline::analysis::Analyst,
    settings::config_store::StoredSettings,
};

/// The candles still to look at, and the results so far.
pub(super) struct Work {
    sides: Sides,
    history: History,
    places: Range<usize>,
    settings: Arc<StoredSettings>,
    tally: Tally,
}

impl Work {
    /// Creates the work for the candles `places` of the first series of `history`.
    pub(super) fn new(
        sides: &Sides,
        (history, places): (History, Range<usize>),
        settings: &Arc<StoredSettings>,
        tally: Tally,
    ) -> Self {
        Self { sides: sides.clone(), history, places, settings: Arc::clone(settings), tally }
    }

    pub(super) const fn is_over(&self) -> bool {
        self.places.start >= self.places.end
    }

    pub(super) fn into_tally(self) -> Tally {
        self.tally
    }

    /// Looks at candles until `until`, but at least at one.
    pub(super) fn go_on(&mut self, analyst: &Analyst, until: Instant) {
        let Self { sides, history, places, settings, tally } = self;
        for candle in places {
            let at = (&*history, (0, candle));
            let incumbent = match &sides.incumbent {
                Some(module) => evaluate(module, at, analyst, settings, &mut tally.incumbent),
                None => Outcome::None,
            };
            let candidate = evaluate(&sides.candidate, at, analyst, settings, &mut tally.candidate);
            tally.add(&history.series()[0].job(candle), &incumbent, &candidate);
            if Instant::now() >= until {
                return;
            }
        }
    }
}

/// Evaluates a candle by a module, as in a job.
fn evaluate(
    module: &StrategyModule,
    (history, place): (&History, CandleIndex),
    analyst: &Analyst,
    settings: &StoredSettings,
    times: &mut Times,
) -> Outcome {
    let description = module.description();
    let View { job, base, extra } = history.live_view(description, place);
    if !description.runs_on(job.timeframe) {
        return Outcome::None;
    }
    let parameters = &analyst.parameters;
    let log = analyst.registry.log();
    let resolution = parameters.resolve(module, &job.symbol, &log.newest_levels(&description.id));
    if let Some(refused) = resolution.refused {
        return Outcome::Error(refused);
    }
    let inputs = Inputs {
        module,
        parameters: &resolution.parameters,
        job: &job,
        base,
        extra: &extra,
        settings: &settings.settings,
        origin: Origin { parameter_store: parameters.store_name(), ..Origin::NONE },
    };
    let EvaluationReport { outcome, duration, .. } = inputs.ask(analyst.gap_window);
    if !matches!(outcome, Outcome::Gap(_) | Outcome::Error(EvaluationError::NoRoom(_))) {
        times.add(duration);
    }
    outcome
}
