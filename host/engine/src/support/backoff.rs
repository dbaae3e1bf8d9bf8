//! Pauses between tries. Each is longer than the one before, and they differ between replicas, so that not all of them
//! ask a server at once when it comes back.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, time::Duration};

/// The pauses in a series of tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Creates pauses that double from `first` up to `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, next: first, most }
    }

    /// Returns the next pause: a random share, between half and all, of its full length.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.most);
        self.next = pause.saturating_mul(2);
        pause.mul_f64(0.5 + 0.5 * chance())
    }

    /// Starts again with the first pause, after a try succeeded.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A random number from 0 to 1. The standard library seeds each of its hashers anew.
fn chance() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_most_and_differ() {
        let first = Duration::from_millis(100);
        let most = Duration::from_secs(2);
        let mut backoff = Backoff::new(first, most);
        for expected in [100, 200, 400, 800, 1600, 2000, 2000] {
            let pause = backoff.pause().as_millis();
            assert!((expected / 2..=expected).contains(&pause), "{pause} ms of {expected} ms");
        }
        backoff.reset();
        assert!(backoff.pause() <= first);
        let mut others: Vec<Duration> = (0..20).map(|_| Backoff::new(first, most).pause()).collect();
        others.sort();
        others.dedup();
        assert!(others.len() > 10, "{others:?}");
    }
}
