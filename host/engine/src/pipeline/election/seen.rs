//! What a candidate has seen of the record, and since when that has not changed.

use std::time::{Duration, Instant};

use super::record::Word;

/// What was last seen. All moments are on this process's own clock.
#[derive(Debug, Clone, Default)]
pub(super) enum Seen {
    /// There is no record, and no holder to wait for.
    #[default]
    Nothing,
    /// What the record says, and the moment at which this process first saw it.
    Word { word: Word, since: Instant },
    /// There was a held record, and it is gone.
    Gone { since: Instant },
}

impl Seen {
    /// Takes what was found. If it says the same as before, the earlier moment stays.
    pub(super) fn take(&mut self, found: Option<Word>, now: Instant) {
        match (&*self, found) {
            (Self::Word { word, .. }, Some(found)) if *word == found => {}
            (_, Some(word)) => *self = Self::Word { word, since: now },
            (Self::Word { word, .. }, None) if word.is_released() => *self = Self::Nothing,
            (Self::Word { .. }, None) => *self = Self::Gone { since: now },
            (Self::Nothing | Self::Gone { .. }, None) => {}
        }
    }

    /// From when on the record may be taken; `None` if it may be taken at once. A holder that declared a longer
    /// duration than ours relies on its own.
    pub(super) fn free_at(&self, lease: Duration) -> Option<Instant> {
        match self {
            Self::Nothing => None,
            Self::Word { word, .. } if word.is_released() => None,
            Self::Word { word, since } => Some(*since + word.duration.max(lease)),
            Self::Gone { since } => Some(*since + lease),
        }
    }

    /// Whether the record may be taken now.
    pub(super) fn is_free(&self, lease: Duration, now: Instant) -> bool {
        self.free_at(lease).is_none_or(|at| now >= at)
    }

    /// The holder, until when the record is reserved for it, and since when the record has said so.
    pub(super) fn holder(&self, lease: Duration) -> Option<(&str, Instant, Instant)> {
        let Self::Word { word, since } = self else { return None };
        Some((word.holder.as_deref()?, self.free_at(lease)?, *since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(6);

    fn word(holder: &str, renewed: Option<i64>, duration: u64) -> Word {
        let holder = Some(holder.to_owned()).filter(|name| !name.is_empty());
        Word { holder, renewed, duration: Duration::from_secs(duration), ..Word::default() }
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
