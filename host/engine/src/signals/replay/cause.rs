//! Why a signal can't be replayed.

use ta_bot_core::{Job, ModuleDigest, ParameterHash, SignalId, WindowHash};
use thiserror::Error;

/// Why a signal can't be replayed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cause {
    /// The stored message does not say what the signal was made of.
    #[error("the stored message can't be read, it was changed after it was stored: {0}")]
    Unreadable(String),
    /// The stored message names inputs that do not match the signal's id.
    #[error(
        "strategy, module, parameters, symbol, timeframe and candle as they are stored make the id {made}, which is not \
         the signal's: one of them was changed after it was stored"
    )]
    OtherIdentity {
        /// The id that follows from them.
        made: SignalId,
    },
    /// The module is not stored.
    #[error(
        "the module {0} is not kept here: put its file into STRATEGIES_DIR and start the service once, which keeps it"
    )]
    UnknownModule(ModuleDigest),
    /// The stored bytes of the module have changed.
    #[error(
        "the bytes that are kept of the module {0} are damaged: upload it again, or put its file into STRATEGIES_DIR and \
         start the service once, which keeps it anew"
    )]
    DamagedModule(ModuleDigest),
    /// The module can't be loaded.
    #[error("the module {module} can't be loaded by this version: {reason}")]
    UnusableModule {
        /// The module.
        module: ModuleDigest,
        /// The reason.
        reason: String,
    },
    /// The parameters are no longer known.
    #[error("the parameters with the hash {hash} are not known any more: {reason}")]
    UnknownParameters {
        /// The hash of the parameters that were in use.
        hash: ParameterHash,
        /// What is stored instead.
        reason: String,
    },
    /// The candle itself is no longer stored.
    #[error("there is no candle of {0} any more")]
    CandlesMissing(Job),
    /// The candles have changed.
    #[error(
        "the candles differ from those with the hash {recorded} that the signal was made of: some were changed, removed or \
         added since"
    )]
    CandlesChanged {
        /// The hash of the candles that were in use.
        recorded: WindowHash,
    },
    /// The strategy took too long, which may be the machine's fault.
    #[error(
        "the strategy was stopped after its {limit_ms} ms: try again when the machine is less busy, or raise \
         STRATEGY_TIMEOUT_MS"
    )]
    Timeout {
        /// The time limit of an evaluation.
        limit_ms: u64,
    },
}

impl Cause {
    /// A stable code for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable_message",
            Self::OtherIdentity { .. } => "other_identity",
            Self::UnknownModule(_) => "unknown_module",
            Self::DamagedModule(_) => "damaged_module",
            Self::UnusableModule { .. } => "unusable_module",
            Self::UnknownParameters { .. } => "unknown_parameters",
            Self::CandlesMissing(_) => "candles_missing",
            Self::CandlesChanged { .. } => "candles_changed",
            Self::Timeout { .. } => "timeout",
        }
    }
}
