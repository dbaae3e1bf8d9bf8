//! Strategies at work: what they fail on, what they cost, and what follows.
pub mod budget;
pub mod costs;
pub mod failure;
pub mod ledger;
pub mod recorder;
pub mod watch;
