//! Which module decides for a strategy, and what a different one would change.

pub mod impact;
pub mod log;
pub mod rollout;
pub mod shadow;
pub mod shadow_store;
