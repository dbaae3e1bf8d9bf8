//! Errors of changing deployments.

use ta_bot_core::{ModuleDigest, ParameterProblem, StrategyId, TransitionError};
use thiserror::Error;

use crate::{
    modules::loader::LoadingError,
    settings::parameters::ParameterError,
    support::store_error::{StoreError, WriteError},
};

/// Why a deployment was not changed.
#[derive(Debug, Error)]
pub enum RolloutError {
    /// No strategy has this id.
    #[error("there is no strategy {0}: activate a module that has this id, and it is there")]
    UnknownStrategy(StrategyId),
    /// The module contains a different strategy.
    #[error("the module {module} holds the strategy {holds}, not {strategy}")]
    OtherStrategy {
        /// The module.
        module: ModuleDigest,
        /// The strategy that it contains.
        holds: StrategyId,
        /// The requested strategy.
        strategy: StrategyId,
    },
    /// The parameters that are stored for the strategy do not fit the module.
    #[error("{} of the stored parameters do not fit this module: change or delete them first", .0.len())]
    Misfits(Vec<ParameterProblem>),
    /// The module refuses the combination of stored parameters.
    #[error("this module refuses the stored parameters together: {0}")]
    Refused(String),
    /// The request does not fit the current deployment.
    #[error(transparent)]
    Transition(#[from] TransitionError),
    /// The module can't be loaded.
    #[error(transparent)]
    Loading(#[from] LoadingError),
    /// The parameters could not be checked.
    #[error(transparent)]
    Parameters(ParameterError),
    /// The write did not happen.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl RolloutError {
    /// A stable code for programs. A store's own message is left to the layer that writes the response.
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
