//! Pauses between tries: longer each time, and never the same for two replicas, so that a server that comes back is not
//! asked by all of them at once.

use std::{collections::hash_map::RandomState, hash::BuildHasher as _, time::Duration};

/// The pauses of one row of tries.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    next: Duration,
    most: Duration,
}

impl Backoff {
    /// Pauses that double from `first` up to `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self { first, next: first, most }
    }

    /// The next pause: between half and all of what it may be.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next.min(self.most);
        self.next = pause.saturating_mul(2);
        pause.mul_f64(0.5 + 0.5 * chance())
    }

    /// A try succeeded: the next row of tries begins with the first pause again.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A number from 0 to 1 by chance: the standard library seeds each of its hashers anew.
fn chance() -> f64 {
    (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_most_and_differ() {
        let (first, most) = (Duration::from_millis(100), Duration::from_secs(2));
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
