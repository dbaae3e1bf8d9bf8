//! Signals: where they wait, how they go out, and how they are made again.
pub mod bus;
pub mod outbox;
pub mod relay;
pub mod replay;
