//! One evaluation outside the service, with the host's own checks after it.

use std::time::Duration;

use ta_bot_core::{ApplicationSettings, CandleSlice, Decision, DropReason, Evaluated, Job, ResolvedParameters, Signal};
use ta_bot_wasm::{Evaluation, EvaluationInput, LogLine, StrategyModule, WIT_VERSION};

use crate::analysis::Outcome;

/// What stays the same from one evaluation to the next.
pub(super) struct Trial<'a> {
    pub(super) module: &'a StrategyModule,
    pub(super) parameters: &'a ResolvedParameters,
    pub(super) settings: &'a ApplicationSettings,
}

/// What came of an evaluation.
pub(super) struct Tried {
    pub(super) outcome: Outcome,
    /// The strategy's own words behind a signal, to which the host has added.
    pub(super) decision: Option<Decision>,
    pub(super) duration: Duration,
    pub(super) log: Vec<LogLine>,
}

impl Trial<'_> {
    /// Evaluates the candle of `job`.
    pub(super) fn run(&self, job: &Job, base: CandleSlice<'_>, extra: &[CandleSlice<'_>]) -> Tried {
        let input = EvaluationInput { job, base, extra, parameters: &self.parameters.values };
        let Evaluation { outcome, log, duration } = self.module.evaluate(input);
        let (outcome, decision) = match outcome {
            Err(error) => (Outcome::Error(error), None),
            Ok(None) => (Outcome::None, None),
            Ok(Some(decision)) => match self.signal(job, base, extra, &decision) {
                Ok(signal) => (Outcome::Signal(Box::new(signal)), Some(decision)),
                Err(reason) => (Outcome::Dropped(Box::new(decision), reason), None),
            },
        };
        Tried { outcome, decision, duration, log }
    }

    fn signal(
        &self,
        job: &Job,
        base: CandleSlice<'_>,
        extra: &[CandleSlice<'_>],
        decision: &Decision,
    ) -> Result<Signal, DropReason> {
        let windows: Vec<CandleSlice<'_>> = std::iter::once(base).chain(extra.iter().copied()).collect();
        let evaluated = Evaluated {
            job,
            strategy: &self.module.description().id,
            module: self.module.digest(),
            wit_version: WIT_VERSION,
            parameters: self.parameters,
            parameter_store: "none",
            window: base,
            window_hash: CandleSlice::hash(&windows),
            host_version: env!("CARGO_PKG_VERSION"),
            traceparent: None,
            decision,
        };
        Signal::new(&evaluated, self.settings)
    }
}
