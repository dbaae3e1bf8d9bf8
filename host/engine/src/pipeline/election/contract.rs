//! The tests that every register must pass, with an election on it.
//!
//! A driver runs [`all`] in its tests. Each case gets a site of its own, which is a register without a record. Every
//! candidate reaches it over a way of its own, so that one of them can be cut off.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, reason = "tests may fail loudly")]

use std::{
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{Register, Timing, Word};

mod candidate;
mod changed;
mod sampler;

pub use candidate::{Candidate, until};
use changed::{Forgetful, OtherClock};
pub use sampler::Sampler;

/// How long a record stays with a holder that does not renew it.
pub const LEASE: Duration = Duration::from_secs(3);
/// How long a term lasts after a renewal.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(2);
/// How often a holder renews.
pub const RETRY: Duration = Duration::from_millis(400);
/// How far clocks are apart, in microseconds: a day.
const DAY: i64 = 86_400_000_000;

/// The times of the candidates, which are shorter than the service's.
pub fn timing() -> Timing {
    Timing::new(LEASE, RENEW_DEADLINE, RETRY).unwrap()
}

/// How a way to the register is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Not at all.
    Open,
    /// Nothing arrives, and nobody is told.
    Stalled,
    /// Connections end, and new ones are refused.
    Refused,
}

/// A register without a record.
pub trait Site: Send + Sync + 'static {
    /// The register.
    type Register: Register;

    /// The register as the next candidate reaches it, over a way of its own.
    fn register(&self) -> impl Future<Output = Self::Register>;

    /// Disturbs the way of a candidate, by its number in the order of the calls of [`register`](Self::register).
    fn disturb(&self, candidate: usize, way: Way) -> impl Future<Output = ()>;

    /// Deletes the record, as a person would.
    fn delete(&self) -> impl Future<Output = ()>;
}

/// A version that came again would let a cut-off leader renew over its successor. `lose` takes what holds the record
/// away, such as a table; it is not there at the beginning either.
pub async fn a_version_does_not_come_again<R: Register>(register: &R, lose: impl AsyncFnOnce()) {
    assert!(register.read(RENEW_DEADLINE).await.unwrap().is_none(), "there is nothing that holds a record");
    let word = Word::first("first", LEASE);
    let old = register.create(&word, RENEW_DEADLINE).await.unwrap().unwrap();
    lose().await;
    assert!(register.replace(&old, &word, RENEW_DEADLINE).await.unwrap().is_none());
    let other = Word::first("second", LEASE);
    let new = register.create(&other, RENEW_DEADLINE).await.unwrap().unwrap();
    assert!(register.replace(&old, &word, RENEW_DEADLINE).await.unwrap().is_none());
    let read = register.read(RENEW_DEADLINE).await.unwrap().unwrap();
    assert_eq!((read.word, read.version), (other, new.version));
}

/// Runs every case, each on a site that `fresh` makes. They run side by side, since most of the time they wait.
pub async fn all<S: Site>(fresh: impl AsyncFn() -> S) {
    tokio::join!(
        one_leads_and_renews_and_the_other_knows_it(fresh().await),
        who_stops_gives_it_up_and_the_next_one_leads(fresh().await),
        who_dies_is_followed_after_the_whole_lease(fresh().await),
        a_name_is_no_claim(fresh().await),
        of_many_that_come_and_go_one_leads_at_a_time(fresh().await),
        who_is_cut_off_ends_before_another_begins(fresh().await, Way::Stalled),
        who_is_cut_off_ends_before_another_begins(fresh().await, Way::Refused),
        who_is_paused_leads_no_longer(fresh().await),
        clocks_may_differ_by_days(fresh().await),
        a_write_whose_answer_is_lost_is_known_as_the_own_one(fresh().await),
        a_record_that_is_deleted_is_made_again_after_its_time(fresh().await),
        a_register_that_is_away_at_the_start_is_waited_for(fresh().await),
    );
}

async fn candidate<S: Site>(site: &S, name: &str) -> Candidate {
    Candidate::start(site.register().await, name)
}

/// Two candidates, of which the first leads, and the other knows it.
async fn two<S: Site>(site: &S) -> (Candidate, Candidate, Sampler) {
    let first = candidate(site, "first").await;
    first.leads().await;
    let second = candidate(site, "second").await;
    second.follows("first").await;
    let sampler = Sampler::of(&[&first, &second]);
    (first, second, sampler)
}

