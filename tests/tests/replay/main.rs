//! Every stored signal can be made again, byte for byte, in another process and by modules that were replaced since; and
//! where it can't, the reason is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod changed;
mod day;
mod store;
