//! The outcome of one strategy as a row of a table.

use serde_json::Value as Json;
use ta_bot_api::views::outcome::OutcomeView;

use super::output::{one_line, or_dash, price};

/// The names of the columns.
pub(super) const HEADER: [&str; 7] = ["outcome", "confidence", "price", "stop", "target", "ms", "why"];

/// The cells under [`HEADER`]. For a signal they include what the host filled in.
pub(super) fn cells(view: &OutcomeView) -> [String; 7] {
    let decision = view.signal.as_ref().or(view.dropped.as_ref().map(|dropped| &dropped.decision));
    let decision = decision.unwrap_or(&Json::Null);
    let outcome = match (decision["action"].as_str(), &view.dropped) {
        (Some(action), Some(_)) => format!("{action}, dropped"),
        (Some(action), None) => action.to_owned(),
        (None, _) => view.outcome.to_owned(),
    };
    let number = |name: &str| or_dash(decision[name].as_f64(), price);
    [
        outcome,
        or_dash(decision["confidence"].as_f64(), |confidence| format!("{confidence:.2}")),
        number("price"),
        number("stop_loss"),
        number("take_profit"),
        format!("{:.2}", view.duration_ms),
        one_line(&why(view, decision["rationale"].as_str())),
    ]
}

fn why(view: &OutcomeView, rationale: Option<&str>) -> String {
    let dropped = view.dropped.as_ref().map(|dropped| format!("dropped: {}", dropped.reason));
    let [reason, error] = [&view.reason, &view.error].map(|why| why.as_ref().map(|why| why.message.clone()));
    [dropped, reason, error, rationale.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ta_bot_core::{Action, Decision, DropReason, EvaluationError, Strength};
    use ta_bot_engine::evaluation::Outcome;

    use super::*;

    fn of(outcome: &Outcome) -> [String; 7] {
        cells(&OutcomeView::new(outcome, &[], Duration::from_micros(1500), &[]))
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
        let cells = of(&Outcome::Dropped(Box::new(decision), DropReason::BelowMinConfidence));
        assert_eq!(cells[..4], ["sell, dropped", "0.50", "100.0000", "–"]);
        assert_eq!(cells[6], "dropped: below_min_confidence; fell far");
    }

    #[test]
    fn no_answer_says_why() {
        let late = of(&Outcome::Error(EvaluationError::Timeout { limit_ms: 250, ran_ms: None }));
        assert_eq!((late[0].as_str(), late[5].as_str()), ("error", "1.50"));
        let young = of(&Outcome::Error(EvaluationError::InsufficientData { needed: 16, given: 5 }));
        assert_eq!((young[0].as_str(), young[6].as_str()), ("none", "needs 16 candles, 5 are there"));
    }
}
