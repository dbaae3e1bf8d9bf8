//! The jobs that were found but are not in the queue yet.

use std::collections::{HashMap, HashSet};

use ta_bot_core::Job;

use crate::signals::outbox::RetriedJob;

/// A found job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The job.
    pub(super) job: Job,
    /// Whether its candle is the newest of its series.
    pub(super) newest: bool,
    /// The trace of the event that led to it.
    pub(super) traceparent: Option<String>,
    /// Whether an operator retries the job.
    pub(super) retry: bool,
}

/// Jobs that wait for the queue. The newest candle of each series comes first, then the others, newer before older, so
/// that a fresh candle does not wait behind a long catch-up.
#[derive(Default)]
pub(super) struct Waiting {
    /// In reverse order: the next job is the last element.
    found: Vec<Found>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The number of waiting jobs.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// How many jobs at the front are the newest of their series.
    pub(super) fn fresh(&self) -> usize {
        self.found.iter().rev().take_while(|found| found.newest).count()
    }

    /// Removes and returns the next jobs.
    pub(super) fn take(&mut self, count: usize) -> Vec<Found> {
        let mut next = self.found.split_off(self.found.len().saturating_sub(count));
        next.reverse();
        next
    }

    /// Puts taken jobs back to the front.
    pub(super) fn put_back(&mut self, mut taken: Vec<Found>) {
        taken.reverse();
        self.found.append(&mut taken);
    }

    /// Keeps only the jobs that `keep` accepts.
    pub(super) fn retain(&mut self, keep: impl Fn(&Job) -> bool) {
        self.found.retain(|found| keep(&found.job));
    }

    /// Adds retried dead jobs, behind the newest candles.
    pub(super) fn add_retried(&mut self, retried: Vec<RetriedJob>) {
        let known: HashSet<Job> = self.found.iter().map(|found| found.job.clone()).collect();
        let new = retried.into_iter().filter(|retried| !known.contains(&retried.job));
        let found = |retried: RetriedJob| Found { job: retried.job, newest: false, traceparent: None, retry: true };
        self.found.extend(new.map(found));
        self.sort();
    }

    /// Replaces the waiting jobs of the series that a look covered with the jobs that it found.
    pub(super) fn replace(&mut self, looked_at: impl Fn(&Job) -> bool, found: Vec<Found>) {
        let mut traces = HashMap::new();
        self.found.retain_mut(|old| {
            let replaced = looked_at(&old.job);
            if replaced && let Some(trace) = old.traceparent.take() {
                traces.insert(old.job.clone(), trace);
            }
            !replaced
        });
        self.found.extend(found.into_iter().map(|mut new| {
            // A sweep has no event. The trace of the event that led to the job earlier stays.
            let before = traces.remove(&new.job);
            new.traceparent = new.traceparent.or(before);
            new
        }));
        self.sort();
    }

    fn sort(&mut self) {
        self.found.sort_by_key(|found| (found.newest, found.job.candle_close));
    }
}
