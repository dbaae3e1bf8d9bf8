//! What signals would have made: money, statistics with their doubt, the ledger of trials and the report.
//!
//! Everything here follows from signals and candles alone. [`money`] turns them into trades and
//! equity, [`statistics`] says what these are worth.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::needless_pass_by_value,
        reason = "tests may panic, and read best with values built in place"
    )
)]

pub mod money;
pub mod statistics;
