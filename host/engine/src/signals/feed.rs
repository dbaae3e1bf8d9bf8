//! Following the signals as they are stored.
//!
//! A [`Follower`] gives one signal after the other, and its cursor says how far it has come. It first catches up from
//! the store. Then the followers of a process share one reader of the store, the [`Feed`]: each of them gets the
//! signals from memory, and one that does not keep up reads the store again. So a slow follower costs neither memory
//! nor the time of others.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use ta_bot_core::Timestamp;
use tokio::sync::{
    Notify,
    broadcast::{self, Receiver, Sender, error::RecvError},
};
use tokio_util::sync::CancellationToken;

use crate::{
    signals::{
        cursor::Cursor,
        outbox::{Outbox, SignalFilter, StoredSignal},
    },
    support::{backoff::Backoff, log_limit::LogLimit, store_error::StoreError},
};

#[cfg(test)]
mod tests;

/// How many signals are read at once.
const PAGE: u32 = 100;
/// How many of the newest signals are looked at for positions that may still be filled.
const RECENT: u32 = 1000;
/// How many signals are kept in memory for followers. One that is further behind reads the store.
const KEPT: usize = 256;
/// How often the store is asked for new signals, while somebody follows them.
const INTERVAL: Duration = Duration::from_millis(250);
/// The pauses while the store fails.
const PAUSES: Backoff = Backoff::new(INTERVAL, Duration::from_secs(10));

/// How long after the last moment at which a hole may be filled a follower still expects a signal from it: the feed
/// has passed it on by then.
const PASSED_ON_MS: i64 = 10_000;

/// Reads the signals that are stored, while somebody follows them.
pub struct Feed {
    outbox: Arc<dyn Outbox>,
    sender: Sender<News>,
    followed: Notify,
}

/// What the feed passes on.
#[derive(Clone)]
enum News {
    Stored(Arc<StoredSignal>),
    /// The feed begins. What was stored before that has to be read from the store.
    Begins,
}

/// Gives the signals after a cursor, one after the other.
pub struct Follower {
    outbox: Arc<dyn Outbox>,
    cursor: Cursor,
    news: Receiver<News>,
    /// Signals that were read and not given yet.
    read: VecDeque<Arc<StoredSignal>>,
    /// Whether the store may have signals that will not come from the feed.
    is_behind: bool,
}

/// The cursor of a reader that wants none of the signals that are stored now.
pub async fn from_now_on(outbox: &dyn Outbox) -> Result<Cursor, StoreError> {
    let now = Timestamp::now();
    let newest = outbox.signals(&SignalFilter { limit: RECENT, ..SignalFilter::default() }).await?;
    let mut cursor = Cursor::at(newest.last().map_or(0, |signal| signal.sequence - 1));
    for signal in newest.iter().rev() {
        cursor.take(signal.sequence, signal.created_at);
    }
    cursor.settle(now);
    Ok(cursor)
}

impl Feed {
    /// A feed of an outbox. It gives nothing before it [runs](Self::run).
    pub fn new(outbox: Arc<dyn Outbox>) -> Self {
        Self { outbox, sender: broadcast::channel(KEPT).0, followed: Notify::new() }
    }

    /// Follows the signals after a cursor.
    pub fn follow(&self, cursor: Cursor) -> Follower {
        let news = self.sender.subscribe();
        self.followed.notify_one();
        Follower { outbox: Arc::clone(&self.outbox), cursor, news, read: VecDeque::new(), is_behind: true }
    }

    /// Reads until `stop`, while somebody follows.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let (mut pauses, limit) = (PAUSES, LogLimit::default());
        let reading = async {
            loop {
                while self.sender.receiver_count() == 0 {
                    self.followed.notified().await;
                }
                match self.read().await {
                    Ok(()) => pauses.reset(),
                    Err(error) => {
                        if let Some(withheld) = limit.admit() {
                            tracing::warn!(%error, withheld, "the stored signals can't be followed; will retry");
                        }
                        tokio::time::sleep(pauses.pause()).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    /// Passes on what is stored from now on, until nobody follows or the store fails.
    async fn read(&self) -> Result<(), StoreError> {
        let mut cursor = from_now_on(&*self.outbox).await?;
        // It fails if nobody follows any more, here and below.
        self.sender.send(News::Begins).ok();
        while self.sender.receiver_count() > 0 {
            let now = Timestamp::now();
            let found = self.outbox.unseen(&cursor, PAGE).await?;
            let is_last = found.len() < PAGE as usize;
            for signal in found {
                if cursor.take(signal.sequence, signal.created_at) {
                    self.sender.send(News::Stored(Arc::new(signal))).ok();
                }
            }
            if is_last {
                cursor.settle(now);
                tokio::time::sleep(INTERVAL).await;
            }
        }
        Ok(())
    }
}

impl Follower {
    /// How far the follower has come: all signals that it gave are before the cursor.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Returns the next signal, as soon as there is one. Returns `None` if the feed has ended. After an error it may be
    /// called again. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Arc<StoredSignal>>, StoreError> {
        loop {
            while let Some(signal) = self.read.pop_front() {
                if self.cursor.take(signal.sequence, signal.created_at) {
                    return Ok(Some(signal));
                }
            }
            if self.is_behind {
                self.catch_up().await?;
                continue;
            }
            match self.news.recv().await {
                Ok(News::Stored(signal)) => {
                    self.cursor.settle(Timestamp::now().plus_millis(-PASSED_ON_MS));
                    self.read.push_back(signal);
                }
                Ok(News::Begins) | Err(RecvError::Lagged(_)) => self.is_behind = true,
                Err(RecvError::Closed) => return Ok(None),
            }
        }
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let found = self.outbox.unseen(&self.cursor, PAGE).await?;
        self.is_behind = found.len() == PAGE as usize;
        self.read = found.into_iter().map(Arc::new).collect();
        Ok(())
    }
}
