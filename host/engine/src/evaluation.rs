//! One strategy on one candle: module, parameters and windows in, an outcome out.
//!
//! Jobs, requests, commands and replays all go through here, so that the same inputs give the same signal whoever asks.

pub mod comparison;
mod inputs;
mod outcome;

pub use inputs::{HOST_VERSION, Inputs, Origin, SeriesKey, WindowRequest, extra_windows, series_of};
pub use outcome::{EvaluationReport, Outcome, SkipReason, StrategyOutcome};
