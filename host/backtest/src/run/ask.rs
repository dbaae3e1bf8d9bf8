//! One module on one candle, as live.

use ta_bot_core::EvaluationError;
use ta_bot_engine::{
    evaluation::{EvaluationReport, Inputs, Origin, Outcome},
    market::history::View,
    settings::parameters::Resolution,
};
use ta_bot_wasm::{StrategyModule, with_room};

use super::Plan;

/// What determines the outcome of a candle.
pub(super) fn inputs<'a>(
    plan: &'a Plan,
    module: &'a StrategyModule,
    resolution: &'a Resolution,
    view: &'a View<'_>,
) -> Inputs<'a> {
    Inputs {
        module,
        parameters: &resolution.parameters,
        job: &view.job,
        base: view.base,
        extra: &view.extra,
        settings: &plan.settings,
        origin: Origin { parameter_store: plan.parameter_store, rules: plan.rules, ..Origin::NONE },
    }
}

/// The answer of a fresh instance. Waits while the pool has no room for one.
pub(super) fn fresh(inputs: &Inputs<'_>, gap_window: u32) -> Outcome {
    let ask = || match inputs.ask(gap_window) {
        EvaluationReport { outcome: Outcome::Error(error @ EvaluationError::NoRoom(_)), .. } => Err(error),
        report => Ok(report.outcome),
    };
    with_room(ask).unwrap_or_else(Outcome::Error)
}
