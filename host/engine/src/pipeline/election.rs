//! Port: the register in which replicas elect a leader, and the election itself.
//!
//! A register holds one record, which names the holder. A writer must have read the version that it replaces, so if two
//! processes write at once, one of them is refused. The holder renews the record every [`Timing::retry`]. What a
//! register is made of makes no difference: a Lease of Kubernetes, a row of MySQL, a key of NATS.
//!
//! **No process trusts another's clock, nor the server's.** A candidate takes over only if the record has not changed
//! for its whole duration by the candidate's own clock. The holder's term ends by the holder's own clock, one
//! [`Timing::renew_deadline`] after the moment just before its last successful renewal was *sent*. A candidate can't
//! have seen that renewal any earlier, and it waits longer. So the old term is over before a new one begins, no matter
//! which process hangs, is cut off or is paused.
//!
//! **A holder is identified by its claim**, which includes the moment of acquisition, and not by its name alone. A
//! process that was killed and started again has the same name but does not hold the record. It waits like every other
//! candidate.
//!
//! **Only the holder itself can give the record up at once**, by clearing both the holder and the renewal time. If a
//! person clears the holder or deletes the record, candidates that have seen it wait for its duration, because the old
//! leader may be cut off and not know of the change.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use thiserror::Error;
use tokio::sync::watch;

use super::leadership::{Leadership, Standing};
use crate::support::metrics::Metrics;

#[cfg(any(test, feature = "contract-tests"))]
pub mod contract;
pub mod inspect;
mod keeper;
#[cfg(test)]
mod memory;
mod pace;
mod record;
mod seen;
mod watching;

pub use keeper::Keeper;
pub use record::{Record, Word};

/// Why a call about the record failed, worded so that an operator can act on it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct RegisterError(pub String);

/// The states of the record as they are reported; `None` if it was deleted.
pub type States<Rest> = BoxStream<'static, Result<Option<Record<Rest>>, RegisterError>>;

/// Where the one record is. Each call ends within its limit.
#[async_trait]
pub trait Register: Clone + Send + Sync + 'static {
    /// What others keep beside the record. Whoever replaces the record keeps it.
    type Rest: Clone + Send + Sync + 'static;
    /// The way to elect, as `LEADER_ELECTION` names it.
    const WAY: &'static str;
    /// What the record is called in the log.
    const WHAT: &'static str;

    /// Where the record is, for the log.
    fn place(&self) -> String;

    /// Returns the record as it is now, or `None` if there is none. An old state does no harm, since none can be
    /// replaced.
    async fn read(&self, limit: Duration) -> Result<Option<Record<Self::Rest>>, RegisterError>;

    /// Makes the record. Returns `None` if there is one.
    async fn create(&self, word: &Word, limit: Duration) -> Result<Option<Record<Self::Rest>>, RegisterError>;

    /// Replaces this version of the record. Returns `None` if it is not the current one any more. A version never
    /// comes again, not even if the record or the whole register is deleted and made anew.
    async fn replace(
        &self,
        record: &Record<Self::Rest>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<Self::Rest>>, RegisterError>;

    /// Reports the states of the record from now on, until it ends for some reason. `None` if changes can't be
    /// reported: then the record is read every [`Timing::retry`], and a takeover takes that much longer.
    async fn watch(&self, limit: Duration) -> Result<Option<States<Self::Rest>>, RegisterError>;
}

/// The timing of an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

/// The error for times that can't make an election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{lease:?}, {renew_deadline:?} and {retry:?} make no election: the lease must be whole seconds, longer than the \
     renew deadline, and that at least twice the retry period, which must not be zero"
)]
pub struct TimingError {
    lease: Duration,
    renew_deadline: Duration,
    retry: Duration,
}

impl Timing {
    /// Makes the timing of an election if `lease` > `renew_deadline` >= 2 `retry` > 0.
    pub fn new(lease: Duration, renew_deadline: Duration, retry: Duration) -> Result<Self, TimingError> {
        let whole_seconds = lease.subsec_nanos() == 0 && i32::try_from(lease.as_secs()).is_ok();
        if whole_seconds && lease > renew_deadline && renew_deadline >= 2 * retry && !retry.is_zero() {
            Ok(Self { lease, renew_deadline, retry })
        } else {
            Err(TimingError { lease, renew_deadline, retry })
        }
    }

    /// How long the record must stay unchanged before another process takes it.
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// How long a term lasts after a renewal.
    pub const fn renew_deadline(&self) -> Duration {
        self.renew_deadline
    }

    /// How often the holder renews the record, and how often the other replicas read it.
    pub const fn retry(&self) -> Duration {
        self.retry
    }

    /// How long one call may take: a second call must fit in before the term ends.
    pub fn call(&self) -> Duration {
        self.renew_deadline / 2
    }
}

impl Default for Timing {
    /// 6, 4 and 1 s: Kubernetes' own proportions (15, 10 and 2 s), but shorter, so that a dead leader is replaced
    /// within 6 s. Renewals may fail for 3 s before a term ends. The 2 s between two terms allow for clocks that run
    /// unevenly and for work that began under the old term.
    fn default() -> Self {
        Self { lease: Duration::from_secs(6), renew_deadline: Duration::from_secs(4), retry: Duration::from_secs(1) }
    }
}

/// Returns the leadership of the process `identity` by election in `register`, and the task that keeps it. No call is
/// made before the task runs, and the task waits for a server that is away.
pub fn elect<R: Register>(
    register: R,
    identity: &str,
    timing: Timing,
    metrics: Arc<Metrics>,
) -> (Leadership, Keeper<R>) {
    let (sender, standing) = watch::channel(Standing { renewed: Some(Instant::now()), ..Standing::default() });
    let leadership = Leadership::elected(R::WAY, identity.to_owned(), standing);
    (leadership, Keeper::new(register, identity.to_owned(), timing, metrics, sender))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_let_two_lead_are_refused() {
        let seconds = Duration::from_secs;
        let defaults = Timing::default();
        assert_eq!(Timing::new(defaults.lease, defaults.renew_deadline, defaults.retry), Ok(defaults));
        for (lease, renew_deadline, retry) in [
            (seconds(4), seconds(4), seconds(1)),
            (Duration::from_millis(5500), seconds(4), seconds(1)),
            (seconds(6), seconds(4), Duration::from_millis(2001)),
            (seconds(6), seconds(4), seconds(0)),
            (Duration::MAX, seconds(4), seconds(1)),
        ] {
            let refused = Timing::new(lease, renew_deadline, retry).unwrap_err();
            assert!(refused.to_string().contains("longer than the renew deadline"));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_register_in_memory_passes_the_contract() {
        contract::all(async || memory::Memory::default()).await;
    }
}
