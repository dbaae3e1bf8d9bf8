//! Determines which jobs a commit leaves out: those whose candle falls under an entry of the deployments' log that was
//! not known when they were decided.
//!
//! Entries begin in the order of their revisions, none before an earlier one. So only the first of the entries after a
//! revision has to be checked.

use std::collections::{BTreeMap, BTreeSet};

use ta_bot_core::Timestamp;

use super::FinishedJob;

/// For each older revision, the first candle close to which a newer entry applies.
pub type Begins = BTreeMap<i64, Timestamp>;

/// Returns the revisions by which jobs were decided, except the newest one, `head`.
pub fn older(given: &[FinishedJob], head: i64) -> BTreeSet<i64> {
    given.iter().map(|done| done.revision).filter(|revision| *revision != head).collect()
}

/// Splits jobs into those that may be committed, and those that were decided by an older log than the one that applies
/// to them.
pub fn split<'a>(given: &'a [FinishedJob], begins: &Begins) -> (Vec<&'a FinishedJob>, Vec<&'a FinishedJob>) {
    given.iter().partition(|done| !is_late(done, begins))
}

/// Whether a job was decided by an older log than the one that applies to it.
pub fn is_late(done: &FinishedJob, begins: &Begins) -> bool {
    begins.get(&done.revision).is_some_and(|from| done.job.candle_close >= *from)
}
