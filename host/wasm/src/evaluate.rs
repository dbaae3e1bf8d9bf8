//! One evaluation: a fresh instance, one call, and the instance is dropped.

use std::time::{Duration, Instant};

use ta_bot_core::{CandleSlice, Decision, EvaluationError, Job, Parameters, Timestamp};
use wasmtime::Store;

use crate::{
    bindings::{StrategyModule as Bindings, ta_bot::strategy::types as wit},
    convert,
    engine::{burnt, refuel, stop_in_time},
    fault,
    guest::{GuestState, LogLine, Seed},
    limits::Limits,
    module::{StrategyModule, new_store},
};

/// How many characters of a guest's reason are repeated.
const REASON_CHARS: usize = 1000;

/// What a guest returns.
type GuestAnswer = Result<Option<wit::Signal>, wit::Fault>;

/// What a strategy is asked to decide on.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationInput<'a> {
    /// The job, which names the candle.
    pub job: &'a Job,
    /// The base window: the newest candles that the description asks for, as far as the market has them.
    pub base: CandleSlice<'a>,
    /// One window for each extra input of the description, in the same order.
    pub extra: &'a [CandleSlice<'a>],
    /// The resolved parameters.
    pub parameters: &'a Parameters,
}

/// The result of an evaluation.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// A decision, `None` if the strategy has nothing to say, or why there is no answer.
    pub outcome: Result<Option<Decision>, EvaluationError>,
    /// What the guest logged.
    pub log: Vec<LogLine>,
    /// How long it took, including making the instance.
    pub duration: Duration,
    /// How long the machine ran it: less than it took if its thread was paused or had to wait for a core.
    pub ran: Duration,
    /// What else the evaluation used.
    pub usage: Usage,
}

/// What an evaluation uses besides time. All of it follows from the module and the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// The total size of the instance's memories, in bytes. Memories never shrink, so this is the peak.
    pub memory_bytes: u64,
    /// The size of the guest's input, in bytes: the columns of its windows.
    pub bytes_in: u64,
    /// The size of the guest's output, in bytes: its signal or its reason why there is none, and its log.
    pub bytes_out: u64,
    /// What the guest executed, in wasmtime's units of about an instruction; `None` if the sandbox does not count it.
    pub fuel: Option<u64>,
}

impl StrategyModule {
    /// Evaluates in a fresh instance. The answer depends on the module and the input, and on nothing else.
    pub fn evaluate(&self, input: EvaluationInput<'_>) -> Evaluation {
        self.evaluate_at(input, input.job.candle_close)
    }

    /// Like [`evaluate`](Self::evaluate), but the texts of the decision are as the strategy gave them, however long
    /// they are. This makes the signals again of versions that did not cut them.
    pub fn evaluate_as_given(&self, input: EvaluationInput<'_>) -> Evaluation {
        self.evaluate_with(input, input.job.candle_close, |decision| decision)
    }

    /// Like [`evaluate`](Self::evaluate), but the guest's clocks show `now` instead of the candle's close. The service
    /// never does this; it shows whether a strategy's answer depends on the clock.
    pub fn evaluate_at(&self, input: EvaluationInput<'_>, now: Timestamp) -> Evaluation {
        self.evaluate_with(input, now, Decision::within_bounds)
    }

    fn evaluate_with(
        &self,
        input: EvaluationInput<'_>,
        now: Timestamp,
        texts: impl FnOnce(Decision) -> Decision,
    ) -> Evaluation {
        let started = Instant::now();
        let state = GuestState::new(self.limits(), now, seed(self, input.job));
        let mut store = new_store(&self.sandbox, state, self.limits());
        let outcome =
            self.call(&mut store, self.limits(), |instance, store| self.call_evaluate(instance, store, input));
        let usage = self.usage(&store, input, outcome.as_ref().ok());
        let outcome = outcome.and_then(|answer| read_answer(answer, input.base.len()));
        let outcome = outcome.map(|decision| decision.map(texts));
        let log = std::mem::take(&mut store.data_mut().log);
        let ran = store.data().time.ran();
        drop(store);
        Evaluation { outcome, log, duration: started.elapsed(), ran, usage }
    }

