//! What a candidate has seen of the Lease, and since when that has not changed.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::LeaseSpec;

use super::record::{duration, holder, is_released};

/// What was last seen. All moments are on this process's own clock.
#[derive(Debug, Clone, Default)]
pub(super) enum Seen {
    /// There is no Lease, and no holder to wait for.
    #[default]
    Nothing,
    /// What the Lease says, and the moment at which this process first saw it.
    Word { spec: Box<LeaseSpec>, since: Instant },
    /// There was a held Lease, and it is gone.
    Gone { since: Instant },
}

impl Seen {
    /// Takes what was found. If it says the same as before, the earlier moment stays.
    pub(super) fn take(&mut self, found: Option<LeaseSpec>, now: Instant) {
        match (&*self, found) {
            (Self::Word { spec, .. }, Some(found)) if **spec == found => {}
            (_, Some(found)) => *self = Self::Word { spec: Box::new(found), since: now },
            (Self::Word { spec, .. }, None) if is_released(spec) => *self = Self::Nothing,
            (Self::Word { .. }, None) => *self = Self::Gone { since: now },
            (Self::Nothing | Self::Gone { .. }, None) => {}
        }
    }

    /// From when on the Lease may be taken; `None` if it may be taken at once. A holder that declared a longer duration
    /// than ours relies on its own.
    pub(super) fn free_at(&self, lease: Duration) -> Option<Instant> {
        match self {
            Self::Nothing => None,
            Self::Word { spec, .. } if is_released(spec) => None,
            Self::Word { spec, since } => Some(*since + duration(spec).max(lease)),
            Self::Gone { since } => Some(*since + lease),
        }
    }

    /// Whether the Lease may be taken now.
    pub(super) fn is_free(&self, lease: Duration, now: Instant) -> bool {
        self.free_at(lease).is_none_or(|at| now >= at)
    }

    /// The holder, until when the Lease is reserved for it, and since when the Lease has said so.
    pub(super) fn holder(&self, lease: Duration) -> Option<(&str, Instant, Instant)> {
        let Self::Word { spec, since } = self else { return None };
        Some((holder(spec)?, self.free_at(lease)?, *since))
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::MicroTime, jiff::Timestamp};

    use super::*;

    const LEASE: Duration = Duration::from_secs(6);

    fn word(holder: &str, renewed: Option<i64>, duration: i32) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            renew_time: renewed.map(|second| MicroTime(Timestamp::from_second(second).unwrap())),
            lease_duration_seconds: Some(duration),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn it_is_free_after_its_whole_duration_without_a_change_by_the_own_clock() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut seen = Seen::default();
        assert!(seen.is_free(LEASE, start), "there is none");
        // A renewal that is long ago by the holder's clock means nothing.
        seen.take(Some(word("a", Some(0), 6)), start);
        seen.take(Some(word("a", Some(0), 6)), at(5));
        assert!(!seen.is_free(LEASE, at(5)) && seen.is_free(LEASE, at(6)));
        seen.take(Some(word("a", Some(1), 6)), at(7));
        assert!(!seen.is_free(LEASE, at(12)) && seen.is_free(LEASE, at(13)));
        assert_eq!(seen.holder(LEASE), Some(("a", at(13), at(7))));
        seen.take(Some(word("a", Some(2), 60)), at(14));
        assert!(!seen.is_free(LEASE, at(73)) && seen.is_free(LEASE, at(74)));
    }

    #[test]
    fn what_was_released_is_free_at_once_and_what_somebody_emptied_or_deleted_is_not() {
        let start = Instant::now();
        let mut seen = Seen::default();
        seen.take(Some(word("a", Some(0), 6)), start);
        seen.take(Some(word("", None, 6)), start);
        assert!(seen.is_free(LEASE, start) && seen.holder(LEASE).is_none());
        seen.take(None, start);
        assert!(seen.is_free(LEASE, start));
        seen.take(Some(word("", Some(0), 6)), start);
        assert!(!seen.is_free(LEASE, start) && seen.is_free(LEASE, start + LEASE));
        let later = start + Duration::from_secs(3);
        seen.take(None, later);
        seen.take(None, start + LEASE);
        assert!(!seen.is_free(LEASE, start + LEASE) && seen.is_free(LEASE, later + LEASE));
    }
}
