//! Code that all other modules use.

pub mod abilities;
pub mod backoff;
pub mod checkup;
pub(crate) mod freshness;
pub mod log_limit;
pub mod metrics;
pub mod room;
pub mod schema;
pub mod store_error;
pub mod traces;
pub(crate) mod whole_file;
