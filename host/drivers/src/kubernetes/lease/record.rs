//! What a Lease says, and what is written into it.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};

/// What makes a Lease this process's own: its name, and when it acquired the Lease, to the microsecond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    identity: String,
    acquired: MicroTime,
    /// The version of the Lease that the claim replaces; `None` if there is no Lease.
    over: Option<String>,
}

impl Claim {
    pub(super) fn new(identity: &str, over: Option<&Record>) -> Self {
        Self { identity: identity.to_owned(), acquired: now(), over: over.and_then(Record::version) }
    }

    /// Whether this claim was made for exactly this state of the Lease. A write with this claim may still arrive there
    /// even if its answer was lost, so the next attempt must not make a new claim.
    pub(super) fn is_over(&self, record: Option<&Record>) -> bool {
        self.over == record.and_then(Record::version)
    }
}

/// A Lease as it was read or written.
#[derive(Debug, Clone)]
pub(super) struct Record(Lease);

impl From<Lease> for Record {
    fn from(lease: Lease) -> Self {
        Self(lease)
    }
}

impl Record {
    /// What the Lease says. Readers compare only this, because a changed label is not a renewal.
    pub(super) fn spec(&self) -> LeaseSpec {
        self.0.spec.clone().unwrap_or_default()
    }

    /// The Lease as it is.
    pub(super) const fn lease(&self) -> &Lease {
        &self.0
    }

    pub(super) fn version(&self) -> Option<String> {
        self.0.metadata.resource_version.clone()
    }

    /// Whether this process holds the Lease by this claim.
    pub(super) fn is_held_by(&self, claim: &Claim) -> bool {
        let Some(spec) = &self.0.spec else { return false };
        spec.holder_identity.as_ref() == Some(&claim.identity) && spec.acquire_time.as_ref() == Some(&claim.acquired)
    }

    pub(super) fn transitions(&self) -> i32 {
        self.0.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default()
    }

    /// A new Lease, held by this claim.
    pub(super) fn created(name: &str, claim: &Claim, duration: Duration) -> Lease {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        held(Lease { metadata, spec: None }, claim, duration, 0)
    }

    /// The same Lease, taken over from its previous holder.
    pub(super) fn taken_over(&self, claim: &Claim, duration: Duration) -> Lease {
        held(self.0.clone(), claim, duration, self.transitions().saturating_add(1))
    }

    /// The same Lease, renewed.
    pub(super) fn renewed(&self, claim: &Claim, duration: Duration) -> Lease {
        held(self.0.clone(), claim, duration, self.transitions())
    }

    /// The same Lease, given up. Its renewal time is cleared too, which distinguishes it from a Lease whose holder a
    /// person cleared.
    pub(super) fn released(&self) -> Lease {
        let mut lease = self.0.clone();
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.renew_time = None;
        }
        lease
    }
}

fn held(mut lease: Lease, claim: &Claim, duration: Duration, transitions: i32) -> Lease {
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(claim.identity.clone());
    spec.acquire_time = Some(claim.acquired.clone());
    spec.renew_time = Some(now());
    spec.lease_duration_seconds = i32::try_from(duration.as_secs()).ok();
    spec.lease_transitions = Some(transitions);
    lease
}

/// The holder of the Lease, if it has one.
pub(super) fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|name| !name.is_empty())
}

/// Whether the holder gave the Lease up.
pub(super) fn is_released(spec: &LeaseSpec) -> bool {
    holder(spec).is_none() && spec.renew_time.is_none()
}

/// The duration that the Lease itself declares.
pub(super) fn duration(spec: &LeaseSpec) -> Duration {
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The current time, as precisely as a Lease can store it. It serves people and tells claims apart; no decision depends
/// on the time that it names.
fn now() -> MicroTime {
    let now = Timestamp::now();
    MicroTime(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DURATION: Duration = Duration::from_secs(6);

    #[test]
    fn a_claim_survives_renewals_and_ends_with_the_release() {
        let claim = Claim::new("a", None);
        let created = Record(Record::created("l", &claim, DURATION));
        assert!(created.is_held_by(&claim) && claim.is_over(None));
        assert!(!created.is_held_by(&Claim { identity: "b".to_owned(), ..claim.clone() }));
        let renewed = Record(created.renewed(&claim, DURATION));
        assert!(renewed.is_held_by(&claim));
        assert_eq!((holder(&renewed.spec()), duration(&renewed.spec())), (Some("a"), DURATION));
        let released = Record(renewed.released());
        assert!(is_released(&released.spec()) && !released.is_held_by(&claim) && !is_released(&renewed.spec()));
    }

    #[test]
    fn only_a_takeover_is_a_transition_and_what_others_wrote_stays() {
        let first = Claim::new("a", None);
        let mut lease = Record::created("l", &first, DURATION);
        lease.metadata.resource_version = Some("7".to_owned());
        lease.metadata.labels = Some([("team".to_owned(), "x".to_owned())].into());
        let record = Record(lease);
        let second = Claim::new("b", Some(&record));
        assert!(second.is_over(Some(&record)) && !second.is_over(None));
        let taken = Record(record.taken_over(&second, DURATION));
        assert_eq!((record.transitions(), taken.transitions()), (0, 1));
        assert_eq!(Record(taken.renewed(&second, DURATION)).transitions(), 1);
        assert_eq!((taken.version(), taken.0.metadata.labels.unwrap().len()), (Some("7".to_owned()), 1));
    }

    #[test]
    fn an_emptied_holder_is_no_release() {
        let mut spec = Record(Record::created("l", &Claim::new("a", None), DURATION)).spec();
        spec.holder_identity = Some(String::new());
        assert!(holder(&spec).is_none() && !is_released(&spec));
        assert!(is_released(&LeaseSpec::default()), "a Lease that says nothing was never held");
        assert_eq!(duration(&LeaseSpec { lease_duration_seconds: Some(-1), ..spec }), Duration::ZERO);
    }
}
