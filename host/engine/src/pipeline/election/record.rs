//! What a record says, and what is written into it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What the record of an election says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// The name of the holder; `None` if nobody holds it.
    pub holder: Option<String>,
    /// When the holder acquired it, in microseconds since 1970 by the holder's clock. It tells claims apart.
    pub acquired: Option<i64>,
    /// When it was last renewed, in microseconds since 1970 by the holder's clock; `None` if it was given up.
    pub renewed: Option<i64>,
    /// How long it has to stay unchanged before another process takes it.
    pub duration: Duration,
    /// How often it changed hands.
    pub transitions: i64,
}

/// A record as it was read or written.
#[derive(Debug, Clone)]
pub struct Record<Rest> {
    /// What it says.
    pub word: Word,
    /// Its version, which never comes again.
    pub version: String,
    /// What others keep beside it.
    pub rest: Rest,
}

/// What makes a record this process's own: its name, and when it acquired the record, to the microsecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    identity: String,
    acquired: i64,
    /// The version of the record that the claim replaces; `None` if there is no record.
    over: Option<String>,
}

impl Claim {
    pub(super) fn new<Rest>(identity: &str, over: Option<&Record<Rest>>) -> Self {
        let over = over.map(|record| record.version.clone());
        Self { identity: identity.to_owned(), acquired: now(), over }
    }

    /// Whether this claim was made for exactly this state of the record. A write with this claim may still arrive there
    /// even if its answer was lost, so the next attempt must not make a new claim.
    pub(super) fn is_over<Rest>(&self, record: Option<&Record<Rest>>) -> bool {
        self.over.as_ref() == record.map(|record| &record.version)
    }

    /// A new record, held by this claim.
    pub(super) fn created(&self, duration: Duration) -> Word {
        self.held(duration, 0)
    }

    /// The record, taken over from its previous holder.
    pub(super) fn taken_over(&self, from: &Word, duration: Duration) -> Word {
        self.held(duration, from.transitions.saturating_add(1))
    }

    /// The record, renewed.
    pub(super) fn renewed(&self, word: &Word, duration: Duration) -> Word {
        self.held(duration, word.transitions)
    }

    fn held(&self, duration: Duration, transitions: i64) -> Word {
        let (holder, acquired) = (Some(self.identity.clone()), Some(self.acquired));
        Word { holder, acquired, renewed: Some(now()), duration, transitions }
    }
}

impl Word {
    /// What a first record of this holder would say.
    pub fn first(identity: &str, duration: Duration) -> Self {
        Claim::new::<()>(identity, None).created(duration)
    }

    /// Whether a process holds the record by this claim.
    pub(super) fn is_held_by(&self, claim: &Claim) -> bool {
        self.holder.as_ref() == Some(&claim.identity) && self.acquired == Some(claim.acquired)
    }

    /// The record, given up. Its renewal time is cleared too, which distinguishes it from a record whose holder a
    /// person cleared.
    pub(super) fn released(&self) -> Self {
        Self { holder: None, renewed: None, ..self.clone() }
    }

    /// Whether the holder gave the record up.
    pub(super) const fn is_released(&self) -> bool {
        self.holder.is_none() && self.renewed.is_none()
    }
}

/// The current time in microseconds. It serves people and tells claims apart; no decision depends on the time that it
/// names.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(6);

    fn record(word: Word, version: &str) -> Record<()> {
        Record { word, version: version.to_owned(), rest: () }
    }

    #[test]
    fn a_claim_survives_renewals_and_ends_with_the_release() {
        let claim = Claim::new::<()>("a", None);
        let created = claim.created(DURATION);
        assert!(created.is_held_by(&claim) && claim.is_over::<()>(None));
        assert!(!created.is_held_by(&Claim { identity: "b".to_owned(), ..claim.clone() }));
        let renewed = claim.renewed(&created, DURATION);
        assert!(renewed.is_held_by(&claim));
        assert_eq!((renewed.holder.as_deref(), renewed.duration), (Some("a"), DURATION));
        let released = renewed.released();
        assert!(released.is_released() && !released.is_held_by(&claim) && !renewed.is_released());
    }

    #[test]
    fn only_a_takeover_is_a_transition() {
        let first = record(Claim::new::<()>("a", None).created(DURATION), "7");
        let second = Claim::new("b", Some(&first));
        assert!(second.is_over(Some(&first)) && !second.is_over::<()>(None));
        assert!(!second.is_over(Some(&record(first.word.clone(), "8"))));
        let taken = second.taken_over(&first.word, DURATION);
        assert_eq!((first.word.transitions, taken.transitions), (0, 1));
        assert_eq!(second.renewed(&taken, DURATION).transitions, 1);
    }

    #[test]
    fn an_emptied_holder_is_no_release() {
        let held = Claim::new::<()>("a", None).created(DURATION);
        assert!(!Word { holder: None, ..held }.is_released());
        assert!(Word::default().is_released(), "a record that says nothing was never held");
    }
}
