//! How much waits for the collector, and what is lost.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
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
    lost: IntCounter,
    /// Why the collector did not take the last thing that it refused.
    reason: Mutex<Option<String>>,
}

impl Room {
    pub(super) const fn new(kind: &'static str, limit: usize, lost: IntCounter) -> Self {
        Self { kind, limit, waiting: AtomicUsize::new(0), lost, reason: Mutex::new(None) }
    }

    /// How much may wait.
    pub(super) const fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= self.limit
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

    /// Notes what the collector did not take.
    pub(super) fn refused(&self, count: usize, reason: String) {
        self.lose(count);
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
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
            match (lost, *is_losing) {
                (0, true) => {
                    tracing::info!(kind = room.kind, "the collector takes telemetry again");
                }
                (0, false) => continue,
                _ => {
                    let reason = room.reason().unwrap_or_else(|| "more is made than the collector takes".to_owned());
                    tracing::warn!(kind = room.kind, lost, reason, "telemetry is lost; nothing else is affected");
                    pause = TELL;
                }
            }
            (*before, *is_losing) = (room.lost.get(), lost > 0);
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
        room.refused(2, "away".to_owned());
        assert_eq!((lost.get(), room.reason().as_deref(), room.reason()), (3, Some("away"), None));
    }
}
