//! Determines which process schedules. The data stays correct without it: that is guaranteed by the unique keys.

use std::time::Instant;

use ta_bot_core::Timestamp;
use tokio::sync::watch;

use crate::support::metrics::Metrics;

/// The way of a process that always leads.
const NO_ELECTION: &str = "none";

/// A period in which a process leads. It may end at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// When the term began.
    pub since: Timestamp,
}

/// Whether this process leads. Must be checked again before each effect.
#[derive(Clone)]
pub struct Leadership {
    /// Whether there is an election.
    pub elected: bool,
    /// The way in which the leader is elected, as `LEADER_ELECTION` names it.
    pub way: &'static str,
    /// The name of this process.
    pub identity: String,
    standing: watch::Receiver<Standing>,
}

/// What this process knows about who leads.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The term of this process, if it has one.
    pub held: Option<Held>,
    /// The other process that leads, if there is one.
    pub other: Option<Other>,
    /// When the last renewal was seen, by this process or another one. At first, when this process began to look.
    pub renewed: Option<Instant>,
    /// Why the election does not go on, if it does not.
    pub problem: Option<String>,
}

/// A current term, which lasts until a moment of this process's own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The term.
    pub term: Term,
    /// When the term is over; `None` if no other process can take it over.
    pub until: Option<Instant>,
}

/// Another leader, while its last renewal counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The name of the leader.
    pub name: String,
    /// Until when its last renewal counts.
    pub until: Instant,
}

impl Standing {
    /// Returns the term, unless it is over. Each call checks the clock instead of relying on a task that ends the term.
    /// Otherwise a process that was paused, or whose tasks do not get to run, would go on leading beside its successor.
    pub fn term(&self) -> Option<&Term> {
        let held = self.held.as_ref()?;
        held.until.is_none_or(|until| Instant::now() < until).then_some(&held.term)
    }
}

impl Leadership {
    /// Creates the leadership of the process `identity`, which follows an election of this way.
    pub const fn elected(way: &'static str, identity: String, standing: watch::Receiver<Standing>) -> Self {
        Self { elected: true, way, identity, standing }
    }

    /// Creates the leadership of a single process, which always leads.
    pub fn single_node(identity: String) -> Self {
        let held = Held { term: Term { since: Timestamp::now() }, until: None };
        // The receiver keeps the last value after the sender is dropped.
        let (_, standing) = watch::channel(Standing { held: Some(held), ..Standing::default() });
        Self { elected: false, way: NO_ELECTION, identity, standing }
    }

    /// Creates a leadership that a test switches on and off.
    #[cfg(test)]
    pub(crate) fn told() -> (Self, impl Fn(bool)) {
        let (sender, standing) = watch::channel(Standing::default());
        let tell = move |leads: bool| {
            let term = Term { since: Timestamp::now() };
            sender.send_modify(|standing| standing.held = leads.then_some(Held { term, until: None }));
        };
        (Self::elected("test", "test".to_owned(), standing), tell)
    }

    /// Returns the current term, if this process leads.
    pub fn term(&self) -> Option<Term> {
        self.standing.borrow().term().cloned()
    }

    /// Returns the name of the leader, which may be this process, as far as it is known.
    pub fn leader(&self) -> Option<String> {
        let standing = self.standing.borrow();
        if standing.term().is_some() {
            return Some(self.identity.clone());
        }
        let other = standing.other.as_ref().filter(|other| Instant::now() < other.until);
        other.map(|other| other.name.clone())
    }

    /// Returns what currently prevents the election, as it appears in the log.
    pub fn problem(&self) -> Option<String> {
        self.standing.borrow().problem.clone()
    }

    /// Waits until this process leads in a term other than `known`.
    pub async fn next_term(&self, known: Option<&Term>) -> Term {
        let mut standing = self.standing.clone();
        let begun = |standing: &Standing| standing.term().is_some_and(|term| Some(term) != known);
        if let Ok(standing) = standing.wait_for(begun).await
            && let Some(held) = &standing.held
        {
            return held.term.clone();
        }
        // The sender is gone, so no term can begin any more.
        std::future::pending().await
    }

    /// Sets the gauges that have to be current at the moment of a scrape, even if nothing changed for a long time.
    pub fn measure(&self, metrics: &Metrics) {
        let standing = self.standing.borrow();
        metrics.is_leader.set(i64::from(standing.term().is_some()));
        let age = standing.renewed.map_or(0.0, |renewed| renewed.elapsed().as_secs_f64());
        metrics.election.renewal_age.set(age);
        metrics.election.enabled.set(self.elected.into());
        metrics.election.way.with_label_values(&[self.way]).set(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leadership(held: Option<Held>, other: Option<Other>) -> (watch::Sender<Standing>, Leadership) {
        let (sender, standing) = watch::channel(Standing { held, other, renewed: Some(Instant::now()), problem: None });
        (sender, Leadership::elected("test", "me".to_owned(), standing))
    }

    fn held(since: i64, until: Instant) -> Held {
        Held { term: Term { since: Timestamp::from_millis(since) }, until: Some(until) }
    }

    fn other(until: Instant) -> Other {
        Other { name: "other".to_owned(), until }
    }

    #[test]
    fn alone_it_leads_forever() {
        let alone = Leadership::single_node("me".to_owned());
        assert!(!alone.elected && alone.term().is_some());
        assert_eq!(alone.leader().as_deref(), Some("me"));
    }

    #[test]
    fn a_term_ends_by_the_clock_although_nobody_ends_it() {
        let now = Instant::now();
        let (_sender, leadership) = leadership(Some(held(1, now + Duration::from_millis(50))), None);
        assert!(leadership.term().is_some() || now.elapsed() >= Duration::from_millis(50));
        while now.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        assert_eq!((leadership.term(), leadership.leader()), (None, None));
        let metrics = Metrics::new().unwrap();
        metrics.is_leader.set(1);
        leadership.measure(&metrics);
        assert_eq!(metrics.is_leader.get(), 0);
        assert!(metrics.election.renewal_age.get() >= 0.05);
        assert_eq!(metrics.election.enabled.get(), 1);
        Leadership::single_node("me".to_owned()).measure(&metrics);
        assert_eq!((metrics.is_leader.get(), metrics.election.enabled.get()), (1, 0));
        assert_eq!(metrics.election.way.with_label_values(&["none"]).get(), 1);
    }

    #[test]
    fn another_leader_is_named_as_long_as_its_word_counts() {
        let now = Instant::now();
        let (_sender, current) = leadership(None, Some(other(now + Duration::from_mins(1))));
        assert_eq!((current.term(), current.leader().as_deref()), (None, Some("other")));
        let (_sender, outdated) = leadership(None, Some(other(now)));
        assert_eq!(outdated.leader(), None);
    }

    #[tokio::test]
    async fn a_new_term_is_told_and_the_known_one_is_not() {
        let until = Instant::now() + Duration::from_mins(1);
        let (sender, leadership) = leadership(Some(held(1, until)), None);
        let first = leadership.next_term(None).await;
        assert_eq!(first.since, Timestamp::from_millis(1));
        let waiting = tokio::spawn({
            let leadership = leadership.clone();
            async move { leadership.next_term(Some(&first)).await }
        });
        sender.send_modify(|standing| standing.renewed = None);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "a renewal is no new term");
        sender.send_modify(|standing| standing.held = Some(held(2, until)));
        assert_eq!(waiting.await.unwrap().since, Timestamp::from_millis(2));
    }
}
