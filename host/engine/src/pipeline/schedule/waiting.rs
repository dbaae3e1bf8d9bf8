//! The jobs that were found and are not in the queue yet.

use std::collections::{HashMap, HashSet};

use ta_bot_core::Job;

use crate::signals::outbox::RetriedJob;

/// A job that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The job.
    pub(super) job: Job,
    /// Whether its candle is the newest of its series.
    pub(super) newest: bool,
    /// The trace of the event that led to it.
    pub(super) traceparent: Option<String>,
    /// Whether an operator asked for it again.
    pub(super) retry: bool,
}

/// Jobs that wait for the queue, in order: first the newest candle of each series, then the others, newer before older. So a fresh
/// candle does not wait behind a long catch-up.
#[derive(Default)]
pub(super) struct Waiting {
    /// The next one is last.
    found: Vec<Found>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    /// How many of the next ones are the newest of their series.
    pub(super) fn fresh(&self) -> usize {
        self.found.iter().rev().take_while(|found| found.newest).count()
    }

    /// The next jobs, which wait no more.
    pub(super) fn take(&mut self, count: usize) -> Vec<Found> {
        let mut next = self.found.split_off(self.found.len().saturating_sub(count));
        next.reverse();
        next
    }

    /// Puts jobs that were taken back where they were.
    pub(super) fn put_back(&mut self, mut taken: Vec<Found>) {
        taken.reverse();
        self.found.append(&mut taken);
    }

    /// Keeps only some.
    pub(super) fn retain(&mut self, keep: impl Fn(&Job) -> bool) {
        self.found.retain(|found| keep(&found.job));
    }

    /// Adds dead jobs that are to be tried again, behind what is new.
    pub(super) fn add_retried(&mut self, retried: Vec<RetriedJob>) {
        let known: HashSet<Job> = self.found.iter().map(|found| found.job.clone()).collect();
        let new = retried.into_iter().filter(|retried| !known.contains(&retried.job));
        let found = |retried: RetriedJob| Found { job: retried.job, newest: false, traceparent: None, retry: true };
        self.found.extend(new.map(found));
        self.sort();
    }

    /// Takes what a look found, in place of what waited of the series that it looked at.
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
            // The sweep knows of no event; the one that led to the job before still did.
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
