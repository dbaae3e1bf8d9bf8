//! How many compilations there may be at once in this process.

use std::sync::{Condvar, Mutex, PoisonError};

/// A limited number of places for callers that compile.
#[derive(Debug)]
pub(super) struct Desk {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Desk {
    pub(super) const fn new(places: usize) -> Self {
        Self { free: Mutex::new(places), freed: Condvar::new() }
    }

    /// Waits for a place, which is taken until the returned value is dropped.
    pub(super) fn place(&self) -> Place<'_> {
        // A poisoned lock is fine: the number is changed in one step.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        Place(self)
    }
}

pub(super) struct Place<'a>(&'a Desk);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_compile_at_once_than_there_are_places() {
        let desk = Desk::new(2);
        let at_once = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        let compile = || {
            let _place = desk.place();
            most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            at_once.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| compile()));
            }
        });
        assert_eq!(at_once.into_inner(), 0);
        assert!((1..=2).contains(&most.into_inner()));
        // A compile that panicked gives its place back.
        for _ in 0..3 {
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _place = desk.place();
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(panicked.is_err());
        }
        assert_eq!(*desk.free.lock().unwrap(), 2);
    }
}
