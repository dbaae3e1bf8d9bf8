//! An analysis in words.

use serde::Serialize;
use serde_json::{Value, json};
use ta_bot_core::{Decision, DropReason, ExecutionStatus};
use ta_bot_wasm::{LogLevel, LogLine};
use utoipa::ToSchema;

use super::publish::Published;
use crate::analysis::{Analysis, Outcome, StrategyOutcome, millis};

/// What came of a candle.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnalysisView {
    symbol: String,
    timeframe: String,
    /// When the candle closed.
    candle_close: String,
    /// How many candles were read.
    candles: usize,
    /// Reading included.
    duration_ms: f64,
    /// How many strategies gave a signal.
    signals: usize,
    /// Each enabled strategy that runs on this timeframe, by id.
    strategies: Vec<OutcomeView>,
    /// Null unless `publish` was asked for.
    published: Option<Published>,
}

/// What came of one strategy.
#[derive(Debug, Serialize, ToSchema)]
struct OutcomeView {
    strategy: String,
    /// SHA-256 of the module.
    digest: String,
    /// `signal`, `none`, `dropped` or `error`.
    outcome: &'static str,
    /// As the metrics count it: `success`, `error`, `trap`, `timeout` or `limit`.
    status: &'static str,
    /// The message; null unless the outcome is a signal.
    #[schema(value_type = Option<Object>)]
    signal: Option<Value>,
    /// A decision that does not go out; null unless the outcome is `dropped`.
    dropped: Option<DroppedView>,
    /// Null unless the outcome is an error.
    error: Option<EvaluationErrorView>,
    duration_ms: f64,
    /// What the strategy logged.
    log: Vec<LogView>,
}

/// A decision that does not go out.
#[derive(Debug, Serialize, ToSchema)]
struct DroppedView {
    /// Such as `below_min_confidence`.
    reason: &'static str,
    #[schema(value_type = Object)]
    decision: Value,
}

/// Why a strategy gave no answer.
#[derive(Debug, Serialize, ToSchema)]
struct EvaluationErrorView {
    code: &'static str,
    message: String,
}

/// A line of a strategy's log.
#[derive(Debug, Serialize, ToSchema)]
struct LogView {
    level: &'static str,
    message: String,
}

impl AnalysisView {
    pub(super) fn new(analysis: &Analysis, published: Option<Published>) -> Self {
        Self {
            symbol: analysis.job.symbol.to_string(),
            timeframe: analysis.job.timeframe.as_str().to_owned(),
            candle_close: analysis.job.candle_close.to_string(),
            candles: analysis.candles,
            duration_ms: millis(analysis.duration),
            signals: analysis.signals().count(),
            strategies: analysis.outcomes.iter().map(outcome).collect(),
            published,
        }
    }
}

fn outcome(outcome: &StrategyOutcome) -> OutcomeView {
    let mut view = OutcomeView {
        strategy: outcome.strategy.to_string(),
        digest: outcome.digest.to_string(),
        outcome: "none",
        status: ExecutionStatus::Success.as_str(),
        signal: None,
        dropped: None,
        error: None,
        duration_ms: millis(outcome.duration),
        log: outcome.log.iter().map(line).collect(),
    };
    match &outcome.outcome {
        Outcome::None => {}
        Outcome::Signal(signal) => {
            view.outcome = "signal";
            view.signal = Some(signal.message.clone());
        }
        Outcome::Dropped(decision, reason) => {
            view.outcome = "dropped";
            view.dropped = Some(dropped(decision, *reason));
        }
        Outcome::Error(error) => {
            view.outcome = "error";
            view.status = error.status().as_str();
            view.error = Some(EvaluationErrorView { code: error.code(), message: error.to_string() });
        }
    }
    view
}

fn dropped(decision: &Decision, reason: DropReason) -> DroppedView {
    let Decision { action, confidence, price, stop_loss, take_profit, strength, rationale, .. } = decision;
    let decision = json!({
        "action": action,
        "confidence": confidence,
        "price": price,
        "stop_loss": stop_loss,
        "take_profit": take_profit,
        "strength": strength,
        "rationale": rationale,
    });
    DroppedView { reason: reason.as_str(), decision }
}

fn line(line: &LogLine) -> LogView {
    let level = match line.level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    };
    LogView { level, message: line.message.clone() }
}