    /// Evaluates `inputs` one after the other in the same instance, up to the first evaluation that ends the instance.
    /// The service never does this; it shows whether a strategy keeps state from one call to the next.
    pub fn evaluate_in_one_instance(&self, inputs: &[EvaluationInput<'_>]) -> Vec<Evaluation> {
        let mut reused = ReusedInstance::new(self, u32::MAX);
        let mut evaluations = Vec::with_capacity(inputs.len());
        for input in inputs {
            evaluations.push(reused.evaluate(*input));
            if reused.kept.is_none() {
                break;
            }
        }
        evaluations
    }

    /// Asks the strategy whether `parameters` fit together. The host checks types and ranges beforehand.
    pub fn check(&self, parameters: &Parameters) -> Result<(), EvaluationError> {
        self.check_within(self.limits(), parameters)
    }

    /// Like [`check`](Self::check), but under the given limits. There is no candle, so the guest's clock shows the Unix
    /// epoch.
    pub(crate) fn check_within(&self, limits: &Limits, parameters: &Parameters) -> Result<(), EvaluationError> {
        let values = convert::parameters(&self.description().schema, parameters);
        let state = GuestState::new(limits, Timestamp::from_millis(0), Seed::Given([0; 32]));
        let mut store = new_store(&self.sandbox, state, limits);
        self.call(&mut store, limits, |instance, store| instance.ta_bot_strategy_strategy().call_check(store, &values))?
            .map_err(|reason| EvaluationError::InvalidParameters(in_short(reason)))
    }

    /// Makes an instance and calls it. Whatever goes wrong there is classified as the guest's error.
    fn call<T>(
        &self,
        store: &mut Store<GuestState>,
        limits: &Limits,
        call: impl FnOnce(&Bindings, &mut Store<GuestState>) -> wasmtime::Result<T>,
    ) -> Result<T, EvaluationError> {
        let answer = self.pre.instantiate(&mut *store).and_then(|instance| call(&instance, store));
        answer.map_err(|error| fault::classify(&error, store.data(), limits))
    }

    /// What the evaluation that has just ended used besides time.
    fn usage(&self, store: &Store<GuestState>, input: EvaluationInput<'_>, answer: Option<&GuestAnswer>) -> Usage {
        let state = store.data();
        let description = self.description();
        let extra = input.extra.iter().zip(&description.extra).map(|(window, wanted)| (window.len(), wanted.columns));
        let windows = std::iter::once((input.base.len(), description.columns)).chain(extra);
        let numbers: usize = windows.map(|(candles, columns)| candles * columns.count()).sum();
        Usage {
            memory_bytes: state.watch.granted_bytes() as u64,
            bytes_in: (numbers * size_of::<f64>()) as u64,
            bytes_out: (state.log_bytes() + answer.map_or(0, convert::answer_bytes)) as u64,
            fuel: burnt(store, &self.sandbox),
        }
    }

    fn call_evaluate(
        &self,
        instance: &Bindings,
        store: &mut Store<GuestState>,
        input: EvaluationInput<'_>,
    ) -> wasmtime::Result<GuestAnswer> {
        let description = self.description();
        let context = wit::Context {
            symbol: input.job.symbol.as_str(),
            timeframe: input.job.timeframe.as_str(),
            close_time: input.job.candle_close.millis() as f64,
        };
        let base = convert::candles(input.base, description.columns);
        let extra: Vec<_> = input
            .extra
            .iter()
            .zip(&description.extra)
            .map(|(window, wanted)| convert::candles(*window, wanted.columns))
            .collect();
        let values = convert::parameters(&description.schema, input.parameters);
        instance.ta_bot_strategy_strategy().call_evaluate(store, context, base, &extra, &values)
    }
}

/// An instance that is asked again and again, which saves making one for each evaluation. A strategy may keep something
/// from one call to the next, so the service never does this, and whoever does has to compare with
/// [`StrategyModule::evaluate`].
pub struct ReusedInstance<'a> {
    module: &'a StrategyModule,
    /// How many evaluations an instance is asked for. Guests that never give memory back become slower with each.
    most: u32,
    kept: Option<Kept>,
}

