//! What is believed of candles: those that are unfinished, missing, late, corrected or bad, at every door, and all of
//! that together in a storm.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod derived;
mod dirty_storm;
mod doors;
mod late;
mod repairs;
mod revisions;
mod unfinished;
