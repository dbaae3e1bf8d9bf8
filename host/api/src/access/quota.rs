//! How many requests a caller may make in a minute.
//!
//! A caller that was quiet may make a minute's requests at once, and then as many as are regained with time. What is
//! kept of it is one moment: when all that it has used is regained.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest as _, Sha256};

use crate::error::ApiError;

const MINUTE: Duration = Duration::from_mins(1);

/// A caller: the digest of its token, or `None` for all callers without one.
type Key = Option<[u8; 32]>;

/// The requests of all callers. Tokens that are taken away are forgotten once their minute is over.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    /// What holds for those who have no limit of their own.
    per_minute: Option<NonZeroU32>,
    regained: Mutex<HashMap<Key, Instant>>,
}

impl Quotas {
    pub(super) fn new(per_minute: Option<NonZeroU32>) -> Self {
        Self { per_minute, regained: Mutex::default() }
    }

    /// Counts a request with this token, which may have a limit of its own. Fails if there were too many.
    pub(super) fn count(&self, token: Option<&str>, own: Option<NonZeroU32>) -> Result<(), ApiError> {
        let Some(per_minute) = own.or(self.per_minute) else { return Ok(()) };
        let key = token.map(|token| Sha256::digest(token.as_bytes()).into());
        self.count_at(key, per_minute, Instant::now()).map_err(|wait| ApiError::TooManyRequests {
            who: if token.is_some() { "this token" } else { "all requests without a token together" },
            per_minute: per_minute.get(),
            retry_after: u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1),
        })
    }

    /// Counts a request at a moment, or returns how long to wait for the next one.
    fn count_at(&self, key: Key, per_minute: NonZeroU32, now: Instant) -> Result<(), Duration> {
        let each = MINUTE / per_minute.get();
        let mut regained = self.regained.lock().unwrap_or_else(PoisonError::into_inner);
        let used = regained.get(&key).map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        // The minute is as many requests long as are allowed; what is left over of it by the division is nobody's.
        let most = each * per_minute.get();
        let wait = (used + each).saturating_sub(most);
        if !wait.is_zero() {
            return Err(wait);
        }
        if !regained.contains_key(&key) {
            regained.retain(|_, at| *at > now);
        }
        regained.insert(key, now + used + each);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_minute: u32) -> NonZeroU32 {
        per_minute.try_into().unwrap()
    }

    #[test]
    fn a_minute_s_requests_may_come_at_once_and_then_one_for_each_that_is_regained() {
        let (quotas, begun) = (Quotas::default(), Instant::now());
        let at = |seconds: f64| quotas.count_at(None, limit(6), begun + Duration::from_secs_f64(seconds));
        assert!((0..6).all(|_| at(0.0).is_ok()));
        assert_eq!(at(0.0), Err(Duration::from_secs(10)));
        assert_eq!(at(9.5), Err(Duration::from_millis(500)));
        assert_eq!((at(10.0), at(10.0)), (Ok(()), Err(Duration::from_secs(10))));
        // After a quiet minute all of them are there again, and no more.
        assert!((0..6).all(|_| at(100.0).is_ok()) && at(100.0).is_err());
    }

    #[test]
    fn each_caller_has_its_own_and_those_who_are_gone_are_forgotten() {
        let (quotas, now) = (Quotas::default(), Instant::now());
        for token in 0..100 {
            assert_eq!(quotas.count_at(Some([token; 32]), limit(1), now), Ok(()));
            assert!(quotas.count_at(Some([token; 32]), limit(1), now).is_err());
        }
        assert_eq!(quotas.count_at(None, limit(1), now + MINUTE), Ok(()));
        assert_eq!(quotas.regained.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_limit_of_its_own_counts_before_the_common_one_and_none_is_none() {
        let quotas = Quotas::new(Some(limit(1)));
        assert!(quotas.count(Some("a"), Some(limit(3))).is_ok() && quotas.count(Some("a"), Some(limit(3))).is_ok());
        assert!(quotas.count(Some("b"), None).is_ok());
        let error = quotas.count(Some("b"), None).unwrap_err();
        let ApiError::TooManyRequests { per_minute: 1, retry_after, .. } = error else { panic!("{error}") };
        assert!((59..=60).contains(&retry_after), "{retry_after}");
        let free = Quotas::default();
        assert!((0..1000).all(|_| free.count(None, None).is_ok()));
    }
}
