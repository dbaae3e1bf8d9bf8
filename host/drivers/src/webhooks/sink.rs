//! Delivers signals to one receiver.
//!
//! Each signal is delivered at least once: how far the receiver has come is stored after its answers, so that after a
//! crash the last ones are sent again. Signals of a series go one after the other. While the receiver fails, nothing
//! new is sent to it but a try from time to time, and nothing is read for it either: nobody else notices.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _};
use ta_bot_core::Timestamp;
use ta_bot_engine::{
    pipeline::leadership::{Leadership, Term},
    signals::{
        cursor::Cursor,
        expiry::Expiry,
        feed::{self, Feed, Follower},
        outbox::{Outbox, StoredSignal},
        receivers::{self, Delivery},
    },
    support::{backoff::Backoff, log_limit::LogLimit, store_error::StoreError},
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{
    receivers::Receiver,
    sender::{Answer, Failure, Sender},
};

mod course;

use course::{Course, finished};

/// The pauses between tries while a receiver or the store fails.
const PAUSES: Backoff = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// How often a signal is sent that a receiver refuses.
const MOST_TRIES: u32 = 5;
/// How often it is stored at most how far the receiver has come, and how often the term is looked at.
const INTERVAL: Duration = Duration::from_secs(1);
/// How long requests under way may take at the end. What they deliver after that is sent again by the next start.
const GRACE: Duration = Duration::from_secs(5);

/// Where signals come from, and who may deliver them.
#[derive(Clone)]
#[allow(missing_docs, reason = "the types are self-explanatory")]
pub struct Sources {
    pub outbox: Arc<dyn Outbox>,
    pub feed: Arc<Feed>,
    pub leadership: Leadership,
    pub expiry: Expiry,
}

/// Delivers to one receiver.
pub struct Sink {
    receiver: Arc<Receiver>,
    sender: Sender,
    sources: Sources,
    state: Arc<receivers::Receiver>,
    limits: Limits,
}

/// Each kind of line of the log has its limit.
#[derive(Default)]
struct Limits {
    failed: LogLimit,
    refused: LogLimit,
    late: LogLimit,
    store: LogLimit,
}

/// What became of a signal.
enum Outcome {
    /// The receiver has answered, and nothing more happens to the signal.
    Answered,
    /// It was too old to be sent.
    Skipped,
    /// It is sent again, after a pause in which nothing else is.
    Failed(Failure),
    /// It was not sent, because this process leads no more or ends.
    Stopped,
}

impl Sink {
    /// Makes the sink of a receiver.
    pub fn new(receiver: Arc<Receiver>, sender: Sender, sources: Sources, state: Arc<receivers::Receiver>) -> Self {
        Self { receiver, sender, sources, state, limits: Limits::default() }
    }

    /// Delivers while this process leads, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let sink = Arc::new(self);
        let begun = async || {
            let term = sink.sources.leadership.next_term(None).await;
            (sink.begin().await, term)
        };
        while let Some((cursor, term)) = stop.run_until_cancelled(begun()).await {
            let mut course = Course::new(&sink.sources.feed, cursor);
            sink.lead(&mut course, &term, &stop).await;
            if stop.is_cancelled() {
                sink.finish(&mut course).await;
            }
            sink.state.wait_since(None);
            sink.state.note(None);
        }
    }

    /// How far the receiver has come. Tries until the store answers.
    async fn begin(&self) -> Cursor {
        let mut pauses = PAUSES;
        loop {
            match self.known().await {
                Ok(cursor) => return cursor,
                Err(error) => self.store_failed(&error),
            }
            sleep(pauses.pause()).await;
        }
    }

    /// A new receiver gets what is stored from now on. That is kept at once: the next start goes on from here.
    async fn known(&self) -> Result<Cursor, StoreError> {
        let (outbox, name) = (&self.sources.outbox, self.receiver.reader());
        if let Some(cursor) = outbox.reader(&name).await? {
            return Ok(cursor);
        }
        let cursor = feed::from_now_on(&**outbox).await?;
        outbox.keep_reader(&name, &cursor, Timestamp::now()).await?;
        tracing::info!(receiver = ?self.receiver, "a new receiver: it gets the signals that are stored from now on");
        Ok(cursor)
    }

    fn store_failed(&self, error: &StoreError) {
        if let Some(withheld) = self.limits.store.admit() {
            tracing::warn!(receiver = ?self.receiver, %error, withheld, "the store fails; will retry");
        }
    }

    fn leads(&self, term: &Term) -> bool {
        self.sources.leadership.term().as_ref() == Some(term)
    }

    /// Delivers until the term ends, or `stop`.
    async fn lead(self: &Arc<Self>, course: &mut Course, term: &Term, stop: &CancellationToken) {
        while self.leads(term) {
            self.start(course, term, stop);
            self.state.wait_since(course.lanes.oldest());
            let now = Instant::now();
            let pause = course.paused_until.checked_duration_since(now).filter(|pause| !pause.is_zero());
            tokio::select! {
                () = stop.cancelled() => return,
                Some((number, outcome)) = course.sending.next() => self.note(course, number, outcome),
                (follower, read) = finished(&mut course.reading) => {
                    if let Some(signal) = read {
                        let is_wanted = self.receiver.filter.includes(&signal);
                        course.lanes.add(signal, follower.cursor().clone(), is_wanted);
                        course.follower = Some(follower);
                    }
                }
                cursor = finished(&mut course.keeping) => course.kept(cursor),
                () = sleep(pause.unwrap_or(INTERVAL).min(INTERVAL)) => {}
            }
        }
    }

    /// Starts what may be under way now.
    fn start(self: &Arc<Self>, course: &mut Course, term: &Term, stop: &CancellationToken) {
        if course.lanes.has_room()
            && let Some(follower) = course.follower.take()
        {
            course.reading = Some(Arc::clone(self).read(follower).boxed());
        }
        if course.keeping.is_none() && *course.lanes.cursor() != course.kept && Instant::now() >= course.keep_at {
            course.keeping = Some(Arc::clone(self).keep(course.lanes.cursor().clone()).boxed());
        }
        let most = course.most_in_flight();
        while course.sending.len() < most
            && let Some((number, signal)) = course.lanes.take()
        {
            let delivery = Arc::clone(self).deliver(signal, term.clone(), stop.clone());
            course.sending.push(delivery.map(move |outcome| (number, outcome)).boxed());
        }
    }

    /// Waits for the next signal, however often the store fails. `None` if the feed has ended.
    async fn read(self: Arc<Self>, mut follower: Follower) -> (Follower, Option<Arc<StoredSignal>>) {
        let mut pauses = PAUSES;
        loop {
            match follower.next().await {
                Ok(signal) => return (follower, signal),
                Err(error) => self.store_failed(&error),
            }
            sleep(pauses.pause()).await;
        }
    }

    /// Keeps how far the receiver has come, and returns what is kept now.
    async fn keep(self: Arc<Self>, cursor: Cursor) -> Option<Cursor> {
        let kept = self.sources.outbox.keep_reader(&self.receiver.reader(), &cursor, Timestamp::now()).await;
        kept.inspect_err(|error| self.store_failed(error)).ok().map(|()| cursor)
    }

    /// Sends a signal. If the receiver refuses it, it is sent some times more; only its own series waits meanwhile.
    async fn deliver(self: Arc<Self>, signal: Arc<StoredSignal>, term: Term, stop: CancellationToken) -> Outcome {
        let mut pauses = PAUSES;
        for tries in 1.. {
            if !self.leads(&term) || stop.is_cancelled() {
                break;
            }
            if !self.receiver.takes_late && self.sources.expiry.is_over(&signal.job()) {
                self.skip(&signal);
                return Outcome::Skipped;
            }
            match self.sender.send(&signal, Timestamp::now()).await {
                Answer::Taken => {
                    self.state.count(Delivery::Delivered);
                    return Outcome::Answered;
                }
                Answer::Failed(failure) => {
                    self.state.count(Delivery::Failed);
                    return Outcome::Failed(failure);
                }
                Answer::Refused(status) if tries == MOST_TRIES => {
                    self.refuse(&signal, status.as_u16());
                    return Outcome::Answered;
                }
                Answer::Refused(_) => {
                    self.state.count(Delivery::Failed);
                    stop.run_until_cancelled(sleep(pauses.pause())).await;
                }
            }
        }
        Outcome::Stopped
    }

    fn skip(&self, signal: &StoredSignal) {
        self.state.count(Delivery::Late);
        if let Some(withheld) = self.limits.late.admit() {
            let (receiver, candle_close) = (&self.receiver, signal.candle_close);
            tracing::warn!(?receiver, signal.id, %candle_close, withheld, "the signal is too old and is not delivered");
        }
    }

    fn refuse(&self, signal: &StoredSignal, status: u16) {
        self.state.count(Delivery::Refused);
        if let Some(withheld) = self.limits.refused.admit() {
            let receiver = &self.receiver;
            tracing::error!(?receiver, signal.id, status, withheld, "the receiver refuses the signal; it is left out");
        }
    }

    /// Takes note of what became of a signal.
    fn note(&self, course: &mut Course, number: u64, outcome: Outcome) {
        match outcome {
            Outcome::Answered => {
                course.lanes.done(number);
                course.pauses.reset();
                course.has_failed = false;
                if self.state.note(None) {
                    tracing::info!(receiver = ?self.receiver, "the receiver takes signals again");
                }
            }
            Outcome::Skipped => course.lanes.done(number),
            Outcome::Stopped => course.lanes.put_back(number),
            Outcome::Failed(failure) => {
                course.lanes.put_back(number);
                course.pause(failure.pause);
                let is_news = self.state.note(Some(failure.kind));
                if is_news && let Some(withheld) = self.limits.failed.admit() {
                    let receiver = &self.receiver;
                    tracing::warn!(?receiver, problem = %failure, withheld, "the receiver takes no signals; will retry");
                }
            }
        }
    }

    /// Waits a moment for what is under way, and keeps how far the receiver has come.
    async fn finish(self: &Arc<Self>, course: &mut Course) {
        let until = Instant::now() + GRACE;
        while let Ok(Some((number, outcome))) = timeout_at(until, course.sending.next()).await {
            self.note(course, number, outcome);
        }
        if course.keeping.is_some()
            && let Ok(cursor) = timeout(GRACE, finished(&mut course.keeping)).await
        {
            course.kept(cursor);
        }
        let cursor = course.lanes.cursor().clone();
        if cursor != course.kept && timeout(GRACE, Arc::clone(self).keep(cursor)).await.is_err() {
            tracing::warn!(receiver = ?self.receiver, "the store did not answer: the last signals are delivered again");
        }
    }
}
