//! The task that takes part in the election: it reads the record, takes it over, renews it, and gives it up at the end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ta_bot_core::Timestamp;
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};
use tokio_util::sync::CancellationToken;

use super::{
    Register, RegisterError, Timing,
    pace::{Failures, jittered},
    record::{Claim, Record, Word},
    seen::Seen,
    watching,
};
use crate::{
    pipeline::leadership::{Held, Other, Standing, Term},
    support::metrics::Metrics,
};

/// How many reported states of the record may wait to be handled.
const STATES: usize = 16;

/// Maintains the leadership that was created together with it.
pub struct Keeper<R: Register> {
    register: R,
    identity: String,
    timing: Timing,
    metrics: Arc<Metrics>,
    standing: watch::Sender<Standing>,
    /// What other processes wrote, and since when.
    seen: Seen,
    /// The claim by which this process holds the record, or tries to.
    claim: Option<Claim>,
    /// The record as this process last wrote it, as long as nothing else is known about it.
    own: Option<Record<R::Rest>>,
    failures: Failures,
}

impl<R: Register> Keeper<R> {
    pub(super) fn new(
        register: R,
        identity: String,
        timing: Timing,
        metrics: Arc<Metrics>,
        standing: watch::Sender<Standing>,
    ) -> Self {
        let (seen, failures) = (Seen::default(), Failures::default());
        Self { register, identity, timing, metrics, standing, seen, claim: None, own: None, failures }
    }

    /// Takes part in the election until `stop` is cancelled, then gives the record up.
    pub async fn run(mut self, stop: CancellationToken) {
        let (told, mut states) = mpsc::channel(STATES);
        let watching = watching::watch(self.register.clone(), self.timing, Arc::clone(&self.metrics), told);
        tokio::select! {
            () = self.keep(&mut states, &stop) => {}
            // Ends only when the receiver of its states is dropped.
            () = watching => {}
        }
        self.release().await;
    }