async fn one_leads_and_renews_and_the_other_knows_it<S: Site>(site: S) {
    let (first, second, sampler) = two(&site).await;
    assert_eq!((first.leadership.leader().as_deref(), second.leadership.term()), (Some("first"), None));
    let register = site.register().await;
    let read = async || register.read(RENEW_DEADLINE).await.unwrap().unwrap();
    let before = read().await;
    assert_eq!((before.word.holder.as_deref(), before.word.transitions), (Some("first"), 0));
    assert_eq!(before.word.duration, LEASE);
    let term = first.leadership.term();
    let mut renewed = read().await;
    let begun = Instant::now();
    while renewed.word.renewed == before.word.renewed {
        assert!(begun.elapsed() < candidate::PATIENCE, "it is not renewed");
        tokio::time::sleep(RETRY / 10).await;
        renewed = read().await;
    }
    assert_eq!((renewed.word.acquired, renewed.word.transitions), (before.word.acquired, 0));
    assert_ne!(renewed.version, before.version);
    assert_eq!(first.leadership.term(), term, "a renewal is no new term");
    assert!(register.create(&before.word, RENEW_DEADLINE).await.unwrap().is_none(), "there is one");
    assert!(register.replace(&before, &before.word, RENEW_DEADLINE).await.unwrap().is_none(), "it is an old version");
    first.leadership.measure(&first.metrics);
    second.leadership.measure(&second.metrics);
    assert_eq!((first.metrics.is_leader.get(), second.metrics.is_leader.get()), (1, 0));
    assert_eq!(first.metrics.election.way.with_label_values(&[S::Register::WAY]).get(), 1);
    sampler.assert_one_at_a_time();
    assert_eq!((first.events("begun"), first.events("lost"), second.events("begun")), (1, 0, 0));
    first.stop().await;
    second.stop().await;
}

async fn who_stops_gives_it_up_and_the_next_one_leads<S: Site>(site: S) {
    let (first, second, sampler) = two(&site).await;
    let told = Instant::now();
    let leadership = first.leadership.clone();
    let (released, ()) = tokio::join!(first.stop(), second.leads());
    assert!(told.elapsed() < LEASE, "it waited for the expiry: {:?}", told.elapsed());
    sampler.assert_one_at_a_time();
    assert_eq!((released, leadership.term()), (1, None));
    assert_eq!(second.stop().await, 1);
    let word = site.register().await.read(RENEW_DEADLINE).await.unwrap().unwrap().word;
    assert_eq!((word.holder, word.renewed, word.transitions), (None, None, 1));
    // A candidate that never led has nothing to give up.
    let third = candidate(&site, "third").await;
    third.leads().await;
    let fourth = candidate(&site, "fourth").await;
    fourth.follows("third").await;
    assert_eq!(fourth.stop().await, 0);
    assert!(third.leadership.term().is_some());
    third.stop().await;
}

async fn who_dies_is_followed_after_the_whole_lease<S: Site>(site: S) {
    let (first, second, sampler) = two(&site).await;
    let renewed = Instant::now();
    let old = first.die();
    second.leads().await;
    let waited = renewed.elapsed();
    assert!(waited + 2 * RETRY >= LEASE, "it waited only {waited:?}");
    assert_eq!(old.term(), None, "the old term is over first");
    sampler.assert_one_at_a_time();
    second.stop().await;
}

/// A process that was killed and started again has its old name, and another one may have the same name.
async fn a_name_is_no_claim<S: Site>(site: S) {
    let first = candidate(&site, "same").await;
    first.leads().await;
    let second = candidate(&site, "same").await;
    let sampler = Sampler::of(&[&first, &second]);
    let begun = Instant::now();
    while begun.elapsed() < LEASE + RETRY {
        assert!(second.leadership.term().is_none());
        tokio::time::sleep(RETRY / 10).await;
    }
    assert_eq!(second.leadership.leader(), None, "its own name would say that it leads");
    first.die();
    second.leads().await;
    sampler.assert_one_at_a_time();
    second.stop().await;
}

/// The leader goes, by turns by dying and in order, and a new candidate comes.
async fn of_many_that_come_and_go_one_leads_at_a_time<S: Site>(site: S) {
    let mut candidates = Vec::new();
    for index in 0..3 {
        candidates.push(candidate(&site, &format!("replica-{index}")).await);
    }
    let sampler = Sampler::of(&candidates.iter().collect::<Vec<_>>());
    for round in 0..4 {
        let leads = |candidates: &[Candidate]| candidates.iter().position(|one| one.leadership.term().is_some());
        until("one of them leads", || leads(&candidates).is_some()).await;
        let Some(leader) = leads(&candidates) else { continue };
        let next = candidate(&site, &format!("replica-{}", round + 3)).await;
        sampler.add(&next);
        let old = std::mem::replace(&mut candidates[leader], next);
        if round % 2 == 0 {
            old.stop().await;
        } else {
            old.die();
        }
    }
    until("one of them leads", || candidates.iter().any(|one| one.leadership.term().is_some())).await;
    sampler.assert_one_at_a_time();
    for candidate in candidates {
        candidate.stop().await;
    }
}

async fn who_is_cut_off_ends_before_another_begins<S: Site>(site: S, way: Way) {
    let (first, second, sampler) = two(&site).await;
    site.disturb(0, way).await;
    second.leads().await;
    assert_eq!(first.leadership.term(), None, "the old term is over first");
    until("a call failed", || first.failures("update") + first.failures("get") > 0).await;
    assert!(first.leadership.problem().is_some());
    site.disturb(0, Way::Open).await;
    first.follows("second").await;
    sampler.assert_one_at_a_time();
    assert_eq!((first.events("begun"), first.events("lost")), (1, 1));
    first.stop().await;
    assert!(second.leadership.term().is_some(), "who does not hold it does not give it up");
    second.stop().await;
}

