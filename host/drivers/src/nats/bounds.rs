//! The bounds of the streams that are made here.

use std::time::Duration;

use async_nats::jetstream::stream::Config;

/// The bounds of a stream. What is not set stays as it is in a stream that exists, and is unbounded in a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bounds {
    /// How many bytes it may hold.
    pub max_bytes: Option<i64>,
    /// How long a message stays in it.
    pub max_age: Option<Duration>,
    /// On how many servers of a cluster it is.
    pub replicas: Option<usize>,
}

impl Bounds {
    /// Sets in a configuration what is set here.
    pub(crate) const fn apply(&self, config: &mut Config) {
        if let Some(bytes) = self.max_bytes {
            config.max_bytes = bytes;
        }
        if let Some(age) = self.max_age {
            config.max_age = age;
        }
        if let Some(replicas) = self.replicas {
            config.num_replicas = replicas;
        }
    }
}
