//! The messages of signals that this process has committed and that still wait. The relay sends them a moment after
//! their commit, so the server need not read them again for that.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How many bytes of messages are kept. Others are read from the server when they are sent.
const MOST_BYTES: usize = 16 << 20;
/// How long a message is kept. One that is still there has been sent by another replica, or before it was kept here.
const MOST_AGE: Duration = Duration::from_secs(10);

/// The kept messages, by signal id.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    messages: HashMap<String, String>,
    /// The ids in the order in which they came, and when. Those that wait no more are among them until they are old.
    order: VecDeque<(Instant, String)>,
    bytes: usize,
}

impl Kept {
    fn remove(&mut self, id: &str) {
        if let Some(message) = self.messages.remove(id) {
            self.bytes -= message.len();
        }
    }
}

impl Fresh {
    /// Keeps messages that are committed, as long as there is room. Forgets those that are old.
    pub(super) fn keep(&self, messages: impl IntoIterator<Item = (String, String)>, now: Instant) {
        let mut kept = self.kept();
        while let Some((_, id)) = kept.order.pop_front_if(|(came, _)| now.duration_since(*came) > MOST_AGE) {
            kept.remove(&id);
        }
        for (id, message) in messages {
            if kept.bytes + message.len() > MOST_BYTES {
                return;
            }
            kept.bytes += message.len();
            kept.order.push_back((now, id.clone()));
            if let Some(before) = kept.messages.insert(id, message) {
                kept.bytes -= before.len();
            }
        }
    }

    /// The message of a signal, if it is kept.
    pub(super) fn get(&self, id: &str) -> Option<String> {
        self.kept().messages.get(id).cloned()
    }

    /// Forgets the messages of signals that wait no more.
    pub(super) fn forget<'a>(&self, ids: impl IntoIterator<Item = &'a str>) {
        let mut kept = self.kept();
        for id in ids {
            kept.remove(id);
        }
        if kept.messages.is_empty() {
            // A burst is not to be paid for in memory all day.
            kept.messages.shrink_to_fit();
        }
    }

    /// A poisoned lock is fine: what is missing is read from the server.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_there_until_it_is_forgotten_and_has_a_bound() {
        let fresh = Fresh::default();
        let text = |id: &str| (id.to_owned(), format!("message of {id}"));
        let now = Instant::now();
        fresh.keep(["a", "b", "b"].map(text), now);
        assert_eq!(fresh.get("b").as_deref(), Some("message of b"));
        fresh.forget(["b", "c"]);
        assert_eq!((fresh.get("a").is_some(), fresh.get("b")), (true, None));
        fresh.keep([("large".to_owned(), "x".repeat(MOST_BYTES))], now);
        assert_eq!(fresh.get("large"), None);
        fresh.forget(["a"]);
        assert_eq!(fresh.kept().bytes, 0);
        fresh.keep([("large".to_owned(), "x".repeat(MOST_BYTES))], now);
        assert!(fresh.get("large").is_some());
    }
    #[test]
    fn what_nobody_forgets_makes_room_in_time() {
        let fresh = Fresh::default();
        let now = Instant::now();
        fresh.keep([("sent elsewhere".to_owned(), "x".repeat(MOST_BYTES))], now);
        let message = || [("a".to_owned(), "message of a".to_owned())];
        fresh.keep(message(), now + MOST_AGE);
        assert_eq!(fresh.get("a"), None);
        fresh.keep(message(), now + MOST_AGE + Duration::from_millis(1));
        assert_eq!((fresh.get("a").is_some(), fresh.get("sent elsewhere")), (true, None));
        assert_eq!(fresh.kept().order.len(), 1);
    }
}
