//! The JSON view of failures in a list, for the API and the commands.

use serde::Serialize;
use utoipa::ToSchema;

use ta_bot_engine::supervision::failure::FailureSummary;

pub mod rerun;

/// A failed evaluation. Its bundle holds all of its inputs.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    pub id: String,
    pub strategy: String,
    /// The SHA-256 of the module's bytes.
    pub module_digest: String,
    pub symbol: String,
    pub timeframe: String,
    pub candle_close: String,
    /// `trap`, `timeout`, `limit`, `failed` or `invalid_decision`.
    pub code: String,
    pub message: String,
    /// When it first failed.
    pub at: String,
}

impl From<FailureSummary> for FailureView {
    fn from(failure: FailureSummary) -> Self {
        Self {
            id: failure.id.to_string(),
            strategy: failure.strategy.to_string(),
            module_digest: failure.module.to_string(),
            symbol: failure.job.symbol.to_string(),
            timeframe: failure.job.timeframe.as_str().to_owned(),
            candle_close: failure.job.candle_close.to_string(),
            code: failure.error.code,
            message: failure.error.message,
            at: failure.at.to_string(),
        }
    }
}
