//! What is kept, and for how long: the settings, the port, and the leader's task that removes what is older.

pub mod kind;
pub mod pruner;
pub mod runs;
pub mod store;
pub mod task;
pub mod unused;
