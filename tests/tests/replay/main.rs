//! Every stored signal can be made again, byte for byte, in another process and by modules that have been replaced
//! since. If it can't, the reason is reported.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod changed;
mod day;
mod kept;
mod store;
