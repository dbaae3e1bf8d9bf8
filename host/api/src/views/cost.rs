//! The JSON view of costs, for the API and the commands.

use serde::Serialize;
use utoipa::ToSchema;

use ta_bot_core::millis;
use ta_bot_engine::supervision::costs::{Cost, CostGroup};

/// What the evaluations of a strategy, a module or a symbol cost.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostView {
    /// The strategy; null if this is a sum over strategies.
    pub strategy: Option<String>,
    /// The SHA-256 of the module's bytes; null if this is a sum over modules.
    pub module_digest: Option<String>,
    /// The symbol; null if this is a sum over symbols.
    pub symbol: Option<String>,
    /// The number of evaluations in jobs.
    pub evaluations: u64,
    /// How many of them gave a signal.
    pub signals: u64,
    /// How many of them failed in the strategy's code.
    pub failures: u64,
    /// The time they took in total.
    pub total_ms: f64,
    /// The mean time of one evaluation.
    pub mean_ms: f64,
    /// The time of the longest evaluation.
    pub longest_ms: f64,
    /// The time spent per signal; null if there was no signal.
    pub ms_per_signal: Option<f64>,
    /// The most memory that one evaluation used.
    pub peak_memory_bytes: u64,
    /// The bytes passed to them in total.
    pub bytes_in: u64,
    /// The bytes they returned in total.
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
