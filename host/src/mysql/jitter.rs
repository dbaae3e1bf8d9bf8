//! Chance, so that replicas that met do not meet again.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::Duration,
};

/// A number that nobody expects.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// Between half of `pause` and all of it.
pub(super) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + (random() % 1000) as f64 / 2000.0)
}
