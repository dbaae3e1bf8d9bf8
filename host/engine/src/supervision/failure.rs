//! Evaluations that failed, each kept as a bundle: everything that it followed from, so that it can be run again
//! anywhere, by whoever wrote the strategy.
//!
//! A bundle is one JSON document ([`document`]). It holds no code: the module is named by its digest. The same failure
//! has the same id, so a job that comes again, on whichever replica, leaves no second one.
//!
//! Keeping bundles is beside the work and never in its way: they are handed to a task of their own ([`recorder`]), and
//! where that can't follow, the newest are lost and counted.

use async_trait::async_trait;
use ta_bot_core::{
    CandleSlice, CandleWindow, EvaluationError, FailureId, Job, Level, ModuleDigest, ResolvedParameters, StrategyId,
    Symbol, Timestamp, WindowHash,
};
use ta_bot_wasm::{Limits, LogLine, WIT_VERSION};

use crate::{
    evaluation::{HOST_VERSION, Inputs, SeriesKey, WindowRequest, extra_windows},
    support::store_error::StoreError,
};

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod document;
pub mod packed;
#[cfg(test)]
mod tests;

/// How many bundles of a module are kept: the newest.
pub const KEPT_OF_A_MODULE: u32 = 200;
/// How much of an error's words stands in a list.
const MESSAGE_CHARS: usize = 2000;

/// An evaluation that failed, and all that it followed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// When it failed.
    pub at: Timestamp,
    /// Whose evaluation.
    pub strategy: StrategyId,
    /// The code.
    pub module: ModuleDigest,
    /// The WIT version that host and module spoke.
    pub wit_version: String,
    /// The version of the host.
    pub host_version: String,
    /// What the evaluation might use.
    pub limits: Limits,
    /// The candle.
    pub job: Job,
    /// How the strategy was set. Where each value came from is not part of it.
    pub parameters: ResolvedParameters,
    /// What the strategy was given: its own series first, then its extra inputs in their order.
    pub windows: Vec<FailedWindow>,
    /// How it failed.
    pub error: RecordedError,
    /// What the strategy logged.
    pub log: Vec<LogLine>,
}

/// A window that a strategy was given.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedWindow {
    /// Which series; none for an input that is empty since there is no higher timeframe.
    pub series: Option<SeriesKey>,
    /// Its candles.
    pub candles: CandleWindow,
}

/// How an evaluation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedError {
    /// The word of [`EvaluationError::code`].
    pub code: String,
    /// For people.
    pub message: String,
}

/// What a list says of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureSummary {
    /// The bundle.
    pub id: FailureId,
    /// Whose evaluation.
    pub strategy: StrategyId,
    /// The code.
    pub module: ModuleDigest,
    /// The candle.
    pub job: Job,
    /// How it failed.
    pub error: RecordedError,
    /// When it failed first.
    pub at: Timestamp,
}

/// Which bundles to list; each condition that is given has to hold.
#[derive(Debug, Clone, Default)]
pub struct FailureFilter {
    /// Of this strategy only.
    pub strategy: Option<StrategyId>,
    /// Of this module only.
    pub module: Option<ModuleDigest>,
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// This many at most.
    pub limit: u32,
}

/// A store of bundles.
#[async_trait]
pub trait FailureStore: Send + Sync {
    /// Keeps a bundle, and lets those of its module go that are not among the newest [`KEPT_OF_A_MODULE`]. One that is
    /// there stays as it is. Answers whether it was new.
    async fn put(&self, bundle: &packed::Packed) -> Result<bool, StoreError>;

    /// The document of a bundle, as it was kept; none where there is none of this id.
    async fn get(&self, id: FailureId) -> Result<Option<String>, StoreError>;

    /// Bundles by filter, newest first.
    async fn list(&self, filter: &FailureFilter) -> Result<Vec<FailureSummary>, StoreError>;
}

impl Failure {
    /// The failure of an evaluation of these inputs. Copies its candles.
    pub fn of(inputs: &Inputs<'_>, error: &EvaluationError, log: &[LogLine], at: Timestamp) -> Self {
        let description = inputs.module.description();
        let own = (inputs.job.symbol.clone(), inputs.job.timeframe);
        let wanted: Vec<WindowRequest> = extra_windows(description, inputs.job);
        let series = std::iter::once(Some(own)).chain(wanted.into_iter().map(|(series, _)| series));
        let slices = std::iter::once(inputs.base).chain(inputs.extra.iter().copied());
        let window = |(series, slice): (_, CandleSlice<'_>)| FailedWindow { series, candles: slice.to_window() };
        Self {
            at,
            strategy: description.id.clone(),
            module: inputs.module.digest(),
            wit_version: WIT_VERSION.to_owned(),
            host_version: HOST_VERSION.to_owned(),
            limits: *inputs.module.limits(),
            job: inputs.job.clone(),
            parameters: ResolvedParameters {
                origins: std::collections::BTreeMap::new(),
                level: Level::Default,
                ..inputs.parameters.clone()
            },
            windows: series.zip(slices).map(window).collect(),
            error: RecordedError { code: error.code().to_owned(), message: error.to_string() },
            log: log.to_vec(),
        }
    }

    /// The candles of each window.
    pub fn slices(&self) -> Vec<CandleSlice<'_>> {
        self.windows.iter().map(|window| window.candles.newest(usize::MAX)).collect()
    }

    /// The hash of all candles.
    pub fn window_hash(&self) -> WindowHash {
        CandleSlice::hash(&self.slices())
    }

    /// What the failure is known by.
    pub fn id(&self) -> FailureId {
        let Self { module, parameters, job, error, .. } = self;
        FailureId::of_evaluation(*module, parameters.hash, self.window_hash(), job, &error.code)
    }

    /// What a list says of it.
    pub fn summary(&self) -> FailureSummary {
        let RecordedError { code, message } = &self.error;
        let message = message.chars().take(MESSAGE_CHARS).collect();
        FailureSummary {
            id: self.id(),
            strategy: self.strategy.clone(),
            module: self.module,
            job: self.job.clone(),
            error: RecordedError { code: code.clone(), message },
            at: self.at,
        }
    }
}