/// As if the process is stopped, or its machine gives it no time: none of its tasks runs, but its term still ends.
async fn who_is_paused_leads_no_longer<S: Site>(site: S) {
    let site = Arc::new(site);
    let (resume, paused) = mpsc::channel::<()>();
    let (tell, told) = oneshot::channel();
    let on_its_own = Arc::clone(&site);
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let first = runtime.block_on(async {
            let first = candidate(&*on_its_own, "first").await;
            first.leads().await;
            first
        });
        assert!(tell.send((first.leadership.clone(), Arc::clone(&first.metrics))).is_ok());
        // Nothing drives its tasks from here on.
        paused.recv().unwrap();
        runtime.block_on(async {
            first.follows("second").await;
            assert_eq!(first.events("lost"), 1);
            first.stop().await;
        });
    });
    let (first, metrics) = told.await.unwrap();
    let second = candidate(&*site, "second").await;
    let sampler = Sampler::of(&[&second]);
    sampler.add_leadership(&first);
    second.leads().await;
    let lost = metrics.election.terms.with_label_values(&["lost"]).get();
    assert!(first.term().is_none() && lost == 0, "nobody ended it");
    resume.send(()).unwrap();
    thread.await.unwrap();
    sampler.assert_one_at_a_time();
    second.stop().await;
}

async fn clocks_may_differ_by_days<S: Site>(site: S) {
    let ahead = Candidate::start(OtherClock::by(DAY, site.register().await), "ahead");
    ahead.leads().await;
    let behind = Candidate::start(OtherClock::by(-DAY, site.register().await), "behind");
    behind.follows("ahead").await;
    let sampler = Sampler::of(&[&ahead, &behind]);
    let begun = Instant::now();
    while begun.elapsed() < LEASE + RETRY {
        assert_eq!(behind.leadership.term(), None, "the holder's time is not the candidate's");
        tokio::time::sleep(RETRY / 10).await;
    }
    ahead.die();
    behind.leads().await;
    let ahead = Candidate::start(OtherClock::by(DAY, site.register().await), "ahead again");
    sampler.add(&ahead);
    ahead.follows("behind").await;
    behind.die();
    ahead.leads().await;
    sampler.assert_one_at_a_time();
    ahead.stop().await;
}

/// The register takes what is written, but its answer does not arrive.
async fn a_write_whose_answer_is_lost_is_known_as_the_own_one<S: Site>(site: S) {
    let (register, forgets) = Forgetful::new(site.register().await);
    forgets.store(true, std::sync::atomic::Ordering::Release);
    let first = Candidate::start(register, "first");
    until("answers are lost", || first.failures("create") + first.failures("update") > 1).await;
    assert_eq!(first.leadership.term(), None, "it does not know that it holds the record");
    forgets.store(false, std::sync::atomic::Ordering::Release);
    first.leads().await;
    let term = first.leadership.term();
    forgets.store(true, std::sync::atomic::Ordering::Release);
    let failed = first.failures("update");
    until("an answer is lost", || first.failures("update") > failed).await;
    forgets.store(false, std::sync::atomic::Ordering::Release);
    until("it is over", || first.leadership.problem().is_none()).await;
    assert_eq!(first.leadership.term(), term, "it goes on leading");
    let word = site.register().await.read(RENEW_DEADLINE).await.unwrap().unwrap().word;
    assert_eq!((word.holder.as_deref(), word.transitions), (Some("first"), 0));
    assert_eq!(first.stop().await, 1);
}

async fn a_record_that_is_deleted_is_made_again_after_its_time<S: Site>(site: S) {
    let (first, second, sampler) = two(&site).await;
    let deleted = Instant::now();
    site.delete().await;
    until("the term ends", || first.leadership.term().is_none()).await;
    until("one leads again", || first.leadership.term().or(second.leadership.term()).is_some()).await;
    assert!(deleted.elapsed() >= LEASE, "it waited only {:?}", deleted.elapsed());
    sampler.assert_one_at_a_time();
    let word = site.register().await.read(RENEW_DEADLINE).await.unwrap().unwrap().word;
    assert_eq!(word.transitions, 0, "it is a new one");
    first.stop().await;
    second.stop().await;
}

async fn a_register_that_is_away_at_the_start_is_waited_for<S: Site>(site: S) {
    let register = site.register().await;
    site.disturb(0, Way::Refused).await;
    let candidate = Candidate::start(register, "first");
    until("it was tried again", || candidate.failures("get") > 2).await;
    assert!(candidate.leadership.term().is_none() && candidate.leadership.leader().is_none());
    site.disturb(0, Way::Open).await;
    candidate.leads().await;
    until("the problem is over", || candidate.leadership.problem().is_none()).await;
    candidate.stop().await;
}
