//! How many children there may be at once: a number of them, and an amount of memory that they share.

use std::sync::{Condvar, Mutex, PoisonError};

/// A limited number of places for children.
#[derive(Debug)]
pub(super) struct Desk {
    memory: u64,
    free: Mutex<Free>,
    freed: Condvar,
}

#[derive(Debug)]
struct Free {
    places: usize,
    memory: u64,
}

/// A place, which is taken until it is dropped.
pub(super) struct Place<'a> {
    desk: &'a Desk,
    memory: u64,
}

impl Desk {
    pub(super) const fn new(places: usize, memory: u64) -> Self {
        Self { memory, free: Mutex::new(Free { places, memory }), freed: Condvar::new() }
    }

    /// How much memory all children may have together.
    pub(super) const fn memory(&self) -> u64 {
        self.memory
    }

    /// Waits for a place for a child that may use so much memory.
    pub(super) fn take(&self, memory: u64) -> Place<'_> {
        // What is more than all would never be free.
        let memory = memory.min(self.memory);
        // A poisoned lock is fine: the numbers are changed together.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let has_no_room = |free: &mut Free| free.places == 0 || free.memory < memory;
        let mut free = self.freed.wait_while(free, has_no_room).unwrap_or_else(PoisonError::into_inner);
        free.places -= 1;
        free.memory -= memory;
        Place { desk: self, memory }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut free = self.desk.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.places += 1;
        free.memory += self.memory;
        // A caller that needs little may go on although another one that came first needs more.
        self.desk.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn no_more_take_a_place_at_once_than_there_are_and_no_more_memory() {
        let desk = Desk::new(3, 10);
        let taken = AtomicU64::new(0);
        let most = AtomicU64::new(0);
        let work = |memory: u64| {
            let _place = desk.take(memory);
            most.fetch_max(taken.fetch_add(memory.min(10), Ordering::SeqCst) + memory.min(10), Ordering::SeqCst);
            std::thread::yield_now();
            taken.fetch_sub(memory.min(10), Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for memory in [1, 4, 6, 99] {
                scope.spawn(move || (0..100).for_each(|_| work(memory)));
            }
        });
        assert_eq!(taken.into_inner(), 0);
        assert!((1..=10).contains(&most.into_inner()));
        let free = desk.free.lock().unwrap();
        assert_eq!((free.places, free.memory), (3, 10));
    }
}
