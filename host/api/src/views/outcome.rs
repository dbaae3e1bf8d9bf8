//! The JSON view of one strategy's outcome, for the API and the commands.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use ta_bot_core::{Decision, EvaluationError, ExecutionStatus, WindowHoles};
use ta_bot_wasm::LogLine;
use utoipa::ToSchema;

use ta_bot_core::millis;
use ta_bot_engine::evaluation::{Outcome, SkipReason};

use super::window::HolesView;

/// The outcome of one strategy.
#[derive(Debug, Serialize, ToSchema)]
pub struct OutcomeView {
    /// `signal`, `none`, `dropped`, `paused` (an operator paused the strategy), `skipped` (it was not run for another
    /// reason), `gap` (it could not be asked, because candles are missing that should be there) or `error`.
    pub outcome: &'static str,
    /// The status in the metrics: `success`, `error`, `trap`, `timeout`, `limit`, `gap` or `misconfigured`.
    status: &'static str,
    /// The signal's message; null unless the outcome is `signal`.
    #[schema(value_type = Option<Object>)]
    pub signal: Option<Json>,
    /// The decision that is not sent; null unless the outcome is `dropped`.
    pub dropped: Option<DroppedView>,
    /// Why there is no answer; null unless the outcome is `paused`, `skipped` or `gap`, or `none` because there are too
    /// few candles.
    pub reason: Option<WhyView>,
    /// The error; null unless the outcome is `error`.
    pub error: Option<WhyView>,
    /// The holes of the strategy's windows, for each window that has some.
    pub holes: Vec<HolesView>,
    pub duration_ms: f64,
    /// What the strategy logged.
    log: Vec<LogView>,
}

/// A decision that is not sent.
#[derive(Debug, Serialize, ToSchema)]
pub struct DroppedView {
    /// The reason, such as `below_min_confidence`.
    pub reason: &'static str,
    #[schema(value_type = Object)]
    pub decision: Json,
}

/// Why a strategy gave no answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct WhyView {
    /// A stable code for programs.
    code: &'static str,
    pub message: String,
}

/// A line of a strategy's log.
#[derive(Debug, Serialize, ToSchema)]
struct LogView {
    level: &'static str,
    message: String,
}

impl OutcomeView {
    pub fn new(outcome: &Outcome, holes: &[WindowHoles], duration: Duration, log: &[LogLine]) -> Self {
        let mut view = Self {
            outcome: "none",
            status: ExecutionStatus::Success.as_str(),
            signal: None,
            dropped: None,
            reason: None,
            error: None,
            holes: holes.iter().map(HolesView::from).collect(),
            duration_ms: millis(duration),
            log: log.iter().map(line).collect(),
        };
        match outcome {
            Outcome::None => {}
            Outcome::Skipped(reason) => {
                view.outcome = if matches!(reason, SkipReason::Paused(_)) { "paused" } else { "skipped" };
                view.reason = Some(WhyView { code: reason.code(), message: reason.to_string() });
            }
            Outcome::Gap(gap) => {
                view.outcome = "gap";
                view.status = ExecutionStatus::Gap.as_str();
                view.reason = Some(WhyView { code: gap.code(), message: gap.to_string() });
            }
            Outcome::Signal(signal) => {
                view.outcome = "signal";
                view.signal = Some(signal.message.clone());
            }
            Outcome::Dropped(decision, reason) => {
                view.outcome = "dropped";
                view.dropped = Some(DroppedView { reason: reason.as_str(), decision: json_of(decision) });
            }
            // There are too few candles yet, which is not an error.
            Outcome::Error(error @ EvaluationError::InsufficientData { .. }) => view.reason = Some(why(error)),
            Outcome::Error(error) => {
                view.outcome = "error";
                view.status = error.status().as_str();
                view.error = Some(why(error));
            }
        }
        view
    }
}

impl OutcomeView {
    /// The outcome in one line: its kind and the reason.
    pub fn in_words(&self) -> String {
        match (&self.error, &self.reason, &self.dropped) {
            (Some(why), ..) | (None, Some(why), _) => format!("{}: {}", why.code, why.message),
            (None, None, Some(dropped)) => format!("{}: {}", self.outcome, dropped.reason),
            (None, None, None) => self.outcome.to_owned(),
        }
    }

    /// What the strategy logged, as level and message.
    pub fn log(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.log.iter().map(|line| (line.level, line.message.as_str()))
    }
}

fn why(error: &EvaluationError) -> WhyView {
    WhyView { code: error.code(), message: error.to_string() }
}

fn json_of(decision: &Decision) -> Json {
    let Decision { action, confidence, price, stop_loss, take_profit, strength, rationale, .. } = decision;
    json!({
        "action": action,
        "confidence": confidence,
        "price": price,
        "stop_loss": stop_loss,
        "take_profit": take_profit,
        "strength": strength,
        "rationale": rationale,
    })
}

fn line(line: &LogLine) -> LogView {
    LogView { level: line.level.as_str(), message: line.message.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(error: EvaluationError) -> Json {
        let view = OutcomeView::new(&Outcome::Error(error), &[], Duration::from_micros(1500), &[]);
        serde_json::to_value(&view).unwrap()
    }

    #[test]
    fn an_error_has_its_code() {
        let json = json(EvaluationError::Timeout { limit_ms: 250, ran_ms: None });
        assert_eq!((&json["outcome"], &json["error"]["code"]), (&"error".into(), &"timeout".into()));
        assert_eq!((&json["status"], &json["signal"], &json["reason"]), (&"timeout".into(), &Json::Null, &Json::Null));
        assert_eq!(json["duration_ms"], 1.5);
    }

    #[test]
    fn a_young_market_is_no_error() {
        let json = json(EvaluationError::InsufficientData { needed: 16, given: 5 });
        assert_eq!(
            (&json["outcome"], &json["status"], &json["error"]),
            (&"none".into(), &"success".into(), &Json::Null)
        );
        let why = json!({"code": "insufficient_data", "message": "needs 16 candles, 5 are there"});
        assert_eq!(json["reason"], why);
    }
}
