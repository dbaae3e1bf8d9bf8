//! Receivers of signals over HTTP, which a file of the operator names.

pub mod format;
pub mod guard;
pub mod lanes;
pub mod receivers;
pub mod sender;
pub mod signature;
pub mod sink;
pub mod sinks;

pub use receivers::{ReceiversError, reader_of};
pub use sink::Sources;
pub use sinks::Webhooks;