    /// Runs turns until `stop` is cancelled. A call under way is not interrupted: it is short, and its outcome must be
    /// known.
    async fn keep(&mut self, states: &mut mpsc::Receiver<Option<Record<R::Rest>>>, stop: &CancellationToken) {
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep_until(next.into()) => {}
                Some(state) = states.recv() => if !self.is_news(state.as_ref()) { continue; },
            }
            next = self.turn().await;
        }
    }

    /// Whether a state that the watch reported calls for a turn at once. It may be an old state, so it decides nothing
    /// by itself.
    fn is_news(&mut self, state: Option<&Record<R::Rest>>) -> bool {
        if self.own.is_some() {
            return !state.is_some_and(|record| self.is_own(record));
        }
        self.see(state);
        self.seen.is_free(self.timing.lease(), Instant::now())
    }

    /// Makes one attempt and returns when the next one is due.
    async fn turn(&mut self) -> Instant {
        self.end_if_over();
        let attempt = self.attempt().await;
        self.end_if_over();
        let now = Instant::now();
        let retry = self.timing.retry();
        let error = match attempt {
            Ok(()) => {
                if self.failures.clear() {
                    self.standing.send_modify(|standing| standing.problem = None);
                    tracing::info!("{} can be read and written again", R::WHAT);
                }
                return self.next_after_success(now);
            }
            Err(error) => error.to_string(),
        };
        if self.failures.add(&error) {
            tracing::warn!(error, leads = self.leads(), "the election attempt failed; will retry");
            self.standing.send_modify(|standing| standing.problem = Some(error));
        }
        // A leader has little time left; the other replicas can wait for as long as the server is away.
        let longest = if self.leads() { retry } else { 4 * retry };
        let next = now + self.failures.pause(retry / 4, longest);
        self.until().map_or(next, |until| next.min(until))
    }

    /// When the next turn is due: a renewal, the moment at which the record may be free, or the next read.
    fn next_after_success(&self, now: Instant) -> Instant {
        let next = now + jittered(self.timing.retry());
        if self.own.is_some() {
            return next;
        }
        match self.seen.free_at(self.timing.lease()) {
            Some(at) if at > now => next.min(at),
            _ => next,
        }
    }

    /// Renews the record, takes it over, or notes which process leads.
    async fn attempt(&mut self) -> Result<(), RegisterError> {
        if let Some(own) = self.own.clone() {
            if self.write(Some(&own)).await? {
                return Ok(());
            }
            self.own = None;
        }
        let found = self.read(self.limit()).await?;
        let found = found.as_ref();
        let is_own = found.is_some_and(|record| self.is_own(record));
        if !is_own {
            self.see(found);
            self.end("it is not held by this process any more");
        }
        if is_own || self.seen.is_free(self.timing.lease(), Instant::now()) {
            self.write(found).await?;
        }
        Ok(())
    }

    /// Writes this process into the record, over what was found. Returns `false` if another process was first.
    async fn write(&mut self, found: Option<&Record<R::Rest>>) -> Result<bool, RegisterError> {
        let is_own = found.is_some_and(|record| self.is_own(record));
        if !is_own && !self.claim.as_ref().is_some_and(|claim| claim.is_over(found)) {
            self.claim = Some(Claim::new(&self.identity, found));
        }
        let Some(claim) = &self.claim else { return Ok(false) };
        let duration = self.timing.lease();
        let limit = self.limit();
        // The term counts from here: no other process can see the write before it is sent.
        let sent = Instant::now();
        let written = match found {
            None => self.counted("create", self.register.create(&claim.created(duration), limit).await)?,
            Some(record) => {
                let word = &record.word;
                let word = if is_own { claim.renewed(word, duration) } else { claim.taken_over(word, duration) };
                self.replace(record, &word, limit).await?
            }
        };
        let Some(written) = written else { return Ok(false) };
        self.metrics.election.transitions.set(written.word.transitions);
        self.seen.take(Some(written.word.clone()), Instant::now());
        self.own = Some(written);
        self.lead_until(sent, sent + self.timing.renew_deadline());
        Ok(true)
    }

    /// Extends the current term, or begins a new one.
    fn lead_until(&self, sent: Instant, until: Instant) {
        // The answer may have taken longer than the term that it would give.
        if Instant::now() >= until {
            return;
        }
        let begins = !self.leads();
        self.standing.send_modify(|standing| {
            let term = standing.term().cloned().unwrap_or_else(|| Term { since: Timestamp::now() });
            standing.held = Some(Held { term, until: Some(until) });
            standing.other = None;
            standing.renewed = Some(sent);
        });
        if begins {
            self.metrics.election.terms.with_label_values(&["begun"]).inc();
            self.metrics.is_leader.set(1);
            tracing::info!(identity = self.identity, elected_by = R::WAY, place = self.register.place(), "leads");
        }
    }

    /// Notes what was found, and publishes which process leads.
    fn see(&mut self, found: Option<&Record<R::Rest>>) {
        self.seen.take(found.map(|record| record.word.clone()), Instant::now());
        if let Some(record) = found {
            self.metrics.election.transitions.set(record.word.transitions);
        }
        let holder = self.seen.holder(self.timing.lease());
        // A holder with this process's name but without its claim is an earlier process of that name, which has ended.
        let holder = holder.filter(|(name, ..)| *name != self.identity);
        let other = holder.map(|(name, until, _)| Other { name: name.to_owned(), until });
        let renewed = holder.map(|(.., since)| since);
        self.standing.send_if_modified(|standing| {
            let changes = standing.other.as_ref().map(|other| &other.name) != other.as_ref().map(|other| &other.name);
            if changes && let Some(other) = &other {
                tracing::info!(leader = other.name, "another process leads");
            }
            standing.other = other;
            standing.renewed = renewed.or(standing.renewed);
            changes
        });
    }

    /// Ends the term if its time is over.
    fn end_if_over(&self) {
        if self.until().is_some_and(|until| Instant::now() >= until) {
            self.end("it was not renewed in time");
        }
    }

    /// Ends the term, if there is one.
    fn end(&self, reason: &str) {
        let held = self.standing.send_if_modified(|standing| standing.held.take().is_some());
        if held {
            self.metrics.election.terms.with_label_values(&["lost"]).inc();
            self.metrics.is_leader.set(0);
            tracing::warn!(reason, "leads no longer");
        }
    }

    /// Gives the record up, so that another process can take it at once. This process ends its own term first.
    async fn release(mut self) {
        let led = self.standing.send_if_modified(|standing| standing.held.take().is_some());
        self.metrics.is_leader.set(0);
        let released = tokio::time::timeout(self.timing.renew_deadline(), self.give_up()).await;
        match released.unwrap_or(Ok(false)) {
            Ok(true) => {
                self.metrics.election.terms.with_label_values(&["released"]).inc();
                tracing::info!("{} was given up", R::WHAT);
            }
            Ok(false) if !led => {}
            Ok(false) => {
                tracing::warn!("{} was not given up in time; the next leader waits for its expiry", R::WHAT);
            }
            Err(error) => {
                tracing::warn!(%error, "{} was not given up; the next leader waits for its expiry", R::WHAT);
            }
        }
    }

    async fn give_up(&mut self) -> Result<bool, RegisterError> {
        if let Some(own) = self.own.take()
            && self.replace(&own, &own.word.released(), self.timing.call()).await?.is_some()
        {
            return Ok(true);
        }
        // A write may have arrived even though its answer was lost.
        match self.find_own().await? {
            Some(own) => Ok(self.replace(&own, &own.word.released(), self.timing.call()).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Returns the record if this process holds it. A process that never tried to hold it makes no call.
    async fn find_own(&self) -> Result<Option<Record<R::Rest>>, RegisterError> {
        if self.claim.is_none() {
            return Ok(None);
        }
        Ok(self.read(self.timing.call()).await?.filter(|record| self.is_own(record)))
    }

    async fn read(&self, limit: Duration) -> Result<Option<Record<R::Rest>>, RegisterError> {
        self.counted("get", self.register.read(limit).await)
    }

    async fn replace(
        &self,
        record: &Record<R::Rest>,
        word: &Word,
        limit: Duration,
    ) -> Result<Option<Record<R::Rest>>, RegisterError> {
        self.counted("update", self.register.replace(record, word, limit).await)
    }

    /// Counts the call if it failed.
    fn counted<T>(&self, operation: &str, answer: Result<T, RegisterError>) -> Result<T, RegisterError> {
        if answer.is_err() {
            self.metrics.election.failures.with_label_values(&[operation]).inc();
        }
        answer
    }

    fn is_own(&self, record: &Record<R::Rest>) -> bool {
        self.claim.as_ref().is_some_and(|claim| record.word.is_held_by(claim))
    }

    fn leads(&self) -> bool {
        self.standing.borrow().term().is_some()
    }

    /// When the current term ends unless it is renewed; `None` without a term.
    fn until(&self) -> Option<Instant> {
        self.standing.borrow().held.as_ref()?.until
    }

    /// How long a call may take: never longer than the rest of the term.
    fn limit(&self) -> Duration {
        let left = self.until().map(|until| until.saturating_duration_since(Instant::now()));
        left.filter(|left| !left.is_zero()).map_or(self.timing.call(), |left| left.min(self.timing.call()))
    }
}
