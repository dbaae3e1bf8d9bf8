//! Everything that determines an outcome, and the evaluation itself.

use ta_bot_core::{
    ApplicationSettings, CandleSlice, Decision, DerivedInput, DropReason, Evaluated, Job, MessageForm, MessageRules,
    MessageTexts, ResolvedParameters, Signal, SignalTimestamp, WindowHoles,
};
use ta_bot_wasm::{Evaluation, EvaluationInput, StrategyModule, WIT_VERSION};

use super::{
    EvaluationReport, Outcome,
    gap::Gap,
    series::{SeriesKey, series_of},
};

/// This version of the host, as signals give it.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");
/// The first version of the host. Its signals were made of rows as they were stored, whatever was in them, and say
/// nothing of holes.
pub const FIRST_HOST_VERSION: &str = "0.1.0";

/// Everything that determines an outcome.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The module that runs.
    pub module: &'a StrategyModule,
    /// The parameters that it runs with.
    pub parameters: &'a ResolvedParameters,
    /// The job, which names the candle.
    pub job: &'a Job,
    /// The base window: the newest candles, as many as the module asks for and the market has.
    pub base: CandleSlice<'a>,
    /// One window for each extra input of the module, in its order.
    pub extra: &'a [CandleSlice<'a>],
    /// The settings that decide which signals go out.
    pub settings: &'a ApplicationSettings,
    /// What the signal says about where it was made.
    pub origin: Origin<'a>,
}

/// What a signal says about where it was made. The signal would otherwise be the same without it.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The store that the parameters are kept in, by its driver's name.
    pub parameter_store: &'a str,
    /// The version of the host.
    pub host_version: &'a str,
    /// The trace of the event that led here, as a W3C `traceparent`.
    pub traceparent: Option<&'a str>,
    /// What the signal said about candles that were made of shorter ones, if it is made again. Their own rows may have
    /// come since. `None` if the windows say it.
    pub derived: Option<&'a [DerivedInput]>,
    /// The rules by which the message is written.
    pub rules: MessageRules,
}

impl Origin<'static> {
    /// The origin for a command that stores nothing.
    pub const NONE: Self = Self {
        parameter_store: "none",
        host_version: HOST_VERSION,
        traceparent: None,
        derived: None,
        rules: MessageRules {
            form: MessageForm::Current,
            timestamp: SignalTimestamp::CandleClose,
            is_simulated: false,
            texts: MessageTexts::Cut,
        },
    };
}

impl Inputs<'_> {
    /// Asks the strategy, unless candles are missing that should be there: a whole extra series, its newest candles, or
    /// candles among the newest `gap_window` of a window whose holes are not accepted.
    pub fn ask(&self, gap_window: u32) -> EvaluationReport {
        match self.gap(gap_window) {
            Some(gap) => EvaluationReport::gap(gap, self.holes()),
            None => self.evaluate(),
        }
    }

    /// Like [`ask`](Self::ask), but `evaluate` runs the strategy: in an instance that is used again, for example.
    pub fn ask_by(
        &self,
        gap_window: u32,
        evaluate: impl FnOnce(EvaluationInput<'_>) -> Evaluation,
    ) -> EvaluationReport {
        match self.gap(gap_window) {
            Some(gap) => EvaluationReport::gap(gap, self.holes()),
            None => self.report(evaluate(self.given())),
        }
    }

    fn gap(&self, gap_window: u32) -> Option<Gap> {
        let hole = |(series, window): (SeriesKey, CandleSlice<'_>)| {
            let hole = Gap::between(series.clone(), window.newest(gap_window as usize))?;
            (!self.settings.accepts_holes(&series.0, series.1)).then_some(hole)
        };
        Gap::in_extra(self.module.description(), self.job, self.extra).or_else(|| self.windows().find_map(hole))
    }

    /// The windows with their series, the base window first. There is none above the highest timeframe.
    fn windows(&self) -> impl Iterator<Item = (SeriesKey, CandleSlice<'_>)> {
        let base = ((self.job.symbol.clone(), self.job.timeframe), self.base);
        let extra = self.module.description().extra.iter().zip(self.extra);
        let extra = extra.filter_map(|(input, window)| Some((series_of(input, self.job)?, *window)));
        std::iter::once(base).chain(extra)
    }

    /// The holes of all windows, wherever they are in them. They follow from the windows alone, so that a replay says
    /// the same whatever is accepted by then.
    fn holes(&self) -> Vec<WindowHoles> {
        if self.origin.host_version == FIRST_HOST_VERSION {
            return Vec::new();
        }
        self.windows().filter_map(|((symbol, timeframe), window)| WindowHoles::of(&symbol, timeframe, window)).collect()
    }

    /// Runs the strategy in its sandbox, whatever its windows are, and makes a signal of its decision.
    pub fn evaluate(&self) -> EvaluationReport {
        self.report(match self.origin.rules.texts {
            MessageTexts::Cut => self.module.evaluate(self.given()),
            MessageTexts::AsGiven => self.module.evaluate_as_given(self.given()),
        })
    }

    /// What the strategy is given.
    fn given(&self) -> EvaluationInput<'_> {
        let Self { job, base, extra, parameters, .. } = *self;
        EvaluationInput { job, base, extra, parameters: &parameters.values }
    }

    fn report(&self, evaluation: Evaluation) -> EvaluationReport {
        let Evaluation { outcome, log, duration, ran, usage } = evaluation;
        let (outcome, decision) = match outcome {
            Err(error) => (Outcome::Error(error), None),
            Ok(None) => (Outcome::None, None),
            Ok(Some(decision)) => match self.signal(&decision) {
                Ok(signal) => (Outcome::Signal(Box::new(signal)), Some(decision)),
                Err(reason) => (Outcome::Dropped(Box::new(decision), reason), None),
            },
        };
        EvaluationReport { outcome, decision, holes: self.holes(), duration, ran, usage, log }
    }

    /// The signal of a decision, or why the host drops it.
    pub(crate) fn signal(&self, decision: &Decision) -> Result<Signal, DropReason> {
        let windows: Vec<CandleSlice<'_>> = std::iter::once(self.base).chain(self.extra.iter().copied()).collect();
        let found = if self.origin.derived.is_none() { self.derived() } else { Vec::new() };
        let evaluated = Evaluated {
            job: self.job,
            strategy: &self.module.description().id,
            module: self.module.digest(),
            wit_version: WIT_VERSION,
            parameters: self.parameters,
            parameter_store: self.origin.parameter_store,
            window: self.base,
            window_hash: CandleSlice::hash(&windows),
            holes: &self.holes(),
            host_version: self.origin.host_version,
            derived: self.origin.derived.unwrap_or(&found),
            traceparent: self.origin.traceparent,
            rules: self.origin.rules,
            decision,
        };
        Signal::new(&evaluated, self.settings)
    }

    /// The candles of the windows that were made of shorter ones, series by series.
    fn derived(&self) -> Vec<DerivedInput> {
        let derived = self.windows().filter_map(|((symbol, timeframe), window)| {
            let (source, candles) = window.derived()?;
            Some(DerivedInput { symbol, timeframe, source, candles })
        });
        derived.collect()
    }
}
