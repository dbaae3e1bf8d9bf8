//! How much waits for the collector, and what is lost.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use prometheus::IntCounter;
use tokio_util::sync::CancellationToken;

/// How often the log tells of losses.
const TELL: Duration = Duration::from_mins(1);

/// The queue of one kind of telemetry.
#[derive(Debug)]
pub(super) struct Room {
    kind: &'static str,
    limit: usize,
    waiting: AtomicUsize,
    /// Whether the collector did not take what was sent last.
    is_failing: AtomicBool,
    lost: IntCounter,
    /// Why the collector did not take the last thing that it refused.
    reason: Mutex<Option<String>>,
}

impl Room {
    pub(super) const fn new(kind: &'static str, limit: usize, lost: IntCounter) -> Self {
        Self {
            kind,
            limit,
            waiting: AtomicUsize::new(0),
            is_failing: AtomicBool::new(false),
            lost,
            reason: Mutex::new(None),
        }
    }

    /// How much may wait.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.limit
    }

    /// Whether more is worth making; false, and a loss, if it would find no room or the collector takes nothing.
    pub(super) fn admits(&self) -> bool {
        let admits = !self.is_failing() && !self.is_full();
        if !admits {
            self.lose(1);
        }
        admits
    }

    /// Whether the collector did not take what was sent last.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Takes a place; false, and a loss, if there is none.
    pub(super) fn enter(&self) -> bool {
        let entered = self.waiting.fetch_add(1, Ordering::Relaxed) < self.limit;
        if !entered {
            self.leave(1);
            self.lose(1);
        }
        entered
    }

    /// Gives places back.
    pub(super) fn leave(&self, count: usize) {
        self.waiting.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn lose(&self, count: usize) {
        self.lost.inc_by(count as u64);
    }

    /// Notes what became of `count` entries that were sent: how many of them the collector rejected, or why it took
    /// none. Returns whether it takes anything.
    pub(super) fn answered(&self, count: usize, answer: Result<usize, String>) -> bool {
        self.is_failing.store(answer.is_err(), Ordering::Relaxed);
        let (lost, reason) = match answer {
            Ok(0) => return true,
            Ok(rejected) => (rejected, "the collector rejected a part of them".to_owned()),
            Err(reason) => (count, reason),
        };
        self.lose(lost);
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
        !self.is_failing()
    }

    fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Tells the log of losses, a line a minute for each kind, and when they are over.
pub(super) async fn tell(rooms: &[Arc<Room>], stop: CancellationToken) {
    let mut told: Vec<_> = rooms.iter().map(|room| (room, room.lost.get(), false)).collect();
    // The first loss is told soon.
    let mut pause = Duration::from_secs(5);
    while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
        pause = Duration::from_secs(5);
        for (room, before, is_losing) in &mut told {
            let lost = room.lost.get() - *before;
            if lost > 0 {
                let reason = room.reason().unwrap_or_else(|| "more is made than the collector takes".to_owned());
                tracing::warn!(kind = room.kind, lost, reason, "telemetry is lost; nothing else is affected");
                pause = TELL;
            } else if *is_losing && !room.is_failing() {
                tracing::info!(kind = room.kind, "the collector takes telemetry again");
            }
            (*before, *is_losing) = (*before + lost, lost > 0 || (*is_losing && room.is_failing()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_lost_and_counted() {
        let lost = IntCounter::new("lost", "lost").unwrap();
        let room = Room::new("traces", 2, lost.clone());
        assert_eq!([room.enter(), room.enter(), room.enter()], [true, true, false]);
        assert!(room.is_full());
        room.leave(1);
        assert!(room.enter() && room.is_full());
        room.answered(2, Err("away".to_owned()));
        assert_eq!((lost.get(), room.reason().as_deref(), room.reason()), (3, Some("away"), None));
    }

    #[test]
    fn nothing_is_made_while_the_collector_takes_nothing() {
        let lost = IntCounter::new("lost", "lost").unwrap();
        let room = Room::new("traces", 2, lost.clone());
        assert!(room.admits());
        assert!(!room.answered(5, Err("away".to_owned())));
        assert_eq!((room.admits(), room.admits(), lost.get()), (false, false, 7), "what is not made counts");
        // A part that was rejected says that the collector takes the rest.
        assert!(room.answered(3, Ok(1)));
        assert!(room.admits() && room.enter() && room.enter());
        assert_eq!((room.admits(), lost.get()), (false, 9), "it would find no room");
    }
}
