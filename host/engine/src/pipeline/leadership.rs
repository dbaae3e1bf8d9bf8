//! Who schedules. Never what keeps the data correct: that is what the unique keys are for.

use std::time::Instant;

use ta_bot_core::Timestamp;
use tokio::sync::watch;

use crate::support::metrics::Metrics;

/// A time of leading: it begins, and it may end at any moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// When it began.
    pub since: Timestamp,
}

/// Whether this process leads, to be read again at each effect.
#[derive(Clone)]
pub struct Leadership {
    /// Whether there is an election at all.
    pub elected: bool,
    /// This process's name.
    pub identity: String,
    standing: watch::Receiver<Standing>,
}

/// What is known of who leads.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// What this process holds.
    pub held: Option<Held>,
    /// Who else leads.
    pub other: Option<Other>,
    /// When the last renewal was seen, this process's own or another's; at first when this process began to look.
    pub renewed: Option<Instant>,
    /// Why the election does not go on, where it does not.
    pub problem: Option<String>,
}

/// A term that is under way until a moment of this process's own clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The term.
    pub term: Term,
    /// When it is over; `None` if nobody can take it away.
    pub until: Option<Instant>,
}

/// Another leader, as long as its word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Other {
    /// The leader's name.
    pub name: String,
    /// Until when its word counts.
    pub until: Instant,
}

impl Standing {
    /// The term, unless its time is over. Asked of the clock each time, and not left to a task that ends it: a process
    /// that was paused, or whose tasks do not get to run, would go on leading beside its successor.
    pub fn term(&self) -> Option<&Term> {
        let held = self.held.as_ref()?;
        held.until.is_none_or(|until| Instant::now() < until).then_some(&held.term)
    }
}

impl Leadership {
    /// What an election says of the process `identity`, as it goes on.
    pub const fn elected(identity: String, standing: watch::Receiver<Standing>) -> Self {
        Self { elected: true, identity, standing }
    }

    /// The leadership of a process that is alone: it leads from the start to the end.
    pub fn single_node(identity: String) -> Self {
        let held = Held { term: Term { since: Timestamp::now() }, until: None };
        // The receiver keeps the last value when the sender is gone.
        let (_, standing) = watch::channel(Standing { held: Some(held), ..Standing::default() });
        Self { elected: false, identity, standing }
    }

    /// A leadership that leads when it is told to.
    #[cfg(test)]
    pub(crate) fn told() -> (Self, impl Fn(bool)) {
        let (sender, standing) = watch::channel(Standing::default());
        let tell = move |leads: bool| {
            let term = Term { since: Timestamp::now() };
            sender.send_modify(|standing| standing.held = leads.then_some(Held { term, until: None }));
        };
        (Self { elected: true, identity: "test".to_owned(), standing }, tell)
    }

    /// The term under way, if this process leads.
    pub fn term(&self) -> Option<Term> {
        self.standing.borrow().term().cloned()
    }

    /// Who leads, this process or another, as far as that is known.
    pub fn leader(&self) -> Option<String> {
        let standing = self.standing.borrow();
        if standing.term().is_some() {
            return Some(self.identity.clone());
        }
        let other = standing.other.as_ref().filter(|other| Instant::now() < other.until);
        other.map(|other| other.name.clone())
    }

    /// What stands in the way of the election at the moment, as the log tells it.
    pub fn problem(&self) -> Option<String> {
        self.standing.borrow().problem.clone()
    }

    /// Waits until this process leads by another term than `known`.
    pub async fn next_term(&self, known: Option<&Term>) -> Term {
        let mut standing = self.standing.clone();
        let begun = |standing: &Standing| standing.term().is_some_and(|term| Some(term) != known);
        if let Ok(standing) = standing.wait_for(begun).await
            && let Some(held) = &standing.held
        {
            return held.term.clone();
        }
        // Nobody is left who could begin one.
        std::future::pending().await
    }

    /// Sets what has to be true at the moment of a scrape, however long ago anything changed.
    pub fn measure(&self, metrics: &Metrics) {
        let standing = self.standing.borrow();
        metrics.is_leader.set(i64::from(standing.term().is_some()));
        let age = standing.renewed.map_or(0.0, |renewed| renewed.elapsed().as_secs_f64());
        metrics.election.renewal_age.set(age);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn leadership(held: Option<Held>, other: Option<Other>) -> (watch::Sender<Standing>, Leadership) {
        let (sender, standing) = watch::channel(Standing { held, other, renewed: Some(Instant::now()), problem: None });
        (sender, Leadership { elected: true, identity: "me".to_owned(), standing })
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
