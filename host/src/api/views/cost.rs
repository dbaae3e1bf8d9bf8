//! Costs in the words of JSON, for the API and for the commands.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::supervision::costs::{Cost, CostGroup};
use ta_bot_core::millis;

/// What evaluations of a strategy, a module or a symbol cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CostView {
    /// Null where it is summed over strategies.
    pub(crate) strategy: Option<String>,
    /// SHA-256 of the module's bytes; null where it is summed over modules.
    pub(crate) module_digest: Option<String>,
    /// Null where it is summed over symbols.
    pub(crate) symbol: Option<String>,
    /// How many evaluations there were in jobs.
    pub(crate) evaluations: u64,
    /// How many of them gave a signal.
    pub(crate) signals: u64,
    /// How many of them the strategy's code failed.
    pub(crate) failures: u64,
    /// How long they took together.
    pub(crate) total_ms: f64,
    /// How long one took in the mean.
    pub(crate) mean_ms: f64,
    /// How long the longest took.
    pub(crate) longest_ms: f64,
    /// Time for each signal; null where there was none.
    pub(crate) ms_per_signal: Option<f64>,
    /// The most memory that one had.
    pub(crate) peak_memory_bytes: u64,
    /// What they were handed together.
    pub(crate) bytes_in: u64,
    /// What they handed back together.
    pub(crate) bytes_out: u64,
}

impl From<(CostGroup, Cost)> for CostView {
    fn from((group, cost): (CostGroup, Cost)) -> Self {
        let Cost { evaluations, signals, failures, total, longest, peak_memory, bytes_in, bytes_out } = cost;
        let per = |count: u64| (count > 0).then(|| millis(total) / count as f64);
        Self {
            strategy: group.strategy.map(|strategy| strategy.to_string()),
            module_digest: group.module.map(|module| module.to_string()),
            symbol: group.symbol.map(|symbol| symbol.to_string()),
            evaluations,
            signals,
            failures,
            total_ms: millis(total),
            mean_ms: per(evaluations).unwrap_or_default(),
            longest_ms: millis(longest),
            ms_per_signal: per(signals),
            peak_memory_bytes: peak_memory,
            bytes_in,
            bytes_out,
        }
    }
}
