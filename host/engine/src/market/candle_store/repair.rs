//! Candles that an operator changes by hand, and the log of such changes.

use std::{fmt, ops::Range};

use ta_bot_core::{Candle, Symbol, Timeframe, Timestamp};

use crate::settings::config_store::Author;

/// A change of one series by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// Whose candles.
    pub symbol: Symbol,
    /// Of which timeframe.
    pub timeframe: Timeframe,
    /// What to do.
    pub change: RepairChange,
    /// Who does it, why, and when.
    pub author: Author,
}

/// What a repair does.
#[derive(Debug, Clone, PartialEq)]
pub enum RepairChange {
    /// Puts candles in place of whatever rows there are of them, and adds those that have none. Each candle is given
    /// once.
    Replace(Vec<Candle>),
    /// Removes every row that opened within this stretch, whatever it holds.
    Delete(Range<Timestamp>),
}

/// How many rows a deletion may remove, for the time limit of the write: that is not known before.
const DELETED: usize = 100_000;

/// What a repair did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repaired {
    /// The number of the repair in the log; `None` if there was nothing to change.
    pub number: Option<i64>,
    /// How many candles had no row before.
    pub added: u64,
    /// How many candles have other numbers now.
    pub changed: u64,
    /// How many candles have no row any more.
    pub removed: u64,
    /// How many candles of a replacement were there with the same numbers.
    pub same: u64,
}

/// An entry of the log of repairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairEntry {
    /// Its number. Later repairs have greater ones.
    pub number: i64,
    /// Whose candles were changed.
    pub symbol: Symbol,
    /// Of which timeframe.
    pub timeframe: Timeframe,
    /// What was done.
    pub kind: RepairKind,
    /// When the oldest of the changed candles opened.
    pub first_open: Timestamp,
    /// When the newest of them opened.
    pub last_open: Timestamp,
    /// How many candles had no row before.
    pub added: u64,
    /// How many candles got other numbers.
    pub changed: u64,
    /// How many candles lost their rows.
    pub removed: u64,
    /// Who did it, why, and when.
    pub author: Author,
}

/// The kinds of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepairKind {
    /// [`RepairChange::Replace`].
    Replace,
    /// [`RepairChange::Delete`].
    Delete,
}

impl RepairChange {
    /// The kind of the change.
    pub const fn kind(&self) -> RepairKind {
        match self {
            Self::Replace(_) => RepairKind::Replace,
            Self::Delete(_) => RepairKind::Delete,
        }
    }

    /// How many rows a store may have to write for it.
    pub const fn most_rows(&self) -> usize {
        match self {
            Self::Replace(candles) => candles.len(),
            Self::Delete(_) => DELETED,
        }
    }
}

impl RepairKind {
    /// The name in the log and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    /// The kind with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Replace, Self::Delete].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for RepairKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Repaired {
    /// Whether there was nothing to change.
    pub const fn is_nothing(&self) -> bool {
        self.added == 0 && self.changed == 0 && self.removed == 0
    }
}
