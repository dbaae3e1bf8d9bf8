//! What the receivers of signals over HTTP have got: for health and for metrics.
//!
//! Only the process that leads delivers. On the others every receiver has zeros.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use ta_bot_core::Timestamp;

/// What became of a try to deliver a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has taken it.
    Delivered,
    /// The try failed and is repeated.
    Failed,
    /// The receiver does not want it, and it is not tried any more.
    Refused,
    /// It was too old when its turn came.
    Late,
}

/// The receivers of the file as it counts now.
#[derive(Debug, Default)]
pub struct Receivers {
    all: RwLock<Vec<Arc<Receiver>>>,
    problem: Mutex<Option<FileProblem>>,
}

/// Why the file of receivers as it is now is not in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// When this was first seen.
    pub since: Timestamp,
    /// What is wrong with it. It contains no secret.
    pub error: String,
}

/// A receiver.
#[derive(Debug)]
pub struct Receiver {
    /// Its name in the file.
    pub name: String,
    counts: [AtomicU64; Delivery::ALL.len()],
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// When the oldest signal was stored that waits for the receiver.
    oldest: Option<Timestamp>,
    /// Why the receiver takes nothing at the moment.
    trouble: Option<&'static str>,
}

impl Delivery {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Failed, Self::Refused, Self::Late];

    /// The name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Late => "late",
        }
    }
}

impl Receivers {
    /// The receivers that there are, in the order of the file.
    pub fn all(&self) -> Vec<Arc<Receiver>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes which receivers there are from now on. One that was there before keeps what was counted.
    pub fn are(&self, names: &[&str]) -> Vec<Arc<Receiver>> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let known = |name: &str| all.iter().find(|receiver| receiver.name == name).cloned();
        let now = names.iter().map(|name| known(name).unwrap_or_else(|| Arc::new(Receiver::new(name)))).collect();
        *all = now;
        all.clone()
    }

    /// Why the file as it is now is not in use; `None` if it is.
    pub fn problem(&self) -> Option<FileProblem> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the file as it is now can be used. Returns whether that is news.
    pub fn note_file(&self, error: Option<String>) -> bool {
        let mut problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let before = problem.take();
        let is_news = before.as_ref().map(|before| &before.error) != error.as_ref();
        let since = before.map_or_else(Timestamp::now, |before| before.since);
        *problem = error.map(|error| FileProblem { since, error });
        is_news
    }
}

impl Receiver {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), counts: Default::default(), state: Mutex::default() }
    }

    /// Counts what became of a try.
    pub fn count(&self, delivery: Delivery) {
        self.counts[delivery as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often this became of a try.
    pub fn counted(&self, delivery: Delivery) -> u64 {
        self.counts[delivery as usize].load(Ordering::Relaxed)
    }

    /// Notes when the oldest signal was stored that waits for the receiver.
    pub fn wait_since(&self, oldest: Option<Timestamp>) {
        self.state().oldest = oldest;
    }

    /// Notes why the receiver takes nothing at the moment; `None` if it does. Returns whether that is news.
    pub fn note(&self, trouble: Option<&'static str>) -> bool {
        std::mem::replace(&mut self.state().trouble, trouble) != trouble
    }

    /// Why the receiver takes nothing at the moment.
    pub fn trouble(&self) -> Option<&'static str> {
        self.state().trouble
    }

    /// How old the oldest signal is that waits for the receiver, in seconds; 0 if none does.
    pub fn lag(&self, now: Timestamp) -> f64 {
        let oldest = self.state().oldest;
        oldest.map_or(0.0, |oldest| now.millis().saturating_sub(oldest.millis()).max(0) as f64 / 1000.0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_keeps_its_counts_as_long_as_it_is_there() {
        let receivers = Receivers::default();
        let desk = Arc::clone(&receivers.are(&["desk", "chat"])[0]);
        desk.count(Delivery::Delivered);
        desk.count(Delivery::Late);
        let now = receivers.are(&["other", "desk"]);
        assert_eq!(now.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["other", "desk"]);
        assert_eq!(Delivery::ALL.map(|delivery| now[1].counted(delivery)), [1, 0, 0, 1]);
        receivers.are(&[]);
        assert_eq!(receivers.are(&["desk"])[0].counted(Delivery::Delivered), 0);
    }

    #[test]
    fn the_lag_is_the_age_of_what_waits_longest() {
        let receivers = Receivers::default();
        let desk = &receivers.are(&["desk"])[0];
        let now = Timestamp::from_millis(10_000);
        assert_eq!(desk.lag(now), 0.0);
        desk.wait_since(Some(Timestamp::from_millis(7_500)));
        assert_eq!(desk.lag(now), 2.5);
        desk.wait_since(Some(Timestamp::from_millis(11_000)));
        assert_eq!(desk.lag(now), 0.0, "clocks of replicas differ");
    }

    #[test]
    fn news_is_told_once() {
        let receivers = Receivers::default();
        assert!(!receivers.note_file(None));
        assert!(receivers.note_file(Some("broken".to_owned())));
        let since = receivers.problem().unwrap().since;
        assert!(!receivers.note_file(Some("broken".to_owned())));
        assert!(receivers.note_file(Some("still broken".to_owned())));
        assert_eq!(receivers.problem().unwrap().since, since, "it is the same trouble");
        assert!(receivers.note_file(None) && receivers.problem().is_none());
        let desk = &receivers.are(&["desk"])[0];
        assert!(desk.note(Some("timeout")) && !desk.note(Some("timeout")) && desk.note(None));
        assert_eq!(desk.trouble(), None);
    }
}
