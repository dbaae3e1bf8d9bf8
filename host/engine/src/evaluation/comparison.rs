//! What another module would have changed on one candle: two outcomes, compared by what would go out.
//!
//! A signal names the module and the parameters that made it. Two modules can't agree in that, so it is left out of
//! the comparison. Everything else in the message counts, including readings and words.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use ta_bot_core::{EvaluationError, Signal, in_short};
use thiserror::Error;

use crate::evaluation::Outcome;

/// The fields that identify a signal or say where it comes from, and its metadata, which are compared separately.
const BESIDE_METADATA: [&str; 4] = ["signal_id", "intent_id", "_otel_trace_headers", "metadata"];
/// The fields of the metadata that say where a signal comes from.
const ORIGIN: [&str; 2] = ["provenance", "strategy_config"];
/// The fields of a signal that are reported if two signals differ. The strategy's own metadata is added to them.
const TOLD: [&str; 7] = ["action", "confidence", "strength", "price", "stop_loss", "take_profit", "rationale"];

/// What the candidate would have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// Nothing.
    Agree,
    /// Only the candidate signals.
    Added,
    /// Only the incumbent signals.
    Missed,
    /// Both signal, but not the same.
    Changed,
    /// The candidate gave no answer.
    Failed,
}

/// The error for a word that is not a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no comparison: there are agree, added, missed, changed and failed")]
pub struct ComparisonError(String);

impl Comparison {
    /// All comparisons.
    pub const ALL: [Self; 5] = [Self::Agree, Self::Added, Self::Missed, Self::Changed, Self::Failed];
    /// The comparisons that are differences.
    pub const DIFFERENT: [Self; 4] = [Self::Added, Self::Missed, Self::Changed, Self::Failed];

    /// Compares two outcomes of one candle; `None` if one of the modules did not look, for lack of room or because it
    /// was skipped. An outcome that does not go out is no signal, whatever the reason.
    pub fn of(incumbent: &Outcome, candidate: &Outcome) -> Option<Self> {
        Some(match (incumbent, candidate) {
            (_, Outcome::Error(EvaluationError::NoRoom(_))) | (Outcome::Error(EvaluationError::NoRoom(_)), _) => {
                return None;
            }
            (Outcome::Skipped(_), _) | (_, Outcome::Skipped(_)) => return None,
            // A young market is not a failure.
            (_, Outcome::Error(error)) if !matches!(error, EvaluationError::InsufficientData { .. }) => Self::Failed,
            (Outcome::Signal(one), Outcome::Signal(other)) if are_the_same(&one.message, &other.message) => Self::Agree,
            (Outcome::Signal(_), Outcome::Signal(_)) => Self::Changed,
            (Outcome::Signal(_), _) => Self::Missed,
            (_, Outcome::Signal(_)) => Self::Added,
            _ => Self::Agree,
        })
    }

    /// The word in responses, metrics and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Added => "added",
            Self::Missed => "missed",
            Self::Changed => "changed",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Comparison {
    type Err = ComparisonError;

    fn from_str(word: &str) -> Result<Self, ComparisonError> {
        let found = Self::ALL.into_iter().find(|comparison| comparison.as_str() == word);
        found.ok_or_else(|| ComparisonError(word.chars().take(80).collect()))
    }
}

/// Whether two messages say the same, apart from who says it.
fn are_the_same(one: &Json, other: &Json) -> bool {
    let metadata = |message| content(Json::get(message, "metadata"), &ORIGIN);
    let rest = |message| content(Some(message), &BESIDE_METADATA);
    metadata(one) == metadata(other) && rest(one) == rest(other)
}

/// The fields of an object except those in `without`, sorted by name.
fn content<'a>(of: Option<&'a Json>, without: &[&str]) -> BTreeMap<&'a String, &'a Json> {
    let fields = of.and_then(Json::as_object).into_iter().flatten();
    fields.filter(|(name, _)| !without.contains(&name.as_str())).collect()
}

/// An outcome in brief, for a list of differences. Its size is bounded, whatever the strategy says.
pub fn brief(outcome: &Outcome) -> Json {
    match outcome {
        Outcome::Signal(signal) => json!({"outcome": "signal", "signal": brief_signal(signal)}),
        Outcome::Dropped(_, reason) => json!({"outcome": "dropped", "reason": reason.as_str()}),
        Outcome::Error(error @ EvaluationError::InsufficientData { .. }) => {
            json!({"outcome": "none", "reason": error.code()})
        }
        Outcome::Gap(gap) => json!({"outcome": "gap", "reason": gap.code()}),
        Outcome::Error(error) => {
            json!({"outcome": "error", "code": error.code(), "message": in_short(&Json::String(error.to_string()))})
        }
        _ => json!({"outcome": "none"}),
    }
}

fn brief_signal(signal: &Signal) -> Json {
    said(signal).into_iter().map(|(name, value)| (name, in_short(&value))).collect::<Map<_, _>>().into()
}

