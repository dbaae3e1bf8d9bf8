//! Supervision of running strategies: what they fail on, what they cost, and what the host does about it.

pub mod budget;
pub mod costs;
pub mod failure;
pub mod ladders;
pub mod ledger;
pub mod recorder;
pub mod watch;
