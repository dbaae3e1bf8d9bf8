//! The domain types and rules of TA Bot, free of any runtime, database or sandbox.
//!
//! Everything here is a value or a pure function of values, so the code that makes trading decisions can be read and
//! tested without starting anything. The surrounding crates fetch, run and store; they decide nothing.

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

mod candle;
mod decision;
mod deployment;
mod digest;
mod job;
mod ladder;
mod parameters;
mod resolved;
mod risk;
mod seed;
mod series;
mod settings;
mod signal;
mod strategy;
mod switch;
mod symbol;
mod timeframe;
mod timestamp;
mod transition;
mod words;

pub use candle::{
    Candle, CandleError, CandleRow, CandleSlice, CandleSources, CandleSourcesError, CandleWindow, ClosedCandles,
    DerivedCandles, DerivedInput, Hole, RefusedCandle, RowProblem, WindowError, WindowHoles, closed_candles, derived,
    gathered, parts_of,
};
pub use decision::{
    Action, Decision, EvaluationError, ExecutionStatus, MAX_RATIONALE, MAX_READING_NAME, MAX_READING_TEXT,
    MAX_READINGS, Strength, UnknownAction, readings_fit,
};
pub use deployment::{
    DeployedLevel, Deployment, DeploymentAction, DeploymentChange, DeploymentEntry, DeploymentLog, LevelOfLog,
    LevelParameters, LevelsOfLog, Promotion, RequestedLevels, Shadow, Shadowing, requested_levels,
};
pub use digest::{Digest, FailureId, ModuleDigest, ParameterHash, RevisionId, WindowHash};
pub use job::{CandleEvent, EventError, Job};
pub use ladder::{Ladder, Step, Thresholds};
pub use parameters::{
    ENABLED, ParameterProblem, ParameterSchema, ParameterSpec, Parameters, ProblemKind, Value, ValueKind, in_short,
};
pub use resolved::{Level, ParameterLevels, ResolvedParameters};
pub use risk::{RiskLevels, default_levels};
pub use seed::SeedLeft;
pub use series::{Series, SeriesError};
pub use settings::{ApplicationSettings, Enabled, SettingProblem, SettingsPatch};
pub use signal::{
    DropReason, Evaluated, MessageForm, MessageRules, MessageTexts, Provenance, Signal, SignalId, SignalIdError,
    SignalTimestamp, SignalTimestampError,
};
pub use strategy::{
    Columns, DescriptionError, ExtraInput, InputSymbol, InputTimeframe, MAX_LOOKBACK, StrategyDescription, StrategyId,
    StrategyIdError,
};
pub use switch::{Switch, SwitchState, Switches, split_switch};
pub use symbol::{Symbol, SymbolError};
pub use timeframe::{Timeframe, TimeframeError};
pub use timestamp::{Timestamp, TimestampError, millis};
pub use transition::{Admission, DeploymentRequest, Known, TransitionError};
pub use words::{cut, visible, visible_json, visible_lines};
