//! How far a receiver has come in a term of this process, and what is under way.

use std::{sync::Arc, time::Duration};

use futures_util::{
    future::{BoxFuture, pending},
    stream::FuturesUnordered,
};
use ta_bot_engine::{
    signals::{
        cursor::Cursor,
        feed::{Feed, Follower},
        outbox::StoredSignal,
    },
    support::backoff::Backoff,
};
use tokio::time::Instant;

use super::{INTERVAL, LONGEST_PAUSE, Outcome, PAUSES};
use crate::webhooks::lanes::Lanes;

/// How many requests to a receiver are under way at most.
const IN_FLIGHT: usize = 8;

/// A term of this process, and how far the receiver has come in it.
pub(super) struct Course {
    pub(super) lanes: Lanes,
    /// The follower, while it does not read.
    pub(super) follower: Option<Follower>,
    pub(super) reading: Option<BoxFuture<'static, (Follower, Option<Arc<StoredSignal>>)>>,
    pub(super) sending: FuturesUnordered<BoxFuture<'static, (u64, Outcome)>>,
    pub(super) keeping: Option<BoxFuture<'static, Option<Cursor>>>,
    /// What is stored.
    pub(super) kept: Cursor,
    /// When it may be stored again.
    pub(super) keep_at: Instant,
    pub(super) pauses: Backoff,
    /// Until when nothing is sent, after a failure.
    pub(super) paused_until: Instant,
    pub(super) has_failed: bool,
}

/// Waits for a future that may not be there. Nothing is lost if this is dropped.
pub(super) async fn finished<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    let Some(running) = future else { return pending().await };
    let value = running.await;
    *future = None;
    value
}

impl Course {
    pub(super) fn new(feed: &Feed, cursor: Cursor) -> Self {
        let now = Instant::now();
        Self {
            lanes: Lanes::new(cursor.clone()),
            follower: Some(feed.follow(cursor.clone())),
            reading: None,
            sending: FuturesUnordered::new(),
            keeping: None,
            kept: cursor,
            keep_at: now,
            pauses: PAUSES,
            paused_until: now,
            has_failed: false,
        }
    }

    /// How many requests may be under way. A single one shows whether a receiver that has failed takes signals again.
    pub(super) fn most_in_flight(&self) -> usize {
        match (Instant::now() < self.paused_until, self.has_failed) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => IN_FLIGHT,
        }
    }

    /// Makes a pause, unless requests that began before it have made one already.
    pub(super) fn pause(&mut self, wanted: Option<Duration>) {
        self.has_failed = true;
        let now = Instant::now();
        if now >= self.paused_until {
            let pause = self.pauses.pause().max(wanted.unwrap_or_default()).min(LONGEST_PAUSE);
            self.paused_until = now + pause;
        }
    }

    pub(super) fn kept(&mut self, cursor: Option<Cursor>) {
        self.keep_at = Instant::now() + INTERVAL;
        if let Some(cursor) = cursor {
            self.kept = cursor;
        }
    }
}
