//! What this replica is able to do: the four steps by which a closed candle becomes a published signal, and whether
//! somebody leads.
//!
//! A step is known by what happened when it was last done, and the parts that do it say so here. If nothing has done it
//! for a while, `pipeline::probes` tries it. A probe is smaller than the work, so its success counts less: it does not
//! end a failure of real work that is still being tried again.

use std::{
    fmt::Display,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use ta_bot_core::Timestamp;

use crate::support::{metrics::Metrics, store_error::StoreError};

/// After this long without a word an ability is probed.
const QUIET: Duration = Duration::from_secs(3);
/// How long a failure of real work outlasts probes that succeed: longer than any part waits before it tries again.
const STANDS: Duration = Duration::from_secs(35);

/// What has to be possible for a closed candle to become a published signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// Candles can be read.
    ReadCandles,
    /// Decided jobs and their signals can be committed.
    Commit,
    /// Jobs can be queued.
    Queue,
    /// Signals can be published.
    Publish,
    /// A replica leads, this one or another, so that closed candles become jobs.
    Leader,
}

impl Ability {
    /// All of them, in the order in which a candle needs them.
    pub const ALL: [Self; 5] = [Self::Leader, Self::Queue, Self::ReadCandles, Self::Commit, Self::Publish];

    /// A stable word for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadCandles => "read_candles",
            Self::Commit => "commit",
            Self::Queue => "queue",
            Self::Publish => "publish",
            Self::Leader => "leader",
        }
    }

    /// What does not happen while it is missing.
    pub const fn lack(self) -> &'static str {
        match self {
            Self::ReadCandles => "candles can't be read",
            Self::Commit => "decided jobs can't be committed",
            Self::Queue => "jobs can't be queued",
            Self::Publish => "signals can't be published",
            Self::Leader => "nobody leads",
        }
    }
}

/// Why something can't be done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What failed.
    pub reason: String,
    /// What an operator does.
    pub remedy: &'static str,
}

impl Trouble {
    /// The trouble with an ability.
    pub fn new(ability: Ability, reason: &impl Display) -> Self {
        let remedy = match ability {
            Ability::ReadCandles => {
                "have the store of candles answer this replica again; jobs wait meanwhile, and go on by themselves"
            }
            Ability::Commit => {
                "have the store of signals answer this replica again; what was decided is kept and committed then"
            }
            Ability::Queue => {
                "see that the bus runs with its storage (JetStream), and make room for the stream of jobs: let the \
                 workers finish, free what the account holds, or raise its limits; candles are queued then by themselves"
            }
            Ability::Publish => {
                "see that the bus runs with its storage (JetStream), and make room for the stream of signals: free what \
                 the account holds, or raise the limits; signals wait in the outbox and go out then, unless they expire"
            }
            Ability::Leader => {
                "see in the log what keeps the replicas from the election: the server that holds it, the network, or \
                 the rights; no closed candle becomes a job before one of them leads"
            }
        };
        Self { reason: reason.to_string(), remedy }
    }

    /// The trouble with an ability that depends on a store.
    pub fn of_store(ability: Ability, error: &StoreError) -> Self {
        let remedy = match error {
            StoreError::Unavailable { .. } | StoreError::DoesNotFit { .. } => return Self::new(ability, error),
            StoreError::CannotWrite { .. } => {
                "let the store of signals take writes again: end its read-only mode, let this replica's address name \
                 the server that takes writes, or free space on its disk; what was decided is kept and committed then"
            }
            StoreError::Corrupt { .. } => {
                "the tables are not as this version needs them: do what the reason says, or restore a backup"
            }
        };
        Self { reason: error.to_string(), remedy }
    }
}

/// What is known of one ability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Which one.
    pub ability: Ability,
    /// Whether it is there; `None` if nothing has tried it yet.
    pub able: Option<bool>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// What stands in its way.
    pub trouble: Option<Trouble>,
}

/// The last words about one ability.
#[derive(Debug, Default)]
struct Known {
    able: Option<bool>,
    since: Option<Timestamp>,
    last_success: Option<Timestamp>,
    trouble: Option<Trouble>,
    /// When something was last said about it.
    told: Option<Instant>,
    /// When real work last failed.
    failed_at_work: Option<Instant>,
}

/// What this replica is able to do.
pub struct Abilities {
    known: Mutex<[Known; Ability::ALL.len()]>,
    metrics: Arc<Metrics>,
}

