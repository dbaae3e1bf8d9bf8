//! Why what is deployed is not changed.

use ta_bot_core::{ModuleDigest, ParameterProblem, StrategyId, TransitionError};
use thiserror::Error;

use crate::{
    modules::loader::LoadingError,
    settings::parameters::ParameterError,
    support::store_error::{StoreError, WriteError},
};

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum RolloutError {
    /// No strategy has this id.
    #[error("there is no strategy {0}: activate a module that has this id, and it is there")]
    UnknownStrategy(StrategyId),
    /// It holds another strategy.
    #[error("the module {module} holds the strategy {holds}, not {strategy}")]
    OtherStrategy {
        /// The module.
        module: ModuleDigest,
        /// What it holds.
        holds: StrategyId,
        /// What was asked for.
        strategy: StrategyId,
    },
    /// What is stored for the strategy does not fit the module.
    #[error("{} of the stored parameters do not fit this module: change or delete them first", .0.len())]
    Misfits(Vec<ParameterProblem>),
    /// The module refuses the stored parameters together.
    #[error("this module refuses the stored parameters together: {0}")]
    Refused(String),
    /// The request does not fit the present deployment.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The module can't be had.
    #[error(transparent)]
    Loading(#[from] LoadingError),
    /// The module could not be asked about parameters.
    #[error(transparent)]
    Parameters(ParameterError),
    /// The write did not happen.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl RolloutError {
    /// A stable word for programs. What a store said is the business of whoever answers.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownStrategy(_) => "unknown_strategy",
            Self::OtherStrategy { .. } => "other_strategy",
            Self::Misfits(_) => "invalid",
            Self::Refused(_) => "refused_by_strategy",
            Self::Transition(error) => error.code(),
            Self::Loading(error) => error.code(),
            Self::Parameters(ParameterError::Unchecked(_)) => "unchecked",
            Self::Parameters(ParameterError::Write(error)) | Self::Write(error) => error.code(),
            Self::Parameters(_) => "internal",
        }
    }
}

impl From<StoreError> for RolloutError {
    fn from(error: StoreError) -> Self {
        Self::Write(error.into())
    }
}

impl From<ParameterError> for RolloutError {
    fn from(error: ParameterError) -> Self {
        match error {
            ParameterError::Invalid(problems) => Self::Misfits(problems),
            ParameterError::Refused(reason) => Self::Refused(reason),
            error => Self::Parameters(error),
        }
    }
}
