//! One strategy on one candle: module, parameters and windows in, an outcome out.
//!
//! Jobs, requests, commands and replays all go through here, so the same inputs give the same signal for every caller.

pub mod comparison;
mod gap;
mod inputs;
mod outcome;
mod series;
mod traced;

pub use gap::Gap;
pub use inputs::{FIRST_HOST_VERSION, HOST_VERSION, Inputs, Origin};
pub use outcome::{EvaluationReport, Outcome, SkipReason, StrategyOutcome};
pub use series::{SeriesKey, WindowRequest, extra_windows, series_of};

#[cfg(test)]
mod tests;
