//! Processes that take part in an election.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::timing;
use crate::{
    pipeline::{
        election::{Keeper, Register, elect},
        leadership::Leadership,
    },
    support::metrics::Metrics,
};

/// Longer than anything that is waited for.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A process that takes part in the election.
pub struct Candidate {
    /// What it believes.
    pub leadership: Leadership,
    /// What it counted.
    pub metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Candidate {
    /// A candidate that takes part from now on.
    pub fn start<R: Register>(register: R, name: &str) -> Self {
        let metrics = Arc::new(Metrics::new().unwrap());
        let (leadership, keeper) = elect(register, name, timing(), Arc::clone(&metrics));
        Self::run(leadership, keeper, metrics)
    }

    fn run<R: Register>(leadership: Leadership, keeper: Keeper<R>, metrics: Arc<Metrics>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(keeper.run(stop.clone()));
        Self { leadership, metrics, stop, task }
    }

    /// Waits until it leads.
    pub async fn leads(&self) {
        until(&format!("{} leads", self.leadership.identity), || self.leadership.term().is_some()).await;
    }

    /// Waits until it knows that the other one leads.
    pub async fn follows(&self, leader: &str) {
        let what = format!("{} follows {leader}", self.leadership.identity);
        until(&what, || self.leadership.leader().as_deref() == Some(leader)).await;
    }

    /// Ends in order. Returns how often it gave the record up.
    pub async fn stop(self) -> u64 {
        self.stop.cancel();
        self.task.await.unwrap();
        assert_eq!(self.leadership.term(), None);
        self.metrics.election.terms.with_label_values(&["released"]).get()
    }

    /// Ends like a process that is killed. Other handles to its leadership stay.
    pub fn die(self) -> Leadership {
        self.task.abort();
        self.leadership
    }

    /// How many terms had this event.
    pub fn events(&self, event: &str) -> u64 {
        self.metrics.election.terms.with_label_values(&[event]).get()
    }

    /// How many calls of an operation failed.
    pub fn failures(&self, operation: &str) -> u64 {
        self.metrics.election.failures.with_label_values(&[operation]).get()
    }
}

/// Waits until `holds` returns true.
#[track_caller]
pub fn until(what: &str, holds: impl Fn() -> bool) -> impl Future<Output = ()> {
    let what = what.to_owned();
    let caller = std::panic::Location::caller();
    async move {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?} ({caller})");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
