//! Evaluations that failed. Each is kept as a bundle: everything that the outcome followed from, so that the strategy's
//! author can run it again anywhere.
//!
//! A bundle is one JSON document ([`document`]). It contains no code: it names the module by its digest. The same
//! failure always has the same id, so a job that runs again, on any replica, does not store a second bundle.
//!
//! Storing bundles never holds up the work: a task of its own does it ([`recorder`](crate::supervision::recorder)). If
//! that task can't keep up, the newest bundles are lost and counted.

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

/// How many bundles of a module are kept. Only the newest are.
pub const KEPT_OF_A_MODULE: u32 = 200;
/// How many characters of an error message a list shows.
const MESSAGE_CHARS: usize = 2000;

/// An evaluation that failed, with everything that its outcome followed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// When it failed.
    pub at: Timestamp,
    /// The strategy that was evaluated.
    pub strategy: StrategyId,
    /// The digest of its module.
    pub module: ModuleDigest,
    /// The WIT version that host and module spoke.
    pub wit_version: String,
    /// The version of the host.
    pub host_version: String,
    /// The limits of the evaluation.
    pub limits: Limits,
    /// The job that names the candle.
    pub job: Job,
    /// The parameters of the strategy, without the origin of each value.
    pub parameters: ResolvedParameters,
    /// The windows that the strategy was given: its own series first, then its extra inputs in order.
    pub windows: Vec<FailedWindow>,
    /// How it failed.
    pub error: RecordedError,
    /// What the strategy logged.
    pub log: Vec<LogLine>,
}

/// A window that a strategy was given.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedWindow {
    /// The series; `None` for an input that is empty because there is no higher timeframe.
    pub series: Option<SeriesKey>,
    /// Its candles.
    pub candles: CandleWindow,
}

/// How an evaluation failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedError {
    /// The value of [`EvaluationError::code`].
    pub code: String,
    /// The message for people.
    pub message: String,
}

/// An entry in a list of bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureSummary {
    /// The id of the bundle.
    pub id: FailureId,
    /// The strategy that was evaluated.
    pub strategy: StrategyId,
    /// The digest of its module.
    pub module: ModuleDigest,
    /// The job that names the candle.
    pub job: Job,
    /// How it failed.
    pub error: RecordedError,
    /// When it failed first.
    pub at: Timestamp,
}

/// Which bundles to list. All given conditions must hold.
#[derive(Debug, Clone, Default)]
pub struct FailureFilter {
    /// Only bundles of this strategy.
    pub strategy: Option<StrategyId>,
    /// Only bundles of this module.
    pub module: Option<ModuleDigest>,
    /// Only bundles of this symbol.
    pub symbol: Option<Symbol>,
    /// The largest number of bundles to return.
    pub limit: u32,
}

/// A store of bundles.
#[async_trait]
pub trait FailureStore: Send + Sync {
    /// Stores a bundle, and removes those of its module that are not among the newest [`KEPT_OF_A_MODULE`]. A bundle
    /// that is already stored stays unchanged. Returns whether the bundle was new.
    async fn put(&self, bundle: &packed::Packed) -> Result<bool, StoreError>;

    /// Returns the document of a bundle as it was stored; `None` if there is no bundle with this id.
    async fn get(&self, id: FailureId) -> Result<Option<String>, StoreError>;

    /// Returns the bundles that match the filter, newest first.
    async fn list(&self, filter: &FailureFilter) -> Result<Vec<FailureSummary>, StoreError>;
}

impl Failure {
    /// Creates the failure of an evaluation of these inputs. Copies the candles.
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

    /// The id of the failure.
    pub fn id(&self) -> FailureId {
        let Self { module, parameters, job, error, .. } = self;
        FailureId::of_evaluation(*module, parameters.hash, self.window_hash(), job, &error.code)
    }

    /// The entry for lists.
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
