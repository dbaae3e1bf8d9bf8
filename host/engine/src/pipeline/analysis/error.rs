//! How an analysis fails.

use ta_bot_core::{EvaluationError, Job, RefusedCandle, RowProblem, StrategyId, WindowError};
use thiserror::Error;

use crate::{modules::loader::LoadingError, support::store_error::StoreError};

/// Why an analysis failed.
#[derive(Debug, Error)]
pub enum AnalysisError {
    /// The candle is not in the store (yet).
    #[error("there is no candle of {0}")]
    NoCandle(Job),
    /// The candle is in the store, but its row is no closed candle (yet).
    #[error("the candle of {job} can't be used: {problem}")]
    Refused {
        /// The job.
        job: Job,
        /// What is wrong with the row.
        problem: RowProblem,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store's candles do not form a valid window.
    #[error("the stored candles can't be used: {0}")]
    Window(#[from] WindowError),
    /// A deployed module can't be loaded.
    #[error(transparent)]
    Module(#[from] LoadingError),
    /// The host had no room for a guest.
    #[error("{0} could not be evaluated: {1}")]
    NoRoom(StrategyId, EvaluationError),
    /// The analysis panicked, or the process is stopping.
    #[error("the analysis was given up in the middle")]
    GivenUp,
}

impl AnalysisError {
    /// The code of a job that is given up because its candle is missing.
    pub const MISSING: &str = "missing";

    /// Why a job is given up. If its candle may still come, the reason begins with a code and a colon.
    pub fn reason(&self) -> String {
        match self {
            Self::NoCandle(_) => format!("{}: {self}", Self::MISSING),
            Self::Refused { problem, .. } => format!("{}: {problem}", problem.code()),
            _ => self.to_string(),
        }
    }

    /// The error for a job whose candle is not among the closed ones.
    pub(super) fn without_candle(job: &Job, refused: Vec<RefusedCandle>) -> Self {
        let of_the_job = |candle: &RefusedCandle| job.timeframe.close_of(candle.open_time) == job.candle_close;
        match refused.into_iter().find(of_the_job) {
            Some(RefusedCandle { problem, .. }) => Self::Refused { job: job.clone(), problem },
            None => Self::NoCandle(job.clone()),
        }
    }

    /// Whether the job's candle is missing or unusable, which its writer may still mend.
    pub const fn is_without_candle(&self) -> bool {
        matches!(self, Self::NoCandle(_) | Self::Refused { .. })
    }

    /// Whether a store is the cause and not the job. Such a job waits until the store is back, and is not given up.
    pub const fn is_stores(&self) -> bool {
        match self {
            Self::Store(StoreError::Unavailable { .. } | StoreError::CannotWrite { .. }) => true,
            Self::Module(error) => error.is_passing(),
            _ => false,
        }
    }
}
