//! What evaluations cost, kept by hour, strategy, module and symbol, and summed over replicas and restarts.
//!
//! A row is only ever added to: each replica adds what it has measured since it did so last ([`ledger`](crate::supervision::ledger)).

use std::{str::FromStr, time::Duration};

use async_trait::async_trait;
use ta_bot_core::{ModuleDigest, StrategyId, Symbol, Timestamp};
use thiserror::Error;

use crate::support::store_error::StoreError;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;

/// For how long costs are kept.
pub const KEPT_DAYS: i64 = 90;
/// How far back costs are summed up where nothing is asked.
pub const DEFAULT_SINCE_MS: i64 = 86_400_000;
/// How many rows one call of [`CostStore::forget`] removes at most.
pub const FORGOTTEN_AT_ONCE: u32 = 5000;
/// How many rows one statement adds to.
pub const ROWS_IN_A_STATEMENT: usize = 64;
const HOUR_MS: i64 = 3_600_000;
/// The columns that keep a sum, as both databases name them.
pub const SUMMED: [&str; 6] = ["evaluations", "signals", "failures", "total_nanos", "bytes_in", "bytes_out"];
/// The columns that keep the greatest of what is added.
pub const PEAKS: [&str; 2] = ["longest_nanos", "peak_memory"];

/// Whose costs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CostKey {
    /// The strategy.
    pub strategy: StrategyId,
    /// Its code.
    pub module: ModuleDigest,
    /// The symbol it looked at.
    pub symbol: Symbol,
}

/// What evaluations cost together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many there were.
    pub evaluations: u64,
    /// How many of them gave a signal.
    pub signals: u64,
    /// How many of them the strategy's code failed.
    pub failures: u64,
    /// How long they took together.
    pub total: Duration,
    /// How long the longest took.
    pub longest: Duration,
    /// The most memory that one had, in bytes.
    pub peak_memory: u64,
    /// What they were handed together, in bytes.
    pub bytes_in: u64,
    /// What they handed back together, in bytes.
    pub bytes_out: u64,
}

/// What evaluations of one hour cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostEntry {
    /// When the hour began.
    pub hour: Timestamp,
    /// Whose costs.
    pub key: CostKey,
    /// How much.
    pub cost: Cost,
}

/// Which costs to sum up; each condition that is given has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostFilter {
    /// Of this strategy only.
    pub strategy: Option<StrategyId>,
    /// Of this module only.
    pub module: Option<ModuleDigest>,
    /// Of this symbol only.
    pub symbol: Option<Symbol>,
    /// From the hour on in which this moment lies.
    pub since: Timestamp,
}

/// What has a sum of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CostBy {
    /// Each strategy.
    #[default]
    Strategy,
    /// Each module of a strategy.
    Module,
    /// Each symbol.
    Symbol,
}

/// Why a text does not say what has a sum of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("strategy, module or symbol")]
pub struct CostByError;

/// Whose a sum is. What it is summed over is not named.
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
    /// Adds to what is there, all or nothing. The same hour and key may be given several times.
    async fn add(&self, entries: &[CostEntry]) -> Result<(), StoreError>;

    /// The sum of each group that has one, in no order.
    async fn sums(&self, filter: &CostFilter, by: CostBy) -> Result<Vec<(CostGroup, Cost)>, StoreError>;

    /// Removes the oldest rows of hours before this one, [`FORGOTTEN_AT_ONCE`] at most. Answers how many.
    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError>;
}

impl Cost {
    /// Both together.
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

    /// The values of [`SUMMED`] and then of [`PEAKS`], as they are stored.
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

    /// The cost of what is stored.
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
    /// Whether the costs of an hour are to be summed up.
    pub fn takes(&self, hour: Timestamp, key: &CostKey) -> bool {
        hour >= hour_of(self.since)
            && self.strategy.as_ref().is_none_or(|strategy| *strategy == key.strategy)
            && self.module.is_none_or(|module| module == key.module)
            && self.symbol.as_ref().is_none_or(|symbol| *symbol == key.symbol)
    }
}

impl CostBy {
    /// The columns that tell groups apart.
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

/// The beginning of the hour in which a moment lies.
pub const fn hour_of(moment: Timestamp) -> Timestamp {
    Timestamp::from_millis(moment.millis().div_euclid(HOUR_MS).saturating_mul(HOUR_MS))
}
