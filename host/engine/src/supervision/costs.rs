//! What evaluations cost, stored by hour, strategy, module and symbol, and summed over replicas and restarts.
//!
//! Rows only grow: each replica adds what it has measured since its last addition
//! ([`ledger`](crate::supervision::ledger)).

use std::{str::FromStr, time::Duration};

use async_trait::async_trait;
use ta_bot_core::{ModuleDigest, StrategyId, Symbol, Timestamp};
use thiserror::Error;

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// How far back costs are summed up by default.
pub const DEFAULT_SINCE_MS: i64 = 86_400_000;
/// How many rows one statement adds to.
pub const ROWS_IN_A_STATEMENT: usize = 64;
const HOUR_MS: i64 = 3_600_000;
/// The columns that keep a sum, as both databases name them.
pub const SUMMED: [&str; 6] = ["evaluations", "signals", "failures", "total_nanos", "bytes_in", "bytes_out"];
/// The columns that keep the greatest of the added values.
pub const PEAKS: [&str; 2] = ["longest_nanos", "peak_memory"];

/// The key by which costs are summed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CostKey {
    /// The strategy.
    pub strategy: StrategyId,
    /// The digest of its module.
    pub module: ModuleDigest,
    /// The symbol it looked at.
    pub symbol: Symbol,
}

/// What a number of evaluations cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// The number of evaluations.
    pub evaluations: u64,
    /// How many of them produced a signal.
    pub signals: u64,
    /// How many of them failed in the strategy's code.
    pub failures: u64,
    /// The time that they took together.
    pub total: Duration,
    /// The time that the longest took.
    pub longest: Duration,
    /// The most memory that any of them used, in bytes.
    pub peak_memory: u64,
    /// The size of all their inputs, in bytes.
    pub bytes_in: u64,
    /// The size of all their results, in bytes.
    pub bytes_out: u64,
}

/// The costs of one key in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostEntry {
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// The strategy, module and symbol.
    pub key: CostKey,
    /// The costs.
    pub cost: Cost,
}

/// Which costs to sum up. All given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostFilter {
    /// Only costs of this strategy.
    pub strategy: Option<StrategyId>,
    /// Only costs of this module.
    pub module: Option<ModuleDigest>,
    /// Only costs of this symbol.
    pub symbol: Option<Symbol>,
    /// Only costs of the hour that contains this moment, and of later hours.
    pub since: Timestamp,
}

/// How costs are grouped: each group has a sum of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CostBy {
    /// By strategy.
    #[default]
    Strategy,
    /// By strategy and module.
    Module,
    /// By symbol.
    Symbol,
}

/// The error for a text that is not the name of a grouping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("strategy, module or symbol")]
pub struct CostByError;

/// The group that a sum belongs to. A field that the costs are not grouped by is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CostGroup {
    /// The strategy.
    pub strategy: Option<StrategyId>,
    /// The module.
    pub module: Option<ModuleDigest>,
    /// The symbol.
    pub symbol: Option<Symbol>,
}

/// A store of costs.
#[async_trait]
pub trait CostStore: Send + Sync {
    /// Adds the entries to the stored costs, all or none of them. The same hour and key may occur several times.
    async fn add(&self, entries: &[CostEntry]) -> Result<(), StoreError>;

    /// Returns the sum of each group that has one, in no particular order.
    async fn sums(&self, filter: &CostFilter, by: CostBy) -> Result<Vec<(CostGroup, Cost)>, StoreError>;
}

impl Cost {
    /// Adds `other` to this cost.
    pub fn add(&mut self, other: &Self) {
        self.evaluations = self.evaluations.saturating_add(other.evaluations);
        self.signals = self.signals.saturating_add(other.signals);
        self.failures = self.failures.saturating_add(other.failures);
        self.total = self.total.saturating_add(other.total);
        self.longest = self.longest.max(other.longest);
        self.peak_memory = self.peak_memory.max(other.peak_memory);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
    }

    /// The stored values: those of [`SUMMED`], then those of [`PEAKS`].
    pub fn stored(&self) -> [i64; 8] {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let Self { evaluations, signals, failures, total, longest, peak_memory, bytes_in, bytes_out } = *self;
        [
            count(evaluations),
            count(signals),
            count(failures),
            nanos(total),
            count(bytes_in),
            count(bytes_out),
            nanos(longest),
            count(peak_memory),
        ]
    }

    /// Reads a cost from the stored columns.
    pub fn read<E>(mut column: impl FnMut(&'static str) -> Result<i64, E>) -> Result<Self, E> {
        let mut column = |name| column(name).map(|value| u64::try_from(value).unwrap_or(0));
        Ok(Self {
            evaluations: column("evaluations")?,
            signals: column("signals")?,
            failures: column("failures")?,
            total: Duration::from_nanos(column("total_nanos")?),
            longest: Duration::from_nanos(column("longest_nanos")?),
            peak_memory: column("peak_memory")?,
            bytes_in: column("bytes_in")?,
            bytes_out: column("bytes_out")?,
        })
    }
}

impl CostFilter {
    /// Whether the costs of this hour and key match the filter.
    pub fn takes(&self, hour: Timestamp, key: &CostKey) -> bool {
        hour >= hour_of(self.since)
            && self.strategy.as_ref().is_none_or(|strategy| *strategy == key.strategy)
            && self.module.is_none_or(|module| module == key.module)
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == key.symbol)
    }
}

impl CostBy {
    /// The columns that distinguish the groups.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Strategy => &["strategy"],
            Self::Module => &["strategy", "module"],
            Self::Symbol => &["symbol"],
        }
    }

    /// The group of a key.
    pub fn group(self, key: &CostKey) -> CostGroup {
        let names = |column| self.columns().contains(&column);
        CostGroup {
            strategy: names("strategy").then(|| key.strategy.clone()),
            module: names("module").then_some(key.module),
            symbol: names("symbol").then(|| key.symbol.clone()),
        }
    }
}

impl FromStr for CostBy {
    type Err = CostByError;

    fn from_str(text: &str) -> Result<Self, CostByError> {
        match text {
            "strategy" => Ok(Self::Strategy),
            "module" => Ok(Self::Module),
            "symbol" => Ok(Self::Symbol),
            _ => Err(CostByError),
        }
    }
}

/// The beginning of the hour that contains a moment.
pub const fn hour_of(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.millis().div_euclid(HOUR_MS).saturating_mul(HOUR_MS))
}
