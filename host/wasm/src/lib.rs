//! The sandbox: loads a strategy from a component's bytes, and evaluates it under limits.
//!
//! A guest is not trusted. It gets its candles, its parameters and a log. Its clock shows the candle's close, its
//! random numbers come from the job, and its time, memory and output are limited. Each evaluation has its own instance,
//! so nothing that a guest does outlives its answer. Whatever a guest does wrong is an
//! [`EvaluationError`](ta_bot_core::EvaluationError) of that guest, never of the host.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly"))]

mod bindings;
mod child;
mod compile;
mod convert;
mod engine;
mod evaluate;
mod fault;
mod guest;
mod inspect;
mod limits;
mod module;
mod virtual_wasi;

pub use child::{Children, SUBCOMMAND};
pub use compile::{CompileCost, CompiledFile, PrecompileError, Precompiled, PrecompiledError};
pub use engine::{PageScan, Sandbox, SandboxError};
pub use evaluate::{Evaluation, EvaluationInput, ReusedInstance, Usage};
pub use guest::{LogLevel, LogLine};
pub use inspect::{InspectError, Inspection, LARGEST_MODULE, Names, Part, Parts, WIT_VERSIONS, inspect};
pub use limits::{Limits, memory_in_use, memory_limit, processor_limit};
pub use module::{LoadError, StrategyModule, WIT_VERSION, attempt, load_and_attempt, serve_child, with_room};