impl Abilities {
    /// Abilities of which nothing is known yet.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        for ability in Ability::ALL {
            metrics.delivery.able.with_label_values(&[ability.as_str()]);
        }
        Self { known: Mutex::default(), metrics }
    }

    /// Notes that real work succeeded.
    pub fn worked(&self, ability: Ability) {
        self.note(ability, None, true);
    }

    /// Notes that real work failed.
    pub fn failed(&self, ability: Ability, trouble: Trouble) {
        self.note(ability, Some(trouble), true);
    }

    /// Notes how real work on a store ended. What a store refuses because of the data says nothing of the store.
    pub fn note_store<T>(&self, ability: Ability, done: &Result<T, StoreError>) {
        match done {
            Ok(_) => self.worked(ability),
            Err(StoreError::Corrupt { .. }) => {}
            Err(error) => self.failed(ability, Trouble::of_store(ability, error)),
        }
    }

    /// Notes how a probe ended.
    pub fn probed(&self, ability: Ability, probe: Result<(), Trouble>) {
        self.note(ability, probe.err(), false);
    }

    /// Whether nothing was said about an ability for a while.
    pub fn is_quiet(&self, ability: Ability) -> bool {
        self.lock()[index(ability)].told.is_none_or(|told| told.elapsed() >= QUIET)
    }

    /// What is known of each ability.
    pub fn all(&self) -> [State; Ability::ALL.len()] {
        let known = self.lock();
        Ability::ALL.map(|ability| {
            let Known { able, since, last_success, trouble, .. } = &known[index(ability)];
            State { ability, able: *able, since: *since, last_success: *last_success, trouble: trouble.clone() }
        })
    }

    fn note(&self, ability: Ability, trouble: Option<Trouble>, is_work: bool) {
        let now = Timestamp::now();
        let mut known = self.lock();
        let known = &mut known[index(ability)];
        known.told = Some(Instant::now());
        if trouble.is_none() && !is_work && known.failed_at_work.is_some_and(|failed| failed.elapsed() < STANDS) {
            return;
        }
        let able = trouble.is_none();
        let before = known.able.replace(able);
        let lasted = known.since.map_or(0, |since| (now.millis() - since.millis()) / 1000);
        let is_news = before != Some(able);
        if is_news {
            known.since = Some(now);
            self.metrics.delivery.able.with_label_values(&[ability.as_str()]).set(i64::from(able));
        }
        if able {
            known.last_success = Some(now);
            known.failed_at_work = None;
        } else if is_work {
            known.failed_at_work = Some(Instant::now());
        }
        known.trouble = trouble;
        match &known.trouble {
            Some(Trouble { reason, remedy }) if is_news => {
                tracing::error!(ability = ability.as_str(), reason, remedy, "not healthy: {}", ability.lack());
            }
            None if before == Some(false) => {
                tracing::info!(ability = ability.as_str(), after_seconds = lasted, "able again");
            }
            _ => {}
        }
    }

    /// A poisoned lock is fine: what is known is replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, [Known; Ability::ALL.len()]> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn index(ability: Ability) -> usize {
    match ability {
        Ability::Leader => 0,
        Ability::Queue => 1,
        Ability::ReadCandles => 2,
        Ability::Commit => 3,
        Ability::Publish => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abilities() -> Abilities {
        Abilities::new(Arc::new(Metrics::new().unwrap()))
    }

    fn state(abilities: &Abilities, wanted: Ability) -> State {
        abilities.all().into_iter().find(|state| state.ability == wanted).unwrap()
    }

    fn gauge(abilities: &Abilities, ability: Ability) -> i64 {
        abilities.metrics.delivery.able.with_label_values(&[ability.as_str()]).get()
    }

    #[test]
    fn each_has_a_place_of_its_own() {
        assert_eq!(Ability::ALL.map(index), [0, 1, 2, 3, 4]);
        let abilities = abilities();
        for ability in Ability::ALL {
            assert_eq!((state(&abilities, ability).able, gauge(&abilities, ability)), (None, 0));
            assert!(abilities.is_quiet(ability));
            abilities.worked(ability);
            assert!(!abilities.is_quiet(ability));
            assert_eq!((state(&abilities, ability).able, gauge(&abilities, ability)), (Some(true), 1));
        }
    }

    #[test]
    fn a_failure_names_its_reason_and_its_begin_until_the_next_success() {
        let abilities = abilities();
        let error = |reason: &str| StoreError::CannotWrite { store: "test", reason: reason.to_owned() };
        abilities.note_store(Ability::Commit, &Err::<(), _>(error("it is read-only")));
        let first = state(&abilities, Ability::Commit);
        assert_eq!((first.able, first.last_success, gauge(&abilities, Ability::Commit)), (Some(false), None, 0));
        assert!(first.trouble.as_ref().unwrap().reason.contains("read-only"), "{first:?}");
        abilities.note_store(Ability::Commit, &Err::<(), _>(error("its disk is full")));
        let second = state(&abilities, Ability::Commit);
        assert_eq!(second.since, first.since, "it lasts since the first failure");
        assert!(second.trouble.unwrap().reason.contains("disk"));
        let corrupt = StoreError::Corrupt { store: "test", reason: "a bad row".to_owned() };
        abilities.note_store(Ability::Commit, &Ok(()));
        abilities.note_store(Ability::Commit, &Err::<(), _>(corrupt));
        let third = state(&abilities, Ability::Commit);
        assert_eq!((third.able, third.trouble), (Some(true), None), "data that is refused is no fault of the store");
        assert!(third.last_success.is_some());
    }

    #[test]
    fn a_probe_does_not_end_a_failure_of_real_work() {
        let abilities = abilities();
        let trouble = |reason: &str| Trouble::new(Ability::Publish, &reason);
        abilities.probed(Ability::Publish, Err(trouble("no room")));
        abilities.probed(Ability::Publish, Ok(()));
        assert_eq!(state(&abilities, Ability::Publish).able, Some(true));
        abilities.failed(Ability::Publish, trouble("no room for a signal"));
        abilities.probed(Ability::Publish, Ok(()));
        let state_now = state(&abilities, Ability::Publish);
        assert_eq!((state_now.able, gauge(&abilities, Ability::Publish)), (Some(false), 0));
        assert!(state_now.trouble.unwrap().remedy.contains("outbox"));
        abilities.worked(Ability::Publish);
        assert_eq!(state(&abilities, Ability::Publish).able, Some(true));
    }
}
