//! Signals: where they wait, how they are published, followed and replayed.

pub mod actions;
pub mod bus;
pub mod cursor;
pub mod expiry;
pub mod feed;
pub mod outbox;
pub mod receivers;
pub mod redecision_store;
pub mod relay;
pub mod replay;
pub mod subject;
pub mod verification;
