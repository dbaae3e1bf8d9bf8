//! Signals: where they wait, how they are published, and how they are replayed.

pub mod actions;
pub mod bus;
pub mod expiry;
pub mod outbox;
pub mod redecision_store;
pub mod relay;
pub mod replay;
pub mod subject;
pub mod verification;
