//! The path from a closed candle to a committed job.

pub mod analysis;
pub mod election;
pub mod job_queue;
pub mod leadership;
pub mod probes;
pub mod repair;
pub mod schedule;
pub mod surroundings;
pub mod verdict;
pub mod worker;
