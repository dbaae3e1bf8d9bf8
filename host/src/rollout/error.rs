//! Why what is deployed is not changed.

use ta_bot_core::{ModuleDigest, ParameterProblem, StrategyId};
use thiserror::Error;

use crate::{
    loader::LoadingError,
    parameters::ParameterError,
    store::{StoreError, WriteError},
};

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum RolloutError {
    /// No strategy has this id.
    #[error("there is no strategy {0}: activate a module that has this id, and it is there")]
    UnknownStrategy(StrategyId),
    /// No such module is kept.
    #[error("there is no module {0}: upload it first")]
    UnknownModule(ModuleDigest),
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
    /// Admission has not come to its end.
    #[error(
        "the module {0} is still being checked: wait until it is admitted, which GET /api/v1/modules/{0} and `ta-bot \
         modules show {0}` say"
    )]
    Waiting(ModuleDigest),
    /// It is kept, but nobody uploaded it.
    #[error("the module {0} came with another version of the service and was never checked: upload it first")]
    NeverChecked(ModuleDigest),
    /// Admission refused it.
    #[error("the module {0} was refused by admission; GET /api/v1/modules/{0} and `ta-bot modules show {0}` say why")]
    NotAdmitted(ModuleDigest),
    /// It was refused, so that it may look but not be promoted.
    #[error(
        "admission refused the module {0}, so a shadow of it is never promoted: leave out promote_after and promote_at_most \
         (--promote-after and --promote-at-most)"
    )]
    NeverPromoted(ModuleDigest),
    /// None came with the service.
    #[error("no module of {0} came with the service: name one by its digest")]
    NotBundled(StrategyId),
    /// What is stored for the strategy does not fit the module.
    #[error("{} of the stored parameters do not fit this module: change or delete them first", .0.len())]
    Misfits(Vec<ParameterProblem>),
    /// The module refuses the stored parameters together.
    #[error("this module refuses the stored parameters together: {0}")]
    Refused(String),
    /// Nothing was deployed before.
    #[error("there is nothing to go back to")]
    NothingBefore,
    /// There is no such entry.
    #[error("the strategy has no entry {0} to go back to")]
    UnknownRevision(i64),
    /// Enabling alone does not help.
    #[error("{0} is quarantined: lift that first, or activate another module")]
    Quarantined(StrategyId),
    /// It is not in quarantine.
    #[error("{0} is not quarantined")]
    NotQuarantined(StrategyId),
    /// It has no shadow.
    #[error("no module looks on beside the one of {0}: begin with the action shadow, or `ta-bot modules shadow`")]
    NoShadow(StrategyId),
    /// It is the one that decides.
    #[error("the module {0} decides already: a shadow is another one")]
    DecidesAlready(ModuleDigest),
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
            Self::UnknownModule(_) => "unknown_module",
            Self::OtherStrategy { .. } => "other_strategy",
            Self::Waiting(_) => "being_checked",
            Self::NotAdmitted(_) | Self::NeverChecked(_) | Self::NeverPromoted(_) => "not_admitted",
            Self::NotBundled(_) => "not_bundled",
            Self::Misfits(_) => "invalid",
            Self::Refused(_) => "refused_by_strategy",
            Self::NothingBefore | Self::UnknownRevision(_) => "unknown_version",
            Self::Quarantined(_) => "quarantined",
            Self::NotQuarantined(_) => "not_quarantined",
            Self::NoShadow(_) => "no_shadow",
            Self::DecidesAlready(_) => "decides_already",
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
