//! One rule at every door: the same bad input is refused for the same reason, in the same words, wherever it comes in,
//! and makes a hole, never a price.
//!
//! | door | test |
//! |---|---|
//! | import of a file | `imported` |
//! | reading SQLite, reading MySQL | `read` |
//! | a job after an announcement, the same after a restart | `running` |
//! | an analysis on request, by HTTP and by the command | `running` |
//! | impact of a module | `running` |
//! | replay of a signal whose candles were spoilt | `running` |
//! | all doors that read numbers, at random | `at_random` |
//!
//! Admission is no door: it evaluates a module on made-up candles, and reads none that are stored.

mod at_random;
mod cases;
mod imported;
mod read;
mod running;
mod service;
mod tables;
