//! What came of one strategy, as the commands show it.

use std::time::Duration;

use serde::Serialize;
use ta_bot_core::Action;
use ta_bot_wasm::{LogLevel, LogLine};

use super::output::{one_line, or_dash, price};
use crate::analysis::{Outcome, millis};

/// What came of one strategy.
#[derive(Debug, Default, Serialize)]
pub(super) struct OutcomeView {
    /// `signal`, `none`, `dropped` or `error`.
    outcome: &'static str,
    action: Option<Action>,
    confidence: Option<f64>,
    price: Option<f64>,
    stop_loss: Option<f64>,
    take_profit: Option<f64>,
    rationale: Option<String>,
    /// Why a decision does not go out.
    drop_reason: Option<&'static str>,
    error: Option<ErrorView>,
    duration_ms: f64,
    log: Vec<LogView>,
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

/// The names of the columns, and which of them hold numbers.
pub(super) const HEADER: [&str; 7] = ["outcome", "confidence", "price", "stop", "target", "ms", "why"];

impl OutcomeView {
    pub(super) fn new(outcome: &Outcome, duration: Duration, log: &[LogLine]) -> Self {
        let log = log.iter().map(|line| LogView { level: level(line.level), message: line.message.clone() });
        Self { duration_ms: millis(duration), log: log.collect(), ..Self::of(outcome) }
    }

    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::None => Self { outcome: "none", ..Self::default() },
            Outcome::Error(error) => {
                let error = ErrorView { code: error.code(), message: error.to_string() };
                Self { outcome: "error", error: Some(error), ..Self::default() }
            }
            Outcome::Dropped(decision, reason) => Self {
                outcome: "dropped",
                action: Some(decision.action),
                confidence: Some(decision.confidence),
                price: decision.price,
                stop_loss: decision.stop_loss,
                take_profit: decision.take_profit,
                rationale: decision.rationale.clone(),
                drop_reason: Some(reason.as_str()),
                ..Self::default()
            },
            Outcome::Signal(signal) => Self {
                outcome: "signal",
                action: Some(signal.action),
                confidence: Some(signal.confidence),
                // The message has what the host filled in.
                price: signal.message["price"].as_f64(),
                stop_loss: signal.message["stop_loss"].as_f64(),
                take_profit: signal.message["take_profit"].as_f64(),
                rationale: signal.message["rationale"].as_str().map(str::to_owned),
                ..Self::default()
            },
        }
    }

    /// The cells under [`HEADER`].
    pub(super) fn cells(&self) -> [String; 7] {
        let outcome = match (self.outcome, self.action) {
            ("dropped", Some(action)) => format!("{}, dropped", action.as_str()),
            (_, Some(action)) => action.as_str().to_owned(),
            (outcome, None) => outcome.to_owned(),
        };
        [
            outcome,
            or_dash(self.confidence, |confidence| format!("{confidence:.2}")),
            or_dash(self.price, price),
            or_dash(self.stop_loss, price),
            or_dash(self.take_profit, price),
            format!("{:.2}", self.duration_ms),
            one_line(&self.why()),
        ]
    }

    fn why(&self) -> String {
        let dropped = self.drop_reason.map(|reason| format!("dropped: {reason}"));
        let error = self.error.as_ref().map(|error| error.message.clone());
        [dropped, error, self.rationale.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
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
    use ta_bot_core::{Decision, DropReason, EvaluationError, Strength};

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
        assert_eq!(cells[..3], ["sell, dropped", "0.50", "100.0000"]);
        assert_eq!(cells[6], "dropped: below_min_confidence; fell far");
    }

    #[test]
    fn an_error_has_its_code() {
        let error = view(&Outcome::Error(EvaluationError::Timeout { limit_ms: 250 }));
        assert_eq!(error.cells()[5], "1.50");
        let json = serde_json::to_value(&error).unwrap();
        assert_eq!((&json["outcome"], &json["error"]["code"]), (&"error".into(), &"timeout".into()));
        assert_eq!(json["action"], serde_json::Value::Null);
    }
}
