//! Work shared by threads, for benchmarks.

use std::time::{Duration, Instant};

/// How long `threads` threads take for `rounds` rounds in which each of them does its share.
pub fn shared(rounds: u64, threads: usize, share: &(impl Fn() + Sync)) -> Duration {
    let started = Instant::now();
    for _ in 0..rounds {
        std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(share))));
    }
    started.elapsed()
}
