//! Chance that is determined by a seed, so that a failed run can be repeated.

use std::{env, time::Duration};

/// A generator of pseudo-random numbers from a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The chance of a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `end`.
    ///
    /// # Panics
    ///
    /// If `end` is 0.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of milliseconds in a range.
    pub const fn millis(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most - least + 1))
    }
}

/// The seeds of a storm: those in `STORM_SEEDS` (such as `7,11`), else the first `STORM_COUNT`, else the first `count`.
///
/// # Panics
///
/// If a variable is no number.
#[allow(clippy::expect_used, reason = "a test may fail loudly")]
pub fn seeds(count: u64) -> Vec<u64> {
    if let Ok(seeds) = env::var("STORM_SEEDS") {
        return seeds.split(',').map(|seed| seed.trim().parse().expect("STORM_SEEDS is a list of numbers")).collect();
    }
    let count = env::var("STORM_COUNT").map_or(count, |count| count.parse().expect("STORM_COUNT is a number"));
    (1..=count).collect()
}
