//! Strategies over the past: the live evaluation again, what its signals would have made, and how far to trust it.
//!
//! [`run`] evaluates modules as the service does, and [`trading`] takes its signals to the market. Everything else
//! follows from signals and candles alone: [`money`] turns them into trades and equity, [`statistics`] says what these
//! are worth, [`report`] shows both. [`ledger`] remembers every try.

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

pub mod ledger;
pub mod money;
pub mod report;
pub mod run;
pub mod statistics;
pub mod trading;
