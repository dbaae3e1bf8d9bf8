//! Costs in the words of JSON, for the API and for the commands.

use serde::Serialize;
use utoipa::ToSchema;

use ta_bot_core::millis;
use ta_bot_engine::supervision::costs::{Cost, CostGroup};

/// What evaluations of a strategy, a module or a symbol cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostView {
    /// Null where it is summed over strategies.
    pub strategy: Option<String>,
    /// SHA-256 of the module's bytes; null where it is summed over modules.
    pub module_digest: Option<String>,
    /// Null where it is summed over symbols.
    pub symbol: Option<String>,
    /// How many evaluations there were in jobs.
    pub evaluations: u64,
    /// How many of them gave a signal.
    pub signals: u64,
    /// How many of them the strategy's code failed.
    pub failures: u64,
    /// How long they took together.
    pub total_ms: f64,
    /// How long one took in the mean.
    pub mean_ms: f64,
    /// How long the longest took.
    pub longest_ms: f64,
    /// Time for each signal; null where there was none.
    pub ms_per_signal: Option<f64>,
    /// The most memory that one had.
    pub peak_memory_bytes: u64,
    /// What they were handed together.
    pub bytes_in: u64,
    /// What they handed back together.
    pub bytes_out: u64,
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