struct Kept {
    store: Store<GuestState>,
    instance: Bindings,
    evaluations: u32,
}

impl<'a> ReusedInstance<'a> {
    /// An instance of `module` that is made anew after `most` evaluations, and after one that failed.
    pub const fn new(module: &'a StrategyModule, most: u32) -> Self {
        Self { module, most, kept: None }
    }

    /// Evaluates in the instance. If the strategy keeps nothing, the answer is that of [`StrategyModule::evaluate`].
    pub fn evaluate(&mut self, input: EvaluationInput<'_>) -> Evaluation {
        let started = Instant::now();
        let module = self.module;
        let kept = self.kept.take().filter(|kept| kept.evaluations < self.most);
        let mut kept = match kept.map_or_else(|| module.keep(input), Ok) {
            Ok(kept) => kept,
            Err(failed) => return Evaluation { duration: started.elapsed(), ..*failed },
        };
        let store = &mut kept.store;
        store.data_mut().begin(input.job.candle_close, seed(module, input.job));
        stop_in_time(store);
        refuel(store, &module.sandbox);
        let answer = module.call_evaluate(&kept.instance, store, input);
        let answer = answer.map_err(|error| fault::classify(&error, store.data(), module.limits()));
        let usage = module.usage(store, input, answer.as_ref().ok());
        let log = std::mem::take(&mut store.data_mut().log);
        let ran = store.data().time.ran();
        kept.evaluations += 1;
        // An instance that was stopped in the middle of a call is not used again.
        self.kept = answer.is_ok().then_some(kept);
        let outcome = answer.and_then(|answer| read_answer(answer, input.base.len()));
        let outcome = outcome.map(|decision| decision.map(Decision::within_bounds));
        Evaluation { outcome, log, duration: started.elapsed(), ran, usage }
    }
}

impl StrategyModule {
    /// Makes an instance that is kept, or says why there is none.
    fn keep(&self, input: EvaluationInput<'_>) -> Result<Kept, Box<Evaluation>> {
        let limits = self.limits();
        let state = GuestState::new(limits, input.job.candle_close, seed(self, input.job));
        let mut store = new_store(&self.sandbox, state, limits);
        match self.pre.instantiate(&mut store) {
            Ok(instance) => Ok(Kept { store, instance, evaluations: 0 }),
            Err(error) => {
                let outcome = Err(fault::classify(&error, store.data(), limits));
                let usage = self.usage(&store, input, None);
                let (log, ran) = (Vec::new(), store.data().time.ran());
                Err(Box::new(Evaluation { outcome, log, duration: Duration::ZERO, ran, usage }))
            }
        }
    }
}

/// The seed of an evaluation's random numbers. It follows from the module and the job.
fn seed(module: &StrategyModule, job: &Job) -> Seed {
    Seed::Of(module.digest(), job.clone())
}

fn read_answer(answer: GuestAnswer, given: usize) -> Result<Option<Decision>, EvaluationError> {
    match answer {
        Ok(None) => Ok(None),
        Ok(Some(signal)) => {
            let decision = convert::decision(signal);
            decision.check()?;
            Ok(Some(decision))
        }
        Err(wit::Fault::InvalidParameters(reason)) => Err(EvaluationError::InvalidParameters(in_short(reason))),
        Err(wit::Fault::InsufficientData(needed)) => Err(EvaluationError::InsufficientData { needed, given }),
        Err(wit::Fault::Failed(reason)) => Err(EvaluationError::Failed(in_short(reason))),
    }
}

/// A guest's reason, shortened to what fits into a log line and an answer.
fn in_short(mut reason: String) -> String {
    if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS) {
        reason.truncate(end);
        reason.push('…');
    }
    reason
}
