//! Which jobs a commit leaves out: those whose candle is decided by an entry of the deployments' log that whoever decided
//! them did not know.
//!
//! Entries begin in their order, none before an earlier one. So of the entries behind a revision only the first has to be
//! looked at.

use std::collections::{BTreeMap, BTreeSet};

use ta_bot_core::Timestamp;

use super::FinishedJob;

/// Of older revisions: the first candle close that an entry behind them decides.
pub type Begins = BTreeMap<i64, Timestamp>;

/// The revisions by which jobs were decided, but for the newest one, `head`.
pub fn older(given: &[FinishedJob], head: i64) -> BTreeSet<i64> {
    given.iter().map(|done| done.revision).filter(|revision| *revision != head).collect()
}

/// Those that may be committed, and those that were decided by an older log than holds for them.
pub fn split<'a>(given: &'a [FinishedJob], begins: &Begins) -> (Vec<&'a FinishedJob>, Vec<&'a FinishedJob>) {
    given.iter().partition(|done| !is_late(done, begins))
}

/// Whether an older log than holds for it decided a job.
pub fn is_late(done: &FinishedJob, begins: &Begins) -> bool {
    begins.get(&done.revision).is_some_and(|from| done.job.candle_close >= *from)
}