/// What a signal says, and nothing of where it comes from: action, confidence, strength, prices, rationale, and the
/// strategy's own `metadata`. Two modules that decide alike say the same.
pub fn said(signal: &Signal) -> Map<String, Json> {
    let told = TOLD.iter().map(|name| ((*name).to_owned(), signal.message[*name].clone()));
    let metadata = content(signal.message.get("metadata"), &ORIGIN);
    told.chain([("metadata".to_owned(), json!(metadata))]).collect()
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{
        Action, DropReason, Job, ModuleDigest, Provenance, SignalId, SignalTimestamp, Strength, Timeframe, Timestamp,
    };

    use super::*;

    fn job() -> Job {
        let candle_close = Timestamp::from_millis(1_767_225_600_000);
        Job { symbol: "BTCUSDT".parse().unwrap(), timeframe: Timeframe::M15, candle_close }
    }

    /// The same decision, made by another module with other parameters for each `module`, with some of its fields
    /// changed.
    fn signal(module: u8, changed: &[(&str, Json)]) -> Outcome {
        let digest = ModuleDigest::of(&[module]);
        let strategy = "rsi".parse().unwrap();
        let parameters = ta_bot_core::Digest::of(&[module]);
        let id = SignalId::of(&strategy, digest, parameters, &job());
        let provenance = Provenance {
            module_digest: digest.to_string(),
            wit_version: "1.0.0".to_owned(),
            parameter_version: i64::from(module),
            parameter_hash: parameters.to_string(),
            window_hash: "00".to_owned(),
            candle_close: 1,
            host_version: "1".to_owned(),
            derived_candles: Vec::new(),
            holes: Vec::new(),
        };
        let mut message = json!({
            "action": "buy", "confidence": 0.7, "price": 10.0, "stop_loss": 9.0, "take_profit": 12.0,
            "strength": "medium", "rationale": "why", "indicators": {"rsi": 28.5},
            "signal_id": id.as_str(), "intent_id": &id.as_str()[..32], "_otel_trace_headers": {"traceparent": module},
            "metadata": {"rsi": 28.5, "provenance": provenance, "strategy_config": {"version": module}},
        });
        for (pointer, value) in changed {
            *message.pointer_mut(pointer).unwrap() = value.clone();
        }
        Outcome::Signal(Box::new(Signal {
            id,
            job: job(),
            strategy,
            action: Action::Buy,
            confidence: 0.7,
            provenance,
            timestamp: SignalTimestamp::default(),
            is_withheld: false,
            message,
        }))
    }

    fn dropped() -> Outcome {
        let decision = ta_bot_core::Decision {
            action: Action::Buy,
            confidence: 0.1,
            price: None,
            stop_loss: None,
            take_profit: None,
            strength: Strength::Weak,
            rationale: None,
            metadata: Vec::new(),
        };
        Outcome::Dropped(Box::new(decision), DropReason::BelowMinConfidence)
    }

    fn of(incumbent: &Outcome, candidate: &Outcome) -> Option<Comparison> {
        Comparison::of(incumbent, candidate)
    }

    #[test]
    fn what_goes_out_is_compared_and_not_who_says_it() {
        assert_eq!(of(&signal(1, &[]), &signal(2, &[])), Some(Comparison::Agree));
        for (pointer, value) in [
            ("/action", json!("sell")),
            ("/confidence", json!(0.700_000_1)),
            ("/stop_loss", json!(9.1)),
            ("/take_profit", Json::Null),
            ("/strength", json!("weak")),
            ("/rationale", json!("another")),
            ("/indicators/rsi", json!(28.6)),
            ("/metadata/rsi", json!(28.6)),
        ] {
            let changed = signal(2, &[(pointer, value)]);
            assert_eq!(of(&signal(1, &[]), &changed), Some(Comparison::Changed), "{pointer}");
            assert_eq!(of(&changed, &signal(1, &[])), Some(Comparison::Changed), "{pointer}");
        }
    }

    #[test]
    fn what_does_not_go_out_is_no_signal() {
        let young = || Outcome::Error(EvaluationError::InsufficientData { needed: 5, given: 1 });
        for silent in [Outcome::None, dropped(), young()] {
            assert_eq!(of(&silent, &signal(2, &[])), Some(Comparison::Added), "{silent:?}");
            assert_eq!(of(&signal(1, &[]), &silent), Some(Comparison::Missed), "{silent:?}");
            for other in [Outcome::None, dropped(), young()] {
                assert_eq!(of(&silent, &other), Some(Comparison::Agree), "{silent:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_failure_is_the_candidate_s_alone() {
        let trap = || Outcome::Error(EvaluationError::Trap("unreachable".to_owned()));
        for incumbent in [Outcome::None, signal(1, &[]), trap()] {
            assert_eq!(of(&incumbent, &trap()), Some(Comparison::Failed));
            let no_room = Outcome::Error(EvaluationError::NoRoom(String::new()));
            assert_eq!((of(&incumbent, &no_room), of(&no_room, &incumbent)), (None, None));
        }
        assert_eq!(of(&trap(), &Outcome::None), Some(Comparison::Agree));
        assert_eq!(of(&trap(), &signal(2, &[])), Some(Comparison::Added));
    }

    #[test]
    fn a_brief_is_short_and_names_no_module() {
        let long = signal(1, &[("/rationale", json!("x".repeat(100_000))), ("/metadata/rsi", json!("y".repeat(9000)))]);
        let text = brief(&long).to_string();
        assert!(text.len() < 1500 && !text.contains("provenance") && !text.contains("signal_id"), "{text}");
        assert_eq!(brief(&signal(1, &[])), brief(&signal(2, &[])));
        assert_eq!(brief(&signal(1, &[]))["signal"]["metadata"], json!({"rsi": 28.5}));
        assert_eq!(brief(&dropped()), json!({"outcome": "dropped", "reason": "below_min_confidence"}));
        let failed = brief(&Outcome::Error(EvaluationError::Trap("z".repeat(5000))));
        assert_eq!((&failed["outcome"], &failed["code"]), (&json!("error"), &json!("trap")));
        assert!(failed.to_string().len() < 500);
    }

    #[test]
    fn the_words_are_read_back() {
        for comparison in Comparison::ALL {
            assert_eq!(comparison.as_str().parse(), Ok(comparison));
            assert_eq!(serde_json::to_value(comparison).unwrap(), comparison.as_str());
        }
        assert!("agreed".parse::<Comparison>().unwrap_err().to_string().contains("agree, added"));
    }
}
