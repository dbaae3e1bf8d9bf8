//! What came of one strategy, as the commands show it: in JSON under the names that the API uses.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};
use ta_bot_core::{Decision, ExecutionStatus};
use ta_bot_wasm::{LogLevel, LogLine};

use super::output::{one_line, or_dash, price};
use crate::analysis::{Outcome, millis};

/// What came of one strategy.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeView {
    /// `signal`, `none`, `dropped` or `error`.
    outcome: &'static str,
    status: ExecutionStatus,
    /// The message that would go out.
    signal: Option<Json>,
    dropped: Option<DroppedView>,
    error: Option<ErrorView>,
    duration_ms: f64,
    log: Vec<LogView>,
}

/// A decision that does not go out, and why.
#[derive(Debug, Serialize)]
struct DroppedView {
    reason: &'static str,
    decision: Json,
}

#[derive(Debug, Serialize)]
struct ErrorView {
    code: &'static str,
    message: String,
}

#[derive(Debug, Serialize)]
struct LogView {
    level: &'static str,
    message: String,
}

/// The names of the columns.
pub(super) const HEADER: [&str; 7] = ["outcome", "confidence", "price", "stop", "target", "ms", "why"];

impl OutcomeView {
    pub(super) fn new(outcome: &Outcome, duration: Duration, log: &[LogLine]) -> Self {
        let log = log.iter().map(|line| LogView { level: level(line.level), message: line.message.clone() });
        let mut view = Self {
            outcome: "none",
            status: ExecutionStatus::Success,
            signal: None,
            dropped: None,
            error: None,
            duration_ms: millis(duration),
            log: log.collect(),
        };
        match outcome {
            Outcome::None => {}
            Outcome::Signal(signal) => {
                view.outcome = "signal";
                view.signal = Some(signal.message.clone());
            }
            Outcome::Dropped(decision, reason) => {
                view.outcome = "dropped";
                view.dropped = Some(DroppedView { reason: reason.as_str(), decision: json_of(decision) });
            }
            Outcome::Error(error) => {
                view.outcome = "error";
                view.status = error.status();
                view.error = Some(ErrorView { code: error.code(), message: error.to_string() });
            }
        }
        view
    }

    /// The cells under [`HEADER`]. A signal shows what the host filled in.
    pub(super) fn cells(&self) -> [String; 7] {
        let decision = self.signal.as_ref().or(self.dropped.as_ref().map(|dropped| &dropped.decision));
        let decision = decision.unwrap_or(&Json::Null);
        let outcome = match (decision["action"].as_str(), &self.dropped) {
            (Some(action), Some(_)) => format!("{action}, dropped"),
            (Some(action), None) => action.to_owned(),
            (None, _) => self.outcome.to_owned(),
        };
        let number = |name: &str| or_dash(decision[name].as_f64(), price);
        [
            outcome,
            or_dash(decision["confidence"].as_f64(), |confidence| format!("{confidence:.2}")),
            number("price"),
            number("stop_loss"),
            number("take_profit"),
            format!("{:.2}", self.duration_ms),
            one_line(&self.why(decision["rationale"].as_str())),
        ]
    }

    fn why(&self, rationale: Option<&str>) -> String {
        let dropped = self.dropped.as_ref().map(|dropped| format!("dropped: {}", dropped.reason));
        let error = self.error.as_ref().map(|error| error.message.clone());
        [dropped, error, rationale.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
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

const fn level(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "debug",
        LogLevel::Info => "info",
        LogLevel::Warn => "warn",
        LogLevel::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Action, DropReason, EvaluationError, Strength};

    use super::*;

    fn view(outcome: &Outcome) -> OutcomeView {
        OutcomeView::new(outcome, Duration::from_micros(1500), &[])
    }

    #[test]
    fn a_dropped_decision_says_why() {
        let decision = Decision {
            action: Action::Sell,
            confidence: 0.5,
            price: Some(100.0),
            stop_loss: None,
            take_profit: None,
            strength: Strength::Weak,
            rationale: Some("fell\nfar".to_owned()),
            metadata: Vec::new(),
        };
        let dropped = view(&Outcome::Dropped(Box::new(decision), DropReason::BelowMinConfidence));
        let cells = dropped.cells();
        assert_eq!(cells[..4], ["sell, dropped", "0.50", "100.0000", "–"]);
        assert_eq!(cells[6], "dropped: below_min_confidence; fell far");
    }

    #[test]
    fn an_error_has_its_code() {
        let error = view(&Outcome::Error(EvaluationError::Timeout { limit_ms: 250 }));
        assert_eq!(error.cells()[5], "1.50");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!((&json["outcome"], &json["error"]["code"]), (&"error".into(), &"timeout".into()));
        assert_eq!((&json["status"], &json["signal"]), (&"timeout".into(), &Json::Null));
    }
}
