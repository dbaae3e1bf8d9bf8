//! All that an outcome follows from, and the evaluation itself.

use ta_bot_core::{
    ApplicationSettings, CandleSlice, Decision, DropReason, Evaluated, ExtraInput, InputSymbol, InputTimeframe, Job,
    ResolvedParameters, Signal, StrategyDescription, Symbol, Timeframe,
};
use ta_bot_wasm::{Evaluation, EvaluationInput, StrategyModule, WIT_VERSION};

use super::{EvaluationReport, Outcome};

/// This version of the host, as signals give it.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Candles of one symbol and length.
pub type SeriesKey = (Symbol, Timeframe);

/// A series and how many candles of it are wanted. Without a series the window is empty.
pub type WindowRequest = (Option<SeriesKey>, u32);

/// All that an outcome follows from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The code.
    pub module: &'a StrategyModule,
    /// How it is set.
    pub parameters: &'a ResolvedParameters,
    /// The candle.
    pub job: &'a Job,
    /// The base window: the newest candles that the module asks for, as far as the market has them.
    pub base: CandleSlice<'a>,
    /// One window for each extra input of the module, in its order.
    pub extra: &'a [CandleSlice<'a>],
    /// Which signals go out.
    pub settings: &'a ApplicationSettings,
    /// What a signal tells besides.
    pub origin: Origin<'a>,
}

/// What a signal tells of where it was made, without which it would be the same.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// Where the parameters are kept: the driver's name.
    pub parameter_store: &'a str,
    /// The version of the host.
    pub host_version: &'a str,
    /// The trace of the event that led here, by the W3C's `traceparent`.
    pub traceparent: Option<&'a str>,
}

impl Origin<'static> {
    /// Of a command that keeps nothing.
    pub const NONE: Self = Self { parameter_store: "none", host_version: HOST_VERSION, traceparent: None };
}

impl Inputs<'_> {
    /// Runs the strategy in its sandbox, and makes the signal of what it decides.
    pub fn evaluate(&self) -> EvaluationReport {
        let Self { module, parameters, job, base, extra, .. } = *self;
        let input = EvaluationInput { job, base, extra, parameters: &parameters.values };
        let Evaluation { outcome, log, duration, usage } = module.evaluate(input);
        let (outcome, decision) = match outcome {
            Err(error) => (Outcome::Error(error), None),
            Ok(None) => (Outcome::None, None),
            Ok(Some(decision)) => match self.signal(&decision) {
                Ok(signal) => (Outcome::Signal(Box::new(signal)), Some(decision)),
                Err(reason) => (Outcome::Dropped(Box::new(decision), reason), None),
            },
        };
        EvaluationReport { outcome, decision, duration, usage, log }
    }

    /// The signal of a decision, or why the host drops it.
    pub(crate) fn signal(&self, decision: &Decision) -> Result<Signal, DropReason> {
        let windows: Vec<CandleSlice<'_>> = std::iter::once(self.base).chain(self.extra.iter().copied()).collect();
        let evaluated = Evaluated {
            job: self.job,
            strategy: &self.module.description().id,
            module: self.module.digest(),
            wit_version: WIT_VERSION,
            parameters: self.parameters,
            parameter_store: self.origin.parameter_store,
            window: self.base,
            window_hash: CandleSlice::hash(&windows),
            host_version: self.origin.host_version,
            traceparent: self.origin.traceparent,
            decision,
        };
        Signal::new(&evaluated, self.settings)
    }
}

/// The windows of a module's extra inputs.
pub fn extra_windows(description: &StrategyDescription, job: &Job) -> Vec<WindowRequest> {
    description.extra.iter().map(|input| (series_of(input, job), input.lookback)).collect()
}

/// The series of an extra input, of which a job sees what had closed with its candle. Above the highest timeframe there
/// is no higher one, and the input is empty.
pub fn series_of(input: &ExtraInput, job: &Job) -> Option<SeriesKey> {
    let symbol = match &input.symbol {
        InputSymbol::Own => job.symbol.clone(),
        InputSymbol::Fixed(symbol) => symbol.clone(),
    };
    let timeframe = match input.timeframe {
        InputTimeframe::NextHigher => job.timeframe.next_higher(),
        InputTimeframe::Fixed(timeframe) => Some(timeframe),
    };
    timeframe.map(|timeframe| (symbol, timeframe))
}
