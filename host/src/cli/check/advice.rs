//! What an author can do about a module that is not fit to run.

use ta_bot_core::EvaluationError;
use ta_bot_engine::{
    evaluation::Outcome,
    modules::admission::{Check, CheckOutcome},
};

use super::is_defect;

/// Why the outcome of the evaluation makes a module unfit, if it does.
pub(super) fn of_outcome(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Dropped(_, reason) if is_defect(*reason) => Some(format!(
            "the service drops this decision ({}): a price is above zero, a stop lies on the losing side of it and a \
             target on the winning side",
            reason.as_str()
        )),
        Outcome::Signal(_) | Outcome::None | Outcome::Skipped(_) | Outcome::Gap(_) | Outcome::Dropped(..) => None,
        Outcome::Error(error) => Some(format!("{error}. {}", of_evaluation(error))),
    }
}

/// Why a check of admission makes a module unfit, if it does.
pub(super) fn of_check(check: &Check) -> Option<String> {
    let name = check.name;
    match &check.outcome {
        CheckOutcome::Passed { .. } | CheckOutcome::NotApplicable { .. } => None,
        CheckOutcome::Failed { problem, example } => {
            let example = example.as_ref().map(|example| {
                let expected = example.expected.as_ref().map(|expected| format!(" where {expected} was expected"));
                format!(" (on {}: {}{})", example.at, example.answered, expected.unwrap_or_default())
            });
            Some(format!("the check {name} failed: {problem}{}", example.unwrap_or_default()))
        }
        CheckOutcome::Unfinished { reason } => Some(format!(
            "the check {name} could not be made, which says nothing about the strategy: {reason}. Try again."
        )),
    }
}

const fn of_evaluation(error: &EvaluationError) -> &'static str {
    match error {
        EvaluationError::InsufficientData { .. } => "Let describe() ask for as many candles as evaluate() needs.",
        EvaluationError::InvalidParameters(_) => "Let the defaults in describe() be ones that evaluate() accepts.",
        EvaluationError::Failed(_) => {
            "These candles are sound, so the strategy has to answer, or say that it has no signal."
        }
        EvaluationError::InvalidDecision(_) => "Correct what evaluate() answers.",
        EvaluationError::Trap(_) => "The code has a fault that stops it; its last words are in the log.",
        EvaluationError::Timeout { ran_ms: Some(_), .. } => {
            "This says nothing about the strategy: try again when the machine is less busy."
        }
        EvaluationError::Timeout { ran_ms: None, .. } => {
            "Make it faster, ask for fewer candles, or raise STRATEGY_TIMEOUT_MS."
        }
        EvaluationError::NoRoom(_) => "This says nothing about the strategy: try again.",
        EvaluationError::Limit(_) => "Let it use less, or raise STRATEGY_MEMORY_MB where it is memory.",
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Action, Decision, DropReason, Strength};

    use super::*;

    fn dropped(reason: DropReason) -> Option<String> {
        let decision = Decision {
            action: Action::Buy,
            confidence: 0.9,
            price: None,
            stop_loss: None,
            take_profit: None,
            strength: Strength::Medium,
            rationale: None,
            metadata: Vec::new(),
        };
        of_outcome(&Outcome::Dropped(Box::new(decision), reason))
    }

    #[test]
    fn only_what_no_setting_can_mend_is_a_defect() {
        assert_eq!(dropped(DropReason::BelowMinConfidence), None);
        assert!(dropped(DropReason::StopLossWrong).unwrap().contains("losing side"));
        let slow = of_outcome(&Outcome::Error(EvaluationError::Timeout { limit_ms: 250, ran_ms: None })).unwrap();
        assert!(slow.contains("STRATEGY_TIMEOUT_MS"), "{slow}");
        let starved = Outcome::Error(EvaluationError::Timeout { limit_ms: 250, ran_ms: Some(3) });
        assert!(of_outcome(&starved).unwrap().contains("try again"));
    }
}
