//! What a Lease says, and what is written into it.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use ta_bot_engine::pipeline::election::{Record, Word};

use super::NAME;

/// A Lease as it was read or written. A changed label is another version and not another word.
pub(super) fn record(lease: Lease) -> Record<Lease> {
    let word = lease.spec.as_ref().map(word).unwrap_or_default();
    Record { word, version: lease.metadata.resource_version.clone().unwrap_or_default(), rest: lease }
}

fn word(spec: &LeaseSpec) -> Word {
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Word {
        holder: spec.holder_identity.clone().filter(|name| !name.is_empty()),
        acquired: spec.acquire_time.as_ref().map(|time| time.0.as_microsecond()),
        renewed: spec.renew_time.as_ref().map(|time| time.0.as_microsecond()),
        duration: Duration::from_secs(seconds.unwrap_or_default()),
        transitions: spec.lease_transitions.map(i64::from).unwrap_or_default(),
    }
}

/// A Lease that does not exist yet.
pub(super) fn created(word: &Word) -> Lease {
    let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
    replaced(&Lease { metadata, spec: None }, word)
}

/// The same Lease with another word. What others keep in it stays.
pub(super) fn replaced(lease: &Lease, word: &Word) -> Lease {
    let mut lease = lease.clone();
    let time = |micros: Option<i64>| micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).map(MicroTime);
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(word.holder.clone().unwrap_or_default());
    spec.acquire_time = time(word.acquired);
    spec.renew_time = time(word.renewed);
    spec.lease_duration_seconds = i32::try_from(word.duration.as_secs()).ok();
    spec.lease_transitions = Some(i32::try_from(word.transitions).unwrap_or(i32::MAX));
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_comes_back_from_a_lease_and_what_others_wrote_stays() {
        let said = Word::first("a", Duration::from_secs(6));
        let mut lease = created(&said);
        lease.metadata.resource_version = Some("7".to_owned());
        lease.metadata.labels = Some([("team".to_owned(), "x".to_owned())].into());
        let first = record(lease);
        assert_eq!((first.word.clone(), first.version.as_str()), (said.clone(), "7"));
        let released = Word { holder: None, renewed: None, ..said };
        let second = record(replaced(&first.rest, &released));
        assert_eq!((second.word, second.version.as_str()), (released, "7"));
        assert_eq!(second.rest.metadata.labels.unwrap().len(), 1);
        assert_eq!(second.rest.spec.unwrap().holder_identity.as_deref(), Some(""));
    }

    #[test]
    fn a_lease_that_says_nothing_says_so() {
        let metadata = ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() };
        assert_eq!(record(Lease { metadata, spec: None }).word, Word::default());
        let spec = LeaseSpec { lease_duration_seconds: Some(-1), ..LeaseSpec::default() };
        assert_eq!(word(&spec).duration, Duration::ZERO);
    }
}
