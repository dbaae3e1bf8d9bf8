//! One strategy on one candle: module, parameters and windows in, an outcome out.
//!
//! Jobs, requests, commands and replays all go through here, so the same inputs give the same signal for every caller.

pub mod comparison;
mod inputs;
mod outcome;

pub use inputs::{HOST_VERSION, Inputs, Origin, SeriesKey, WindowRequest, extra_windows, series_of};
pub use outcome::{EvaluationReport, Outcome, SkipReason, StrategyOutcome};

#[cfg(test)]
mod tests;
