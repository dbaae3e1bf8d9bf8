//! The time that a guest may take.
//!
//! It is the time that the machine runs the guest's thread, not the time that passes: a guest that is stopped because
//! the process was paused, or had to wait for a core, would lose an answer that it was about to give. Guests never wait
//! for anything, so one that runs uses its time up.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// How many times its limit a guest may take by the wall clock, if the machine does not run it that long. A pause of
/// the process counts as one of them, however long it was.
const MOST_TURNS: u32 = 4;
/// What the time of a guest may be wrong by. Reading the thread's clock is a call into the kernel, which would take a
/// twentieth of the time of most evaluations, so what was read this long ago is used again.
const PRECISION: Duration = Duration::from_millis(1);

thread_local! {
    /// When the clock of this thread was last read, and what it showed.
    static READ: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// The time of one guest. It belongs to the thread that runs the guest.
#[derive(Debug)]
pub(crate) struct GuestTime {
    /// How long the guest may run.
    pub(crate) limit: Duration,
    /// What the thread's clock showed at the beginning, or up to a millisecond more.
    began: Duration,
    turn: Turn,
}

/// A part of the wall clock's time, as long as the limit or longer.
#[derive(Debug)]
struct Turn {
    number: u32,
    began: Instant,
}

impl GuestTime {
    /// The time of a guest that begins now.
    pub(crate) fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self { limit, began: run_at_most(now), turn: Turn { number: 1, began: now } }
    }

    /// Begins anew.
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.limit);
    }

    /// How long the machine has run the guest.
    pub(crate) fn ran(&self) -> Duration {
        let took = self.turn.began.elapsed();
        if self.turn.number == 1 && took < PRECISION { took } else { run_so_far().saturating_sub(self.began) }
    }

    /// Whether the guest has to stop now.
    pub(crate) fn is_up(&mut self) -> bool {
        let turn_is_over = self.turn.began.elapsed() >= self.limit;
        if self.turn.number == 1 && !turn_is_over {
            return false;
        }
        if self.ran() >= self.limit || (turn_is_over && self.turn.number == MOST_TURNS) {
            return true;
        }
        if turn_is_over {
            self.turn = Turn { number: self.turn.number + 1, began: Instant::now() };
        }
        false
    }
}

/// How long the machine has run the current thread since it was started.
fn run_so_far() -> Duration {
    let run = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(run.tv_sec.unsigned_abs(), run.tv_nsec.unsigned_abs() as u32)
}

/// The same, or up to a millisecond more: since its clock was last read, a thread has not run longer than time has
/// passed.
fn run_at_most(now: Instant) -> Duration {
    let recent = READ.get().map(|(at, run)| (now.saturating_duration_since(at), run));
    match recent.filter(|(ago, _)| *ago < PRECISION) {
        Some((ago, run)) => run + ago,
        None => {
            let run = run_so_far();
            READ.set(Some((now, run)));
            run
        }
    }
}
